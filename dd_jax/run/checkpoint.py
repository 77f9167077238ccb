"""Checkpoints: the state of a run on disk, atomic and checked. Owns Orbax.

One folder per step. It gets its name only once complete, so a kill at any
moment leaves the previous one. It holds the arrays, and as JSON the identity of
the run, a note (durations, messages: nothing that the arrays depend on), and
the checksum of every file: a damaged one is named before Orbax meets it.
"""

import contextlib
import json
import logging
import os
import pathlib
import shutil
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import orbax.checkpoint as ocp

from dd_jax.files import full_disk, write_json
from dd_jax.types import PyTree, UserError

_ARRAYS = 'arrays'
_ABOUT = 'about.json'
_PARTIAL = '.partial'


class Restored(NamedTuple):
  """What a checkpoint held.

  Attributes:
    step: finished outer steps.
    tree: as it was saved, in new buffers.
    note: the JSON that `save` was given.
    messages: what to tell the user, for example that the newest was damaged.
  """

  step: int
  tree: PyTree
  note: dict[str, Any]
  messages: tuple[str, ...]


class _Damaged(Exception):
  """A checkpoint is not what was written; names the file."""


class Checkpointer:
  """Saves a run now and then, and restores the newest that is intact.

  Attributes:
    directory: where the checkpoints of one run lie.
    resume: whether `driver.distill` continues from what it finds there; if
      False, a directory that holds checkpoints is refused.
    every_seconds: how long the driver waits between two saves.
  """

  def __init__(
    self,
    directory: str | pathlib.Path,
    identity: Mapping[str, Any],
    *,
    resume: bool = True,
    every_seconds: float = 60.0,
    keep: int = 2,
    free: Sequence[str] = (),
  ) -> None:
    """Looks at the directory; writes nothing yet.

    Args:
      directory: made by the first save.
      identity: nested JSON: all that makes two runs the same run (method, data
        checksum, config, seed, number of steps).
      resume: see the attribute.
      every_seconds: see the attribute.
      keep: how many of the newest to keep.
      free: dotted fields of `identity` in which a checkpoint may differ.

    Raises:
      UserError: not `resume`, and the directory holds checkpoints.
    """
    self.directory = pathlib.Path(directory).absolute()
    self.resume = resume
    self.every_seconds = every_seconds
    self._identity = _flat(identity)
    self._keep = keep
    self._free = free
    self._last_save = time.monotonic()
    if not resume and self.latest_step() is not None:
      raise UserError(
        f'{self.directory} holds the checkpoints of an earlier run: continue '
        'it with --resume, discard it with --overwrite, or choose another '
        '--workdir'
      )

  def latest_step(self) -> int | None:
    """The newest complete checkpoint, or None."""
    return max(self._steps(), default=None)

  def due(self) -> bool:
    """Whether `every_seconds` have passed since the last save."""
    return time.monotonic() - self._last_save >= self.every_seconds

  def save(
    self, step: int, tree: PyTree, note: Mapping[str, Any] | None = None
  ) -> None:
    """Writes a checkpoint and returns once it is complete.

    Args:
      step: finished outer steps. A step that is already there is left alone.
      tree: arrays of any shape and dtype, and typed PRNG keys.
      note: JSON, given back by `restore`.

    Raises:
      UserError: the disk is full; earlier checkpoints are intact.
    """
    self._last_save = time.monotonic()
    if step in self._steps():
      return
    with full_disk(self.directory), self._partial(step) as partial:
      _write_arrays(partial / _ARRAYS, tree)
      _write_about(
        partial,
        {
          'identity': self._identity,
          'note': dict(note or {}),
          'leaves': _describe(tree),
          'files': _checksums(partial),
        },
      )
      os.rename(partial, self.directory / str(step))
      _sync(self.directory)
    for old in sorted(self._steps())[: -self._keep]:
      shutil.rmtree(self.directory / str(old), ignore_errors=True)

  def restore(self, like: PyTree) -> Restored | None:
    """Reads the newest checkpoint that is intact.

    Args:
      like: a tree of the same structure; of its leaves only shape, dtype and
        sharding are looked at (`jax.ShapeDtypeStruct` will do).

    Returns:
      None where there is no checkpoint at all.

    Raises:
      UserError: it is another run's, or of another structure, or none is
        intact.
    """
    messages: list[str] = []
    for step in sorted(self._steps(), reverse=True):
      try:
        tree, note = self._read(step, like)
      except _Damaged as error:
        messages.append(f'skipped a damaged checkpoint: {error}')
        continue
      self._set_aside(above=step)
      return Restored(step, tree, note, tuple(messages))
    if messages:
      raise UserError(
        f'{messages[0]}; no other one is intact: start anew '
        'with --overwrite or another --workdir'
      )
    return None

  def _steps(self) -> list[int]:
    if not self.directory.is_dir():
      return []
    return [int(p.name) for p in self.directory.iterdir() if p.name.isdigit()]

  @contextlib.contextmanager
  def _partial(self, step: int) -> Iterator[pathlib.Path]:
    """A folder to fill and rename; nothing of it stays after a failure."""
    self.directory.mkdir(parents=True, exist_ok=True)
    for left_over in self.directory.glob('*' + _PARTIAL):
      shutil.rmtree(left_over)
    folder = self.directory / f'{step}{_PARTIAL}'
    folder.mkdir()
    try:
      yield folder
    finally:
      shutil.rmtree(folder, ignore_errors=True)

  def _read(self, step: int, like: PyTree) -> tuple[PyTree, dict[str, Any]]:
    folder = self.directory / str(step)
    about = _read_about(folder)
    self._check_identity(about['identity'])
    self._check_structure(step, about['leaves'], _describe(like))
    _check_files(folder, about['files'])
    return _read_arrays(folder / _ARRAYS, like), about['note']

  def _check_identity(self, saved: dict[str, Any]) -> None:
    ours = self._identity
    differing = [
      k
      for k in {**saved, **ours}
      if saved.get(k) != ours.get(k) and k not in self._free
    ]
    if not differing:
      return
    what = ', '.join(
      f'{k} is {saved.get(k)!r} there and {ours.get(k)!r} here'
      for k in differing[:3]
    )
    more = f' (and {len(differing) - 3} more)' if len(differing) > 3 else ''
    raise UserError(
      f'{self.directory} holds the checkpoint of another run: {what}{more}; '
      'discard it with --overwrite, or choose another --workdir'
    )

  def _check_structure(
    self, step: int, saved: list[list[str]], ours: list[list[str]]
  ) -> None:
    differing = [(a, b) for a, b in zip(saved, ours, strict=False) if a != b]
    if not differing and len(saved) == len(ours):
      return
    a, b = differing[0] if differing else (len(saved), len(ours))
    raise UserError(
      f'the checkpoint {self.directory / str(step)} holds {a} where this run '
      f'has {b}: it was written by another version; discard it with '
      '--overwrite, or choose another --workdir'
    )

  def _set_aside(self, above: int) -> None:
    # Their steps will be saved anew; the damaged files stay for inspection.
    for step in self._steps():
      if step > above:
        aside = self.directory / f'damaged-{step}'
        shutil.rmtree(aside, ignore_errors=True)
        (self.directory / str(step)).rename(aside)


