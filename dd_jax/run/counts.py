"""How many images of each class a run makes: `ipc`, `total` or `counts`."""

import collections
import csv
import inspect
import json
import pathlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from dd_jax.checks import check_name
from dd_jax.methods import METHODS
from dd_jax.parameterization import PARAMETERIZATIONS
from dd_jax.parameterization.per_class import PerClass
from dd_jax.run.recipe import Config, changed
from dd_jax.types import UserError


def read(path: str) -> tuple[str, ...]:
  """The field `counts` of a file: `NAME=NUMBER` for each class.

  Args:
    path: a JSON object of numbers by class name, or CSV rows `name,number`, by
      choice under a header.

  Raises:
    UserError: there is no such file, or it is something else.
  """
  file = pathlib.Path(path)
  readers = {'.json': _json, '.csv': _csv}
  if file.suffix not in readers:
    raise UserError(f'--counts={path}: must be a .json or a .csv file')
  try:
    found = readers[file.suffix](file.read_text())
    return tuple(f'{name}={int(str(count))}' for name, count in found)
  except (OSError, UnicodeDecodeError) as error:
    raise UserError(f'--counts={path}: cannot be read ({error})') from None
  except ValueError:
    raise UserError(
      f'--counts={path}: must hold a whole number for each class name, as '
      '{"cat": 3, "dog": 5} in JSON, or as rows cat,3 in CSV'
    ) from None


def decided(config: Config, names: Sequence[str]) -> Config:
  """`config` with its `total` and its `counts` as images of each class.

  Where they are as many of each, `ipc` alone says so; else `counts` names every
  class in label order, and `ipc` is the mean, rounded: what depends on a set's
  size goes by that.

  Args:
    config: left as it is.
    names: of the classes, in label order.

  Raises:
    UserError: a number for no class, none for one, or too few; or the method
      makes as many images of each class.
  """
  if not (config['total'] or config['counts']):
    return config
  each = _spread(config, names) if config['total'] else _named(config, names)
  if len(set(each)) == 1:
    return changed(config, {'ipc': each[0], 'total': 0, 'counts': ()})
  _check_holds(config)
  told = [f'{name}={n}' for name, n in zip(names, each, strict=True)]
  mean = max(1, round(sum(each) / len(each)))
  return changed(config, {'ipc': mean, 'total': 0, 'counts': tuple(told)})


def per_class(config: Config) -> PerClass:
  """Images per class, or those of each, of a configuration that is decided."""
  each = tuple(n for _, n in _pairs(config))
  return each or config['ipc']


def ipc(config: Config) -> int | None:
  """Images per class; None where they differ."""
  each = per_class(config)
  return each if isinstance(each, int) else None


def by_class(config: Config) -> dict[str, Any]:
  """The field `images_by_class` of a record, where they differ."""
  each = per_class(config)
  return {} if isinstance(each, int) else {'images_by_class': list(each)}


def told(config: Config) -> str:
  """In words, every class by its name where they differ."""
  if not config.get('counts'):  # a record leaves out what is empty
    plural = '' if config['ipc'] == 1 else 's'
    return f'{config["ipc"]} image{plural} per class'
  groups: dict[int, list[str]] = {}
  for name, count in _pairs(config):
    groups.setdefault(count, []).append(name)
  whole = sum(count for _, count in _pairs(config))
  parts = [f'{n} of {", ".join(groups[n])}' for n in sorted(groups)[::-1]]
  return f'{whole:,} images, {"; ".join(parts)}'


def _pairs(config: Config) -> Iterator[tuple[str, int]]:
  """Class names and numbers, as `counts` has them."""
  for text in config['counts']:
    name, _, count = text.rpartition('=')
    if not (name and count.isdecimal() and int(count)):
      raise UserError(
        f'counts={text!r}: must be NAME=NUMBER, of 1 image and more'
      )
    yield name, int(count)


def _spread(config: Config, names: Sequence[str]) -> list[int]:
  """As evenly as may be: the first classes have one more."""
  total, classes = config['total'], len(names)
  if total < classes:
    raise UserError(
      f'--total={total}: allowed are {classes} and more, an image of each of '
      f'the {classes} classes; fewer are --config.parameterization.name=few'
    )
  least, more = divmod(total, classes)
  return [least + (c < more) for c in range(classes)]


def _named(config: Config, names: Sequence[str]) -> list[int]:
  """Those of each class, by its name."""
  pairs = list(_pairs(config))
  found, times = dict(pairs), collections.Counter(name for name, _ in pairs)
  for name in found:
    check_name('counts', name, names)
  for name in found:
    if times[name] > 1:
      raise UserError(f'counts: the class {name!r} has more than one number')
  missing = [name for name in names if name not in found]
  if missing:
    raise UserError(f'counts: no number for the class {missing[0]!r}')
  return [found[name] for name in names]


def _check_holds(config: Config) -> None:
  """Refuses what makes as many images of each class."""
  for name, factory in _makers(config):
    if not _holds(factory):
      raise UserError(
        f'{name}: makes as many images of each class, so --total must be a '
        'multiple of their number and --counts one number; or choose a method '
        'that does not compare class by class, such as kip, frepo or mtt'
      )


def _makers(config: Config) -> Iterator[tuple[str, Callable[..., Any]]]:
  """What makes the images of a run, by name."""
  name = config['method']['name']
  method = METHODS[name].factory
  wanted = inspect.signature(method).parameters
  if 'ipc' in wanted or 'parameterization' not in wanted:
    yield name, method
  if 'parameterization' in wanted:
    name = config['parameterization']['name']
    yield name, PARAMETERIZATIONS[name]


def _holds(factory: Callable[..., Any]) -> bool:
  """Whether it takes another number for each class."""
  found = inspect.signature(factory).parameters.get('ipc')
  return found is not None and found.annotation == PerClass


def _json(text: str) -> list[tuple[str, Any]]:
  found = json.loads(text, object_pairs_hook=tuple)  # a name may stand twice
  if not isinstance(found, tuple):
    raise ValueError
  return list(found)


def _csv(text: str) -> list[tuple[str, Any]]:
  rows = [tuple(map(str.strip, row)) for row in csv.reader(text.splitlines())]
  rows = [row for row in rows if any(row)]
  if rows and not rows[0][-1].isdecimal():
    rows = rows[1:]  # a header
  return [(name, count) for name, count in rows]
