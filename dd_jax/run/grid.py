"""A grid of runs and how all of them are judged, read from a TOML file.

    learners = 3
    protocols = ['dc']
    networks = [{ name = 'convnet', width = 32 }, { name = 'mlp' }]

    [[grid]]
    datasets = ['digits']
    ipc = [1, 10]
    seeds = [0, 1, 2]
    seconds = 20

A `[[grid]]` without `methods` is over every method that there is.
"""

import itertools
import pathlib
import tomllib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from dd_jax.checks import check_name
from dd_jax.files import one_line
from dd_jax.run import recipe
from dd_jax.run.recipe import Config
from dd_jax.types import UserError


class Cell(NamedTuple):
  """One run.

  Attributes:
    dataset: a name, or a path.
    method: by name.
    ipc: images per class.
    seed: of distilling.
    seconds: of distilling: outer steps and experts, without compiling.
  """

  dataset: str
  method: str
  ipc: int
  seed: int
  seconds: float

  @property
  def name(self) -> str:
    """`mnist_dm_10_0`: of its folder and its line."""
    return f'{self.group}_{self.seed}'

  @property
  def group(self) -> str:
    """What cells that differ in their seed alone have in common."""
    data = pathlib.PurePath(self.dataset).name.removesuffix('.npz')
    return f'{data}_{self.method}_{self.ipc}'


class Judge(NamedTuple):
  """How every set is scored, however it was made.

  Attributes:
    protocols: one or more.
    networks: each in place of the protocols' own: `name`, and settings of it.
    learners: of each network.
    steps: of a learner; 0 for the protocol's own.
  """

  protocols: tuple[str, ...]
  networks: tuple[Config, ...]
  learners: int
  steps: int


class Grid(NamedTuple):
  """What a file holds.

  Attributes:
    judge: of all cells.
    cells: in the order in which they are run: a seed of all before the next.
  """

  judge: Judge
  cells: tuple[Cell, ...]


def read(path: str | pathlib.Path) -> Grid:
  """The grid of a file.

  Raises:
    UserError: names the file, the field, its value and what is allowed.
  """
  try:
    found = tomllib.loads(pathlib.Path(path).read_text('utf-8'))
  except (OSError, ValueError) as error:
    reason = getattr(error, 'strerror', None) or one_line(error)
    raise UserError(f'GRID={path}: {reason}; expected a TOML file') from None
  try:
    judge = Judge(**_checked(found, {**_JUDGE, 'grid': _GRIDS}, 'grid'))
    blocks = [_checked(block, _BLOCK) for block in found['grid']]
  except UserError as error:
    raise UserError(f'GRID={path}: {error}') from None
  cells = dict.fromkeys(itertools.chain.from_iterable(map(_cells, blocks)))
  return Grid(judge, tuple(cells))


def _cells(block: Mapping[str, Any]) -> Iterator[Cell]:
  axes = (block[k] for k in ('seeds', 'datasets', 'ipc', 'methods'))
  for seed, dataset, ipc, method in itertools.product(*axes):
    yield Cell(dataset, method, ipc, seed, block['seconds'])


class _Field(NamedTuple):
  """What a field may be."""

  allowed: str
  read: Callable[[Any], Any]  # raises ValueError, TypeError or UserError
  default: Any = None


def _checked(
  given: Mapping[str, Any], known: Mapping[str, _Field], *left_out: str
) -> dict[str, Any]:
  """The values of a table by name, defaults where nothing is given."""
  for name in given:
    check_name('field', name, known)
  found = {k: _value(k, given.get(k), field) for k, field in known.items()}
  return {k: v for k, v in found.items() if k not in left_out}


def _value(name: str, given: Any, field: _Field) -> Any:
  if given is None and field.default is None:
    raise UserError(f'{name}: missing; must be {field.allowed}')
  try:
    return field.read(field.default if given is None else given)
  except UserError:
    raise  # it says more
  except (TypeError, ValueError, KeyError):
    raise UserError(f'{name}={given!r}: must be {field.allowed}') from None


def _listed(one: Callable[[Any], Any]) -> Callable[[Any], tuple[Any, ...]]:
  """Reads a list of at least one value."""

  def read(given: Any) -> tuple[Any, ...]:
    if not isinstance(given, list | tuple) or not given:
      raise TypeError
    return tuple(map(one, given))

  return read


def _whole(least: int) -> Callable[[Any], int]:
  """Reads a whole number, `least` and more."""

  def read(given: Any) -> int:
    if type(given) is not int or given < least:
      raise ValueError
    return given

  return read


def _seconds(given: Any) -> float:
  found = float(given)
  if isinstance(given, str | bool) or not 0 < found < float('inf'):
    raise ValueError
  return found


def _text(given: Any) -> str:
  if not isinstance(given, str) or not given:
    raise TypeError
  return given


def _name_of(kind: str, known: Mapping[str, Any]) -> Callable[[Any], str]:
  def read(given: Any) -> str:
    check_name(kind, _text(given), known)
    return str(given)

  return read


def _network(given: Any) -> Config:
  if not isinstance(given, dict):
    raise TypeError
  _name_of('network', recipe.NETWORKS)(given['name'])
  recipe.changed(recipe.default(), {'evaluation': {'network': given}})
  return given


_PROTOCOL = _name_of('protocol', recipe.PROTOCOLS)
_METHOD = _name_of('method', recipe.METHODS)
_JUDGE = {
  'protocols': _Field('a list of protocols', _listed(_PROTOCOL)),
  'networks': _Field(
    "a list of networks, such as [{ name = 'mlp' }]", _listed(_network)
  ),
  'learners': _Field('a whole number from 1 on', _whole(1), 3),
  'steps': _Field('a whole number from 0 on', _whole(0), 0),
}
_GRIDS = _Field('tables, [[grid]]', _listed(dict))
_BLOCK = {
  'datasets': _Field('a list of names or paths', _listed(_text)),
  'methods': _Field(
    'a list of methods', _listed(_METHOD), tuple(recipe.METHODS)
  ),
  'ipc': _Field('a list of whole numbers from 1 on', _listed(_whole(1))),
  'seeds': _Field('a list of whole numbers from 0 on', _listed(_whole(0))),
  'seconds': _Field('a number above 0', _seconds),
}
