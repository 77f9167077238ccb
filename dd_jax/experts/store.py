"""A folder of expert trajectories, written one expert at a time.

`manifest.json` says what the experts are of (network, data, preprocessing,
recipe), which epochs are held, and each expert's accuracy and checksum;
`expert_00000.npy` is one trajectory, float32 `[epochs, parameters]`. Both are
replaced atomically, the manifest last: an expert that it does not list is not
there, and one that it lists is whole.
"""

import io
import json
import pathlib
import zlib
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from dd_jax.files import kind, write_atomically, write_json
from dd_jax.types import UserError

VERSION = 1
MANIFEST = 'manifest.json'


class Span(NamedTuple):
  """Which epochs a method reads.

  Attributes:
    first: the earliest epoch that a segment starts from.
    stop: the first that none starts from.
    length: epochs from a segment's start to its target.
    last: whether the trained expert itself is read, for labels.
  """

  first: int
  stop: int
  length: int
  last: bool = False

  @property
  def end(self) -> int:
    """The last epoch that a segment reaches."""
    return self.stop - 1 + self.length

  def epochs(self, total: int) -> tuple[int, ...]:
    """The epochs to keep of `total`, in order; epoch 0 is before training."""
    starts = range(self.first, self.stop)
    read = {e for t in starts for e in (t, t + self.length)}
    return tuple(sorted(read | ({total} if self.last else set())))


def identity(
  *,
  network: Mapping[str, Any],
  data: Mapping[str, Any],
  preprocessing: str,
  recipe: Mapping[str, Any],
  epochs: Sequence[int],
  seed: int,
) -> dict[str, Any]:
  """All that the arrays of a store depend on, as nested JSON.

  Args:
    network: its section of the configuration.
    data: name, checksum and split of the training data.
    preprocessing: its name.
    recipe: how experts are trained; `epochs` is how long.
    epochs: those that are kept.
    seed: of the experts.
  """
  made = {
    'version': VERSION,
    'network': network,
    'data': data,
    'preprocessing': preprocessing,
    'recipe': recipe,
    'epochs': list(epochs),
    'seed': seed,
  }
  held: dict[str, Any] = json.loads(json.dumps(made))
  return held


