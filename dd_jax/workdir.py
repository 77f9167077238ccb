"""The folder of one run: what is in it, and who may write there."""

import json
import pathlib
import shutil
from collections.abc import Mapping
from typing import Any

from dd_jax.files import full_disk, write_json
from dd_jax.types import UserError

ARTIFACT = 'distilled.npz'
RESULT = 'result.json'
CHECKPOINTS = 'checkpoints'
_OURS = (
  ARTIFACT,
  RESULT,
  CHECKPOINTS,
  'run.json',
  'metrics.jsonl',
  'validation.jsonl',
  'distilled.png',
  'labels.png',
  'curves.svg',
  'report.html',
  'tensorboard',
)


class Workdir:
  """A folder that holds one run.

  Attributes:
    path: the folder.
    resumed: whether it already held this run.
  """

  def __init__(
    self,
    path: str | pathlib.Path,
    *,
    resume: bool = False,
    overwrite: bool = False,
  ) -> None:
    """Makes or opens the folder.

    Raises:
      UserError: it is not empty and neither `resume` nor `overwrite` was asked
        for, both were, or it cannot be made.
    """
    self.path = pathlib.Path(path)
    if resume and overwrite:
      raise UserError('--resume and --overwrite exclude each other')
    try:
      with full_disk(self.path):
        self.path.mkdir(parents=True, exist_ok=True)
        filled = any(self.path.iterdir())
    except OSError as error:
      raise UserError(
        f'--workdir={path}: cannot be used as a folder ({error.strerror})'
      ) from error
    if filled and not (resume or overwrite):
      raise UserError(
        f'--workdir={path} is not empty: continue its run with --resume, '
        'discard it with --overwrite, or choose another folder'
      )
    if overwrite:
      self._clear()
    self.resumed = resume and (self.path / 'run.json').exists()

  def claim(self, identity: Mapping[str, Any]) -> None:
    """Notes whose folder this is, or checks that it is this run's.

    Args:
      identity: nested JSON: all that makes two runs the same run.

    Raises:
      UserError: it holds another run; names the first fields that differ.
    """
    path = self.path / 'run.json'
    wanted = json.loads(json.dumps(identity))
    if self.resumed:
      held = _read_json(path)
      differing = differences(held, wanted)
      if differing:
        raise UserError(
          f'--workdir={self.path} holds another run ({"; ".join(differing)}): '
          'discard it with --overwrite, or choose another folder'
        )
    write_json(path, wanted)

  def result(self) -> dict[str, Any] | None:
    """The result of a finished run, or None."""
    path = self.path / RESULT
    return _read_json(path) if path.exists() else None

  def rows(self, name: str) -> list[dict[str, Any]]:
    """The objects of a `.jsonl` file; none where there is no such file."""
    path = self.path / name
    if not path.exists():
      return []
    return [json.loads(line) for line in path.read_text().splitlines()]

  def write_json(self, name: str, content: Any) -> None:
    """Writes a file of the run, atomically."""
    write_json(self.path / name, content)

  def _clear(self) -> None:
    """Removes what a run writes, and nothing else."""
    for name in _OURS:
      path = self.path / name
      if path.is_dir():
        shutil.rmtree(path)
      else:
        path.unlink(missing_ok=True)


def differences(
  held: Any, wanted: Any, path: str = '', limit: int = 3
) -> list[str]:
  """Names up to `limit` fields in which two nested values differ."""
  if isinstance(held, dict) and isinstance(wanted, dict):
    found: list[str] = []
    for field in sorted({*held, *wanted}):
      inner = f'{path}.{field}' if path else field
      found += differences(held.get(field), wanted.get(field), inner)
    return found[:limit]
  return [] if held == wanted else [f'{path} was {held!r}, now {wanted!r}']


def _read_json(path: pathlib.Path) -> dict[str, Any]:
  try:
    content = json.loads(path.read_text())
    if isinstance(content, dict):
      return content
  except (OSError, ValueError):
    pass
  raise UserError(
    f'{path}: damaged; discard the run with --overwrite, or choose another '
    '--workdir'
  )
