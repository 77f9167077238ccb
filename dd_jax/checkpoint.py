"""Checkpoints: the state of a run on disk, atomic and checked. Owns Orbax.

One folder per step. It becomes visible only once complete, so a kill at any
moment leaves the previous one. It holds the arrays, and as JSON the identity of
the run, a note (durations, messages: nothing that the arrays depend on), and a
checksum of every array.
"""

import contextlib
import errno
import logging
import pathlib
import shutil
import time
import zlib
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp

from dd_jax.types import PyTree, UserError

_DAMAGED = 'damaged-'


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
  ) -> None:
    """Looks at the directory; writes nothing yet.

    Args:
      directory: made by the first save.
      identity: nested JSON: all that makes two runs the same run (method, data
        checksum, config, seed, number of steps).
      resume: see the attribute.
      every_seconds: see the attribute.
      keep: how many of the newest to keep.

    Raises:
      UserError: not `resume`, and the directory holds checkpoints.
    """
    self.directory = pathlib.Path(directory).absolute()
    self.resume = resume
    self.every_seconds = every_seconds
    self._identity = _flat(identity)
    self._keep = keep
    self._last_save = time.monotonic()
    if not resume and self.latest_step() is not None:
      raise UserError(
        f'{self.directory} holds the checkpoints of an earlier run: continue '
        'it with --resume, discard it with --overwrite, or choose another '
        '--workdir')

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
    leaves = _raw_leaves(tree)
    about = {'identity': self._identity, 'note': dict(note or {}),
             'leaves': _describe(tree), 'checksums': _checksums(leaves)}
    arrays = {_name(i): x for i, x in enumerate(leaves) if x.size}
    args = ocp.args.Composite(arrays=ocp.args.StandardSave(arrays),
                              about=ocp.args.JsonSave(about))
    with full_disk(self.directory), self._manager() as manager:
      manager.save(step, args=args, force=True)
      manager.wait_until_finished()

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
      except UserError:
        raise
      except Exception as error:  # whatever a damaged file makes Orbax raise
        messages.append(f'the checkpoint {self.directory / str(step)} is '
                        f'damaged ({_first_line(error)}), skipped')
        continue
      self._set_aside(above=step)
      return Restored(step, tree, note, tuple(messages))
    if messages:
      raise UserError(
        f'{messages[0].removesuffix(", skipped")}, and no earlier one is '
        'intact: start anew with --overwrite or another --workdir')
    return None

  def _steps(self) -> list[int]:
    if not self.directory.is_dir():
      return []
    return [int(p.name) for p in self.directory.iterdir() if p.name.isdigit()]

  def _read(self, step: int, like: PyTree) -> tuple[PyTree, dict[str, Any]]:
    with self._manager() as manager:
      about = manager.restore(
        step, args=ocp.args.Composite(about=ocp.args.JsonRestore())).about
      self._check_identity(about['identity'])
      self._check_structure(step, about['leaves'], _describe(like))
      abstract = [_abstract(x) for x in jax.tree.leaves(like)]
      wanted = {_name(i): x for i, x in enumerate(abstract) if x.size}
      arrays = manager.restore(step, args=ocp.args.Composite(
        arrays=ocp.args.StandardRestore(wanted))).arrays if wanted else {}
    leaves = [arrays.get(_name(i), jnp.zeros(x.shape, x.dtype))
              for i, x in enumerate(abstract)]
    if _checksums(leaves) != about['checksums']:
      raise ValueError('its arrays do not have the checksums noted')
    return _unraw(leaves, like), about['note']

  def _check_identity(self, saved: dict[str, Any]) -> None:
    ours = self._identity
    differing = [k for k in {**saved, **ours} if saved.get(k) != ours.get(k)]
    if not differing:
      return
    what = ', '.join(f'{k} is {saved.get(k)!r} there and {ours.get(k)!r} here'
                     for k in differing[:3])
    more = f' (and {len(differing) - 3} more)' if len(differing) > 3 else ''
    raise UserError(
      f'{self.directory} holds the checkpoint of another run: {what}{more}; '
      'discard it with --overwrite, or choose another --workdir')

  def _check_structure(
    self, step: int, saved: list[list[str]], ours: list[list[str]]
  ) -> None:
    differing = [(a, b) for a, b in zip(saved, ours) if a != b]
    if not differing and len(saved) == len(ours):
      return
    a, b = differing[0] if differing else (len(saved), len(ours))
    raise UserError(
      f'the checkpoint {self.directory / str(step)} holds {a} where this run '
      f'has {b}: it was written by another version; discard it with '
      '--overwrite, or choose another --workdir')

  def _set_aside(self, above: int) -> None:
    # Their steps will be saved anew; the damaged files stay for inspection.
    for step in self._steps():
      if step > above:
        aside = self.directory / f'{_DAMAGED}{step}'
        shutil.rmtree(aside, ignore_errors=True)
        (self.directory / str(step)).rename(aside)

  @contextlib.contextmanager
  def _manager(self) -> Iterator[ocp.CheckpointManager]:
    options = ocp.CheckpointManagerOptions(
      max_to_keep=self._keep, enable_async_checkpointing=False,
      cleanup_tmp_directories=True)
    with _silence(), ocp.CheckpointManager(
      self.directory, options=options) as manager:
      yield manager


