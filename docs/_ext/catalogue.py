"""The parts of pages that are made from the code, as Markdown.

Registries, signatures and docstrings are the only source, so nothing here can
fall behind them.
"""

import importlib
import inspect
import itertools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from docstrings import blocks

import dd_jax
from dd_jax import unroll
from dd_jax.data import fitting
from dd_jax.evaluation import metrics
from dd_jax.evaluation import protocols as evaluation_protocols
from dd_jax.evaluation.protocols import PROTOCOLS
from dd_jax.kernels import KERNELS
from dd_jax.methods import METHODS
from dd_jax.networks import NETWORKS
from dd_jax.parameterization import PARAMETERIZATIONS, STARTS
from dd_jax.recipes import FOLDER
from dd_jax.run import recipe
from dd_jax.run.fields import arguments, described, flat, kind, listed, text
from dd_jax.types import UserError

_ARXIV = re.compile(r'arXiv (\d{4}\.\d{5})')
_MATH = re.compile(r'^\.\. math::(.*(?:\n(?: .*)?)*)', re.MULTILINE)
_OWN_LINE = re.compile(r'\n(Cost\b|Step size:)')  # begins a paragraph
_IPCS = (1, 10, 50)


def parts() -> dict[str, str]:
  """Markdown by the name of the part."""
  return {
    'fields': fields(),
    'kernels': factories('kernel', KERNELS),
    'method_table': method_table(),
    'methods': methods(),
    'metrics': _pipes(metrics.__doc__),
    'networks': factories('network', NETWORKS),
    'parameterizations': factories('parameterization', PARAMETERIZATIONS),
    'picture': prose(dd_jax).partition('\n\n')[2],
    'plans': _pipes(unroll.__doc__),
    'preprocessings': _pipes(fitting.__doc__),
    'protocol_table': protocol_table(),
    'protocols': protocols(),
    'published': recipes('published'),
    'recipe_table': recipe_table(),
    'recipes': recipes(''),
    'starts': starts(),
  }


# Methods and other named parts.


def method_table() -> str:
  """Every method with its one line."""
  rows = [(f'[`{n}`](#method-{n})', m.summary) for n, m in METHODS.items()]
  return table(('`--method`', 'what it does'), rows)


def methods() -> str:
  """Every method: its settings, the parts it takes, what it changes."""
  return '\n'.join(_method(name) for name in METHODS)


def _method(name: str) -> str:
  chosen = METHODS[name]
  factory, taken = _unwrapped(chosen.factory), _parameters(chosen.factory)
  whole = recipe.default(name)
  own = {k: v for k, v in whole['method'].items() if k != 'name'}
  used = [p for p in taken if p not in own and p != 'select']
  changed = flat(chosen.recipe)
  out = [f'(method-{name})=', f'## {name}', '', f'{_linked(chosen.summary)}.']
  if used:
    out += ['', f'Takes: {listed(used)}.']
  if own:
    out += ['', setting_table(factory, own, 'method')]
  if changed:
    out += ['', 'Over the common defaults:', '', value_table(changed)]
  return '\n'.join([*out, ''])


def factories(section: str, registry: Mapping[str, Callable[..., Any]]) -> str:
  """Every factory of a registry: its summary and its settings."""
  return '\n'.join(
    _factory(section, name, factory) for name, factory in registry.items()
  )


def _factory(section: str, name: str, factory: Callable[..., Any]) -> str:
  chosen = recipe.update(recipe.default(), {section: {'name': name}})[section]
  shared = recipe.COMMON[section]
  own = {k: v for k, v in chosen.items() if k not in shared}
  out = [f'({section}-{name})=', f'## {name}', '', prose(factory)]
  if own:
    out += ['', setting_table(factory, own, section)]
  return '\n'.join([*out, ''])


def starts() -> str:
  """What images can start from, by name."""
  rows = [(f'`{name}`', summary(start)) for name, start in STARTS.items()]
  return table(('`start`', 'images'), rows)


# Fields of a configuration.