@contextlib.contextmanager
def _silence() -> Iterator[None]:
  """Drops what Orbax logs: its errors are raised as well, and told once."""

  def keep(record: logging.LogRecord) -> bool:
    return 'orbax' not in record.pathname

  logger = logging.getLogger('absl')
  logger.addFilter(keep)
  try:
    yield
  finally:
    logger.removeFilter(keep)


def _flat(tree: Any, prefix: str = '') -> dict[str, Any]:
  """Nested JSON as dotted fields; tuples become lists."""
  if isinstance(tree, Mapping):
    return {
      k: v
      for name, value in tree.items()
      for k, v in _flat(value, f'{prefix}{name}.').items()
    }
  value = list(tree) if isinstance(tree, tuple) else tree
  return {prefix[:-1]: value}


def _is_key(x: Any) -> bool:
  return jnp.issubdtype(x.dtype, jax.dtypes.prng_key)


def _describe(tree: PyTree) -> list[list[str]]:
  """Name, dtype and shape of every leaf."""
  return [
    [jax.tree_util.keystr(path), str(x.dtype), str(list(x.shape))]
    for path, x in jax.tree.leaves_with_path(tree)
  ]


def _orbax() -> ocp.Checkpointer:
  return ocp.Checkpointer(ocp.StandardCheckpointHandler())