@contextlib.contextmanager
def full_disk(path: str | pathlib.Path) -> Iterator[None]:
  """Turns "no space left on device", however it is said, into a `UserError`.

  Args:
    path: the file or folder to name.
  """
  try:
    yield
  except Exception as error:
    if not _is_full_disk(error):
      raise
    raise UserError(
      f'the disk that holds {path} is full: free some space and continue with '
      '--resume, or choose another --workdir (what was written before is '
      'intact)') from error


def _is_full_disk(error: BaseException | None) -> bool:
  while error is not None:
    if getattr(error, 'errno', None) in (errno.ENOSPC, errno.EDQUOT):
      return True
    if 'No space left' in str(error):  # TensorStore says it in text only
      return True
    error = error.__cause__ or error.__context__
  return False


@contextlib.contextmanager
def _silence() -> Iterator[None]:
  """Drops what Orbax logs below ERROR, and nothing else's."""
  def keep(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.ERROR or 'orbax' not in record.pathname

  logger = logging.getLogger('absl')
  logger.addFilter(keep)
  try:
    yield
  finally:
    logger.removeFilter(keep)


def _flat(tree: Any, prefix: str = '') -> dict[str, Any]:
  """Nested JSON as dotted fields; tuples become lists."""
  if isinstance(tree, Mapping):
    return {k: v for name, value in tree.items()
            for k, v in _flat(value, f'{prefix}{name}.').items()}
  value = list(tree) if isinstance(tree, tuple) else tree
  return {prefix[:-1]: value}


def _name(i: int) -> str:
  return f'{i:05d}'


def _is_key(x: Any) -> bool:
  return jnp.issubdtype(x.dtype, jax.dtypes.prng_key)


def _raw_leaves(tree: PyTree) -> list[jax.Array]:
  """The leaves, PRNG keys as the integers that they are."""
  return [jax.random.key_data(x) if _is_key(x) else jnp.asarray(x)
          for x in jax.tree.leaves(tree)]


def _unraw(leaves: list[jax.Array], like: PyTree) -> PyTree:
  """Undoes `_raw_leaves`, in new buffers."""
  target, structure = jax.tree.flatten(like)
  return structure.unflatten([
    jax.random.wrap_key_data(x, impl=jax.random.key_impl(y)) if _is_key(y)
    else jnp.copy(x) for x, y in zip(leaves, target, strict=True)])


def _abstract(x: Any) -> jax.ShapeDtypeStruct:
  if _is_key(x):
    raw = jax.eval_shape(jax.random.key_data, x)
    return jax.ShapeDtypeStruct(raw.shape, raw.dtype)
  sharding = getattr(x, 'sharding', None)
  return jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=sharding)


def _describe(tree: PyTree) -> list[list[str]]:
  """Name, dtype and shape of every leaf."""
  return [[jax.tree_util.keystr(path), str(x.dtype), str(list(x.shape))]
          for path, x in jax.tree.leaves_with_path(tree)]


def _checksums(leaves: list[jax.Array]) -> list[int]:
  # reshape first: a view as bytes needs an axis.
  arrays = [np.ascontiguousarray(np.asarray(x)).reshape(-1) for x in leaves]
  return [zlib.crc32(x.view(np.uint8)) for x in arrays]


def _first_line(error: Exception) -> str:
  lines = str(error).strip().splitlines() or [type(error).__name__]
  return lines[0][:120]