def fields() -> str:
  """Every field that all runs have, section by section."""
  defaults, out = flat(recipe.COMMON), []
  for section, group in itertools.groupby(defaults, _section):
    out += [f'## {section}', '']
    rows = [
      (f'`{f}`', kind(defaults[f]), value(defaults[f]), described(f))
      for f in group
    ]
    out += [table(('field', 'type', 'default', 'what it is'), rows), '']
  return '\n'.join(out)


def _section(field: str) -> str:
  return field.rpartition('.')[0] or 'run'


# Protocols.


def protocol_table() -> str:
  """The table in the docstring of the protocols, with links."""
  text = _pipes(evaluation_protocols.__doc__)
  return re.sub(r'^\| `([\w-]+)`', r'| [`\1`](#protocol-\1)', text, flags=re.M)


def protocols() -> str:
  """Every protocol with its docstring."""
  out = []
  for name, factory in PROTOCOLS.items():
    out += [f'(protocol-{name})=', f'## {name}', '', prose(factory), '']
  return '\n'.join(out)


# Recipe files.


def files(folder: str) -> list[Any]:
  """The recipe modules of a folder below `dd_jax/recipes`."""
  place = FOLDER / folder
  found = sorted(p for p in place.glob('*.py') if p.name[0] != '_')
  dots = f'dd_jax.recipes.{folder}.' if folder else 'dd_jax.recipes.'
  return [importlib.import_module(dots + path.stem) for path in found]


def recipe_table() -> str:
  """The recipes of this repository: method, set, size, steps."""
  rows = []
  for module in files(''):
    config = module.get_config().to_dict()
    name = _stem(module)
    rows.append(
      (
        f'[`{name}`](#recipe-{name})',
        f'`{config["method"]["name"]}`',
        config['dataset'],
        str(config['ipc']),
        f'{config["num_steps"]:,}',
        f'`{config["evaluation"]["protocol"]}`',
      )
    )
  heads = ('recipe', 'method', 'set', 'ipc', 'steps', 'protocol')
  return table(heads, rows)


def recipes(folder: str) -> str:
  """Every recipe of a folder: its docstring, as it stands, and its settings."""
  return '\n'.join(_recipe(module, folder) for module in files(folder))


def _recipe(module: Any, folder: str) -> str:
  first, _, rest = inspect.getdoc(module).partition('\n')
  name, mark = _stem(module), folder or 'recipe'
  return '\n'.join(
    [
      f'({mark}-{name})=',
      f'## {name}',
      '',
      f'**{_linked(first)}**',
      _linked(_OWN_LINE.sub(r'\n\n\1', rest)),
      '',
      settings(module),
      '',
    ]
  )


def settings(module: Any) -> str:
  """What a recipe file changes of its method's defaults, folded away."""
  found = dict(_variants(module))
  method = _method_of(found)
  plain = flat(recipe.default(method))
  changes = {k: difference(flat(c), plain) for k, c in found.items()}
  names = dict.fromkeys(itertools.chain(*changes.values()))
  names = [n for n in names if n not in ('dataset', 'ipc')]
  held = {
    k: {n: c.get(n, plain.get(n)) for n in names} for k, c in changes.items()
  }
  first = next(iter(held.values()))
  varied = [n for n in names if any(h[n] != first[n] for h in held.values())]
  same = {n: first[n] for n in names if n not in varied}
  out = ['<details>', '<summary>Settings</summary>', '']
  out += [f'Those of [{method}](#method-{method}){", with" if names else ""}']
  out += ['', value_table(same)] if same else []
  if hasattr(module, 'DATASETS'):
    out += ['', _variant_table(held, varied)]
  return '\n'.join([*out, '', '</details>'])


def _variants(module: Any) -> Iterator[tuple[tuple[str, int], dict[str, Any]]]:
  """Configurations by data set and images per class."""
  if not hasattr(module, 'DATASETS'):
    config = module.get_config().to_dict()
    yield (config['dataset'], config['ipc']), config
    return
  for dataset, ipc in itertools.product(module.DATASETS, _IPCS):
    try:
      yield (dataset, ipc), module.get_config(dataset, ipc).to_dict()
    except UserError:  # not published
      continue


