"""What there is to choose from, as text: `dd-jax list`."""

import importlib
import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from dd_jax import recipes
from dd_jax.evaluation.protocols import PROTOCOLS
from dd_jax.kernels import KERNELS
from dd_jax.methods import METHODS
from dd_jax.networks import NETWORKS
from dd_jax.parameterization import PARAMETERIZATIONS
from dd_jax.run import fields, recipe

_PARTS: dict[str, tuple[str, Mapping[str, Callable[..., Any]]]] = {
  'networks': ('network', NETWORKS),
  'kernels': ('kernel', KERNELS),
  'parameterizations': ('parameterization', PARAMETERIZATIONS),
}
"""The section of a configuration that each has, and the registry."""


def kinds() -> dict[str, Iterable[str]]:
  """The names that there are of each kind."""
  return {
    'methods': METHODS,
    'recipes': recipes.names(),
    'protocols': PROTOCOLS,
    **{kind: registry for kind, (_, registry) in _PARTS.items()},
    'fields': fields.flat(recipe.default()),
  }


def lines(kind: str) -> list[str]:
  """A line for each of a kind.

  Args:
    kind: a key of `kinds`.
  """
  if kind == 'fields':
    return field_lines(recipe.default())
  about = {name: _summary(kind, name) for name in kinds()[kind]}
  width = max(map(len, about))
  return [f'{name:<{width}}  {text}'.rstrip() for name, text in about.items()]


def detail(kind: str, name: str) -> list[str]:
  """All that is known of one: its docstring, its fields, its settings.

  Args:
    kind: a key of `kinds`.
    name: one of that kind.
  """
  if kind == 'fields':
    return [f'{name}: {_plain(_meaning(name, recipe.default()))}']
  if kind == 'recipes':
    return (_recipe(name).__doc__ or '').strip().splitlines()
  if kind == 'methods':
    config = recipe.default(name)
    return [f'{METHODS[name].summary}.', '', *field_lines(config)]
  if kind in _PARTS:
    section, registry = _PARTS[kind]
    config = recipe.update(recipe.default(), {section: {'name': name}})
    own = {section: config[section]}
    return [_doc(registry[name]), '', *field_lines(own)]
  return [_doc(PROTOCOLS[name])]


def field_lines(config: recipe.Config) -> list[str]:
  """Every field of a configuration: type, value and what it is.

  Args:
    config: whole, or a section of one under its name.
  """
  rows = [
    (f'{n} ({fields.kind(v)})', fields.text(v), _plain(_meaning(n, config)))
    for n, v in fields.flat(config).items()
  ]
  width = max(len(head) for head, _, _ in rows)
  return [f'{h:<{width}} = {v}  {about}'.rstrip() for h, v, about in rows]


def _meaning(field: str, config: recipe.Config) -> str:
  """What a field is: of all runs, or what its factory says of the setting."""
  if field in fields.FIELDS:
    return fields.described(field)
  section, _, name = field.rpartition('.')
  factory = _factory(section, config)
  return fields.arguments(factory).get(name, '') if factory else ''


def _factory(section: str, config: recipe.Config) -> Callable[..., Any] | None:
  if section == 'method':
    return METHODS[config['method']['name']].factory
  for own, registry in _PARTS.values():
    if section == own:
      return registry[config[section]['name']]
  return None


def _summary(kind: str, name: str) -> str:
  if kind == 'methods':
    return METHODS[name].summary
  if kind == 'recipes':
    return _first(_recipe(name).__doc__)
  registry = PROTOCOLS if kind == 'protocols' else _PARTS[kind][1]
  return _first(_doc(registry[name]))


def _recipe(name: str) -> Any:
  return importlib.import_module(f'dd_jax.recipes.{name.replace("/", ".")}')


def _doc(thing: Any) -> str:
  """A docstring down to its sections."""
  text = inspect.getdoc(getattr(thing, 'func', thing)) or ''
  return text.partition('\nArgs:\n')[0].strip()


def _first(text: str | None) -> str:
  return _plain((text or '').partition('\n')[0])


def _plain(text: str) -> str:
  return text.replace('`', '')
