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
RUN = 'run.json'
PLAN = 'plan.json'
_OURS = (
  ARTIFACT,
  RESULT,
  CHECKPOINTS,
  'metrics.jsonl',
  'validation.jsonl',
  'distilled.png',
  'labels.png',
  'curves.svg',
  'report.html',
  'tensorboard',
  PLAN,
  RUN,
)


class Workdir:
  """A folder that holds one run; nothing in it changes before `claim`.

  Attributes:
    path: the folder.
    resumed: whether it already held a run, to be continued.
  """

  def __init__(
    self,
    path: str | pathlib.Path,
    *,
    resume: bool = False,
    overwrite: bool = False,
  ) -> None:
    """Looks at the folder; writes nothing yet.

    Raises:
      UserError: it is not empty and neither `resume` nor `overwrite` was asked
        for, both were, what it holds is no run, or it is no folder.
    """
    self.path = pathlib.Path(path)
    if resume and overwrite:
      raise UserError('--resume and --overwrite exclude each other')
    filled, ours = self._look()
    if filled and not ours:
      raise UserError(
        f'--workdir={path} holds files but no run (no {RUN}): choose another '
        'folder'
      )
    if filled and not (resume or overwrite):
      raise UserError(
        f'--workdir={path} is not empty: continue its run with --resume, '
        'discard it with --overwrite, or choose another folder'
      )
    self.resumed = resume and filled
    self._discards = overwrite and filled

  @property
  def has_checkpoint(self) -> bool:
    """Whether there is something to continue from."""
    return bool(self.checkpoints())

  def checkpoints(self) -> list[int]:
    """The steps of which there is a checkpoint."""
    found = (self.path / CHECKPOINTS).glob('[0-9]*')
    return [int(path.name) for path in found if path.name.isdigit()]

  def held(self) -> dict[str, Any] | None:
    """The identity of the run that is resumed; None where there is none.

    Raises:
      UserError: `run.json` is damaged.
    """
    return _read_json(self.path / RUN) if self.resumed else None

  def plan(self) -> dict[str, Any] | None:
    """How the length of the run was found; None where it was given."""
    path = self.path / PLAN
    return _read_json(path) if path.exists() else None

  def check(self, identity: Mapping[str, Any]) -> None:
    """Refuses to resume another run than this one.

    Args:
      identity: nested JSON: all that makes two runs the same run.

    Raises:
      UserError: it is another run; names the first fields that differ.
    """
    held = self.held()
    differing = held and differences(held, json.loads(json.dumps(identity)))
    if differing:
      raise UserError(
        f'--workdir={self.path} holds another run ({"; ".join(differing)}): '
        'discard it with --overwrite, or choose another folder'
      )

  def finished(self, identity: Mapping[str, Any]) -> dict[str, Any] | None:
    """The result of the run that is resumed, or None if it has none yet.

    Args:
      identity: see `check`.

    Raises:
      UserError: see `check`.
    """
    self.check(identity)
    if not self.resumed:
      return None
    if all((self.path / name).exists() for name in (ARTIFACT, RESULT)):
      return _read_json(self.path / RESULT)
    return None

  def claim(self, identity: Mapping[str, Any]) -> None:
    """Makes the folder and notes whose it is.

    What is to be overwritten goes now and not before; so does the result of a
    run that is to be longer.

    Raises:
      UserError: it cannot be written to.
    """
    try:
      with full_disk(self.path):
        self.path.mkdir(parents=True, exist_ok=True)
      if self._discards:
        self._clear()
      if self.held() != json.loads(json.dumps(identity)):
        (self.path / RESULT).unlink(missing_ok=True)
        write_json(self.path / RUN, identity)
    except OSError as error:
      raise _unusable(self.path, error) from error

  def release(self) -> None:
    """Takes `claim` back where no step came of it: the folder is free again."""
    if self.resumed or self.has_checkpoint or self.rows('metrics.jsonl'):
      return
    self._clear()
    if not any(self.path.iterdir()):
      self.path.rmdir()

  def rows(self, name: str) -> list[dict[str, Any]]:
    """The objects of a `.jsonl` file; none where there is no such file."""
    path = self.path / name
    if not path.exists():
      return []
    return [json.loads(line) for line in path.read_text().splitlines()]

  def write_json(self, name: str, content: Any) -> None:
    """Writes a file of the run, atomically."""
    write_json(self.path / name, content)

  def _look(self) -> tuple[bool, bool]:
    """Whether there are files (hidden ones aside), and whether of a run."""
    try:
      names = {p.name for p in self.path.iterdir()}
    except FileNotFoundError:
      return False, False
    except OSError as error:
      raise _unusable(self.path, error) from error
    return any(not name.startswith('.') for name in names), RUN in names

  def _clear(self) -> None:
    """Removes what a run writes, and nothing else; its mark goes last."""
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


def _unusable(path: pathlib.Path, error: OSError) -> UserError:
  return UserError(
    f'--workdir={path}: cannot be used as a folder ({error.strerror})'
  )


def _read_json(path: pathlib.Path) -> dict[str, Any]:
  try:
    content = json.loads(path.read_text())
    if isinstance(content, dict):
      return content
  except (OSError, ValueError):
    pass
  way = 'discard the run with --overwrite, or choose another --workdir'
  if path.name == RESULT:
    way = 'remove it, and --resume scores the distilled set again'
  raise UserError(f'{path}: damaged; {way}')