def _write_arrays(path: pathlib.Path, tree: PyTree) -> None:
  """Writes the leaves by number: PRNG keys as integers, none that is empty."""
  leaves = [
    jax.random.key_data(x) if _is_key(x) else jnp.asarray(x)
    for x in jax.tree.leaves(tree)
  ]
  arrays = {f'{i:05d}': x for i, x in enumerate(leaves) if x.size}
  if arrays:
    with _silence(), _orbax() as checkpointer:
      checkpointer.save(path, arrays)


def _read_arrays(path: pathlib.Path, like: PyTree) -> PyTree:
  """Undoes `_write_arrays`, in new buffers."""
  leaves, structure = jax.tree.flatten(like)
  wanted = {f'{i:05d}': _abstract(x) for i, x in enumerate(leaves) if x.size}
  arrays = {}
  if wanted:
    with _silence(), _orbax() as checkpointer:
      arrays = checkpointer.restore(path, wanted)
  return jax.tree.unflatten(
    structure, [_own(arrays.get(f'{i:05d}'), x) for i, x in enumerate(leaves)]
  )


def _abstract(x: Any) -> jax.ShapeDtypeStruct:
  raw = jax.eval_shape(jax.random.key_data, x) if _is_key(x) else x
  sharding = getattr(x, 'sharding', None)
  return jax.ShapeDtypeStruct(raw.shape, raw.dtype, sharding=sharding)


def _own(x: jax.Array | None, like: Any) -> jax.Array:
  """A copy of what Orbax read, which may share its buffer; None is empty."""
  if x is None:
    return jnp.zeros(like.shape, like.dtype)
  x = jnp.copy(x)
  if not _is_key(like):
    return x
  return jax.random.wrap_key_data(x, impl=_key_impl(like))


def _key_impl(like: Any) -> Any:
  """The generator of a key of which only the type is known."""
  found: list[Any] = []
  jax.eval_shape(lambda key: found.append(jax.random.key_impl(key)), like)
  return found[0]


def _write_about(folder: pathlib.Path, about: dict[str, Any]) -> None:
  """Writes the JSON of a checkpoint with its own checksum."""
  text = json.dumps(about)
  checksum = zlib.crc32(text.encode())
  write_json(folder / _ABOUT, {'about': text, 'checksum': checksum})


def _read_about(folder: pathlib.Path) -> dict[str, Any]:
  path = folder / _ABOUT
  try:
    outer = json.loads(path.read_text())
    if zlib.crc32(outer['about'].encode()) != outer['checksum']:
      raise ValueError('checksum')
    return json.loads(outer['about'])
  except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
    what = 'unreadable' if path.exists() else 'missing'
    raise _Damaged(f'{path} is {what}') from error


def _checksums(folder: pathlib.Path) -> dict[str, int]:
  """CRC-32 of every file under `folder`, by relative path."""
  return {
    str(path.relative_to(folder)): _crc(path)
    for path in sorted(folder.rglob('*'))
    if path.is_file()
  }


def _check_files(folder: pathlib.Path, expected: dict[str, int]) -> None:
  for name, checksum in expected.items():
    path = folder / name
    if not path.is_file():
      raise _Damaged(f'{path} is missing')
    if _crc(path) != checksum:
      raise _Damaged(f'{path} does not have the content that was written')


def _crc(path: pathlib.Path) -> int:
  value = 0
  with path.open('rb') as f:
    while block := f.read(2**20):
      value = zlib.crc32(block, value)
  return value


def _sync(folder: pathlib.Path) -> None:
  """Makes a rename in `folder` survive a loss of power."""
  descriptor = os.open(folder, os.O_RDONLY)
  try:
    os.fsync(descriptor)
  finally:
    os.close(descriptor)