class ExpertStore:
  """Expert trajectories in a folder.

  Attributes:
    path: the folder.
    identity: as `identity` makes it.
    experts: of each one that is there: `accuracy` in percent on held-out
      examples, `seconds` it took, `parameters`, `crc32` of the array's bytes.
  """

  def __init__(
    self,
    path: pathlib.Path,
    identity: dict[str, Any],
    experts: list[dict[str, Any]],
  ) -> None:
    self.path = path
    self.identity = identity
    self.experts = experts

  @classmethod
  def open(cls, path: str | pathlib.Path) -> 'ExpertStore':
    """Reads the manifest of a store and checks the files that it lists.

    Raises:
      UserError: there is no store, it is of another version, or damaged.
    """
    path = pathlib.Path(path)
    if path.exists() and not path.is_dir():
      raise UserError(f'{path}: is {kind(path)}; expected a folder of experts')
    try:
      held = json.loads((path / MANIFEST).read_text())
      about, experts = held['identity'], list(held['experts'])
      version = about['version']
    except FileNotFoundError:
      raise UserError(
        f'{path}: holds no experts (no {MANIFEST}); train them with '
        'dd-jax experts'
      ) from None
    except (OSError, ValueError, KeyError, TypeError):
      raise UserError(
        f'{path / MANIFEST}: damaged; train the experts anew in another folder'
      ) from None
    if version != VERSION:
      raise UserError(
        f'{path}: its experts are of version {version} of the format; this '
        f'program reads version {VERSION}'
      )
    store = cls(path, about, experts)
    for i in range(len(experts)):
      store.read(i)
    return store

  @classmethod
  def start(
    cls, path: str | pathlib.Path, identity: dict[str, Any]
  ) -> 'ExpertStore':
    """Begins a store, or goes on with one of the same identity.

    Raises:
      UserError: the folder holds something else.
    """
    path = pathlib.Path(path)
    if (path / MANIFEST).exists():
      store = cls.open(path)
      store.check(identity, tuple(identity))
      return store
    if path.is_dir() and any(p.name[0] != '.' for p in path.iterdir()):
      raise UserError(
        f'{path}: holds files but no experts (no {MANIFEST}); choose another '
        'folder'
      )
    path.mkdir(parents=True, exist_ok=True)
    store = cls(path, identity, [])
    store._write_manifest()
    return store

  @property
  def epochs(self) -> tuple[int, ...]:
    """The epochs that are held."""
    return tuple(self.identity['epochs'])

  @property
  def count(self) -> int:
    """How many experts there will be."""
    return int(self.identity['recipe']['count'])

  def add(
    self, trajectory: np.ndarray, accuracy: float, seconds: float
  ) -> None:
    """Writes the next expert.

    Args:
      trajectory: float32 `[epochs, parameters]`.
      accuracy: in percent, for the manifest.
      seconds: that it took, for the manifest.
    """
    buffer = io.BytesIO()
    np.save(buffer, np.ascontiguousarray(trajectory, np.float32))
    write_atomically(self._file(len(self.experts)), buffer.getvalue())
    self.experts.append(
      {
        'accuracy': round(accuracy, 4),
        'seconds': round(seconds, 3),
        'parameters': trajectory.shape[1],
        'crc32': _crc32(trajectory),
      }
    )
    self._write_manifest()

  def read(self, index: int, verify: bool = False) -> np.ndarray:
    """One expert's trajectory, mapped into memory: `[epochs, parameters]`.

    Args:
      index: of the expert.
      verify: reads all of it and compares the checksum.

    Raises:
      UserError: the file is missing, cut short or not what was written.
    """
    about = self.experts[index]
    try:
      found = np.load(self._file(index), mmap_mode='r', allow_pickle=False)
      expected = (len(self.epochs), about['parameters'])
      whole = found.shape == expected and found.dtype == np.float32
      if whole and verify:
        whole = _crc32(found) == about['crc32']
    except (OSError, ValueError, EOFError):
      whole = False
    if not whole:
      raise UserError(
        f'{self._file(index)}: missing or damaged; train the experts anew in '
        'another folder'
      )
    return found

  def check(
    self,
    wanted: Mapping[str, Any],
    fields: Sequence[str] = ('network', 'data', 'preprocessing'),
  ) -> None:
    """Refuses experts that are not of this run's network and data.

    Args:
      wanted: as `identity` makes it.
      fields: those that must agree.

    Raises:
      UserError: naming the first field that differs.
    """
    for field in fields:
      held, asked = self.identity.get(field), wanted[field]
      if held != asked:
        what = _difference(field, held, asked)
        raise UserError(f'{self.path}: its experts are of another {what}')

  def check_span(self, span: Span) -> None:
    """Refuses a store that lacks experts or epochs that will be read.

    Raises:
      UserError: naming what is missing.
    """
    if len(self.experts) < self.count:
      raise UserError(
        f'{self.path}: holds {len(self.experts)} of {self.count} experts; '
        'the command that began them, given again, goes on'
      )
    total = int(self.identity['recipe']['epochs'])
    if span.last and total not in self.epochs:
      raise UserError(
        f'{self.path}: soft labels need the trained experts, and only the '
        f'epochs {_listed(self.epochs)} of {total} were kept; train them with '
        '--config.experts.keep_last=True'
      )
    missing = sorted(set(span._replace(last=False).epochs(0)) - {*self.epochs})
    if missing:
      raise UserError(
        f'max_start={span.stop} with expert_epochs={span.length} reads epochs '
        f'up to {span.end}, and {self.path} holds the epochs '
        f'{_listed(self.epochs)}'
      )

  def _file(self, index: int) -> pathlib.Path:
    return self.path / f'expert_{index:05d}.npy'

  def _write_manifest(self) -> None:
    content = {'identity': self.identity, 'experts': self.experts}
    write_json(self.path / MANIFEST, content)


def _crc32(trajectory: np.ndarray) -> int:
  return zlib.crc32(np.ascontiguousarray(trajectory, np.float32).data)


def _difference(field: str, held: Any, wanted: Any) -> str:
  """The innermost field that differs, with both values."""
  if isinstance(held, dict) and isinstance(wanted, dict):
    for name in sorted({*held, *wanted}):
      if held.get(name) != wanted.get(name):
        return _difference(f'{field}.{name}', held.get(name), wanted.get(name))
  return f'{field} ({held!r}, this run has {wanted!r})'


def _listed(epochs: Sequence[int]) -> str:
  """`0-3, 8`."""
  parts: list[list[int]] = []
  for epoch in epochs:
    if parts and epoch == parts[-1][-1] + 1:
      parts[-1].append(epoch)
    else:
      parts.append([epoch])
  return ', '.join(
    str(p[0]) if len(p) == 1 else f'{p[0]}-{p[-1]}' for p in parts
  )