def _variant_table(
  held: Mapping[tuple[str, int], Mapping[str, Any]], varied: Sequence[str]
) -> str:
  """A row for each data set, or more where its sizes differ in settings."""
  rows: dict[tuple[str, ...], list[str]] = {}
  for (dataset, ipc), fields in held.items():
    row = (dataset, *(value(fields[n]) for n in varied))
    rows.setdefault(row, []).append(str(ipc))
  lines = [(row[0], ', '.join(ipcs), *row[1:]) for row, ipcs in rows.items()]
  return table(('set', 'ipc', *(f'`{n}`' for n in varied)), lines)


def _method_of(found: Mapping[tuple[str, int], Mapping[str, Any]]) -> str:
  name: str = next(iter(found.values()))['method']['name']
  return name


def _stem(module: Any) -> str:
  name: str = module.__name__.rpartition('.')[2]
  return name


# Docstrings.


def summary(thing: Any) -> str:
  """The first line of a docstring."""
  return (inspect.getdoc(_unwrapped(thing)) or '').partition('\n')[0]


def prose(thing: Any) -> str:
  """A docstring down to its first section."""
  text = inspect.getdoc(_unwrapped(thing)) or ''
  return markdown(re.split(r'\n(?:Args|Raises|Returns):\n', text)[0].strip())


def markdown(text: str) -> str:
  """A docstring, its formulas and what stands as it is as Markdown has them."""
  return _linked('\n'.join(_block(*held) for held in blocks(text.split('\n'))))


def _block(kind: str, lines: list[str]) -> str:
  text = '\n'.join(lines)
  if kind == 'verbatim':
    return f'```text\n{inspect.cleandoc(text)}\n```\n'
  if kind == 'directive':
    return _MATH.sub(
      lambda m: f'$$\n{inspect.cleandoc(m.group(1))}\n$$\n', text
    )
  return text


def _formula(found: re.Match[str]) -> str:
  return f'$$\n{inspect.cleandoc(found.group(1))}\n$$\n'


def _pipes(text: str | None) -> str:
  """The table in a docstring."""
  lines = (text or '').splitlines()
  return '\n'.join(line for line in lines if line.startswith('|'))


def _linked(text: str) -> str:
  return _ARXIV.sub(r'[arXiv \1](https://arxiv.org/abs/\1)', text)


def _unwrapped(thing: Any) -> Any:
  return getattr(thing, 'func', thing)


def _parameters(factory: Callable[..., Any]) -> list[str]:
  return list(inspect.signature(factory).parameters)


# Values.


def difference(
  changed: Mapping[str, Any], plain: Mapping[str, Any]
) -> dict[str, Any]:
  """The fields whose values differ, or that are new."""
  absent = object()
  return {k: v for k, v in changed.items() if plain.get(k, absent) != v}


def setting_table(
  factory: Callable[..., Any], own: Mapping[str, Any], section: str
) -> str:
  """Settings with their types, defaults and what the docstring says."""
  said = arguments(factory)
  rows = [
    (f'`{section}.{k}`', kind(v), value(v), _linked(said.get(k, '')))
    for k, v in own.items()
  ]
  return table(('field', 'type', 'default', 'what it is'), rows)


def value_table(values: Mapping[str, Any]) -> str:
  """Fields and their values."""
  rows = [(f'`{k}`', value(v)) for k, v in values.items()]
  return table(('field', 'value'), rows)


def value(held: Any) -> str:
  """A value as `--config.FIELD=` takes it."""
  shown = text(held)
  return f'`{shown}`' if shown else '(empty)'


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
  """A table of pipes."""
  lines = [heads, ['---'] * len(heads), *rows]
  cells = ([cell.replace('|', '\\|') for cell in line] for line in lines)
  return '\n'.join(f'| {" | ".join(line)} |' for line in cells)
