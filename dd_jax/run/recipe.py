"""A run as nested plain values, and the schema that they must have.

The signatures of the factories are the schema: a setting of a method, network,
kernel or parameterization is a keyword parameter with a plain default, and its
field in the configuration has the same name. Nothing is written twice, and an
unknown field is refused with the nearest right name.
"""

import copy
import difflib
import inspect
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any

from dd_jax import experts
from dd_jax.checks import check_name
from dd_jax.evaluation.protocols import PROTOCOLS
from dd_jax.kernels import KERNELS, Ridge
from dd_jax.methods import METHODS, baselines
from dd_jax.methods.selection import SELECTIONS
from dd_jax.networks import NETWORKS
from dd_jax.parameterization import PARAMETERIZATIONS
from dd_jax.types import UserError

__all__ = ['METHODS', 'NETWORKS', 'PROTOCOLS', 'SELECTIONS', 'Config']

Config = dict[str, Any]
"""Nested dicts of int, float, bool, str and tuples of str."""

COMMON: Config = {
  'dataset': 'digits',
  'data_dir': '',  # where TFDS keeps its data
  'image_size': 0,
  'range': (),  # the values of black and of white; found where not stated
  'classes': (),  # these alone
  'validation': 0.0,  # held out of train: a count, or a share below 1
  'preprocessing': 'standardise',
  'label_encoding': 'one-hot',
  'ipc': 10,
  'total': 0,  # images in all, in place of ipc
  'counts': (),  # NAME=NUMBER of each class, likewise
  'seed': 0,
  'num_steps': 1000,  # -1: one sweep of the training data
  'minutes': 0.0,  # of the whole run, from which num_steps is found; 0: it says
  'validate_every': 100,
  'method': {'name': 'kip'},
  'parameterization': {
    'name': 'pixels',
    'start': 'real',
    'labels': 'free',
    'label_rule': 'plain',
  },
  'kernel': {'name': 'dense', 'get': 'ntk'},
  'network': {'name': 'convnet'},
  'optimizer': {
    'name': 'adam',
    'learning_rate': 1e-2,
    'schedule': 'constant',
    'final': 0.0,
    'momentum': 0.0,  # this and the next for sgd alone
    'weight_decay': 0.0,
  },
  'inner_optimizer': {
    'name': 'adam',
    'learning_rate': 3e-4,
    'schedule': 'constant',
    'final': 0.0,
    'momentum': 0.0,
    'weight_decay': 0.0,
  },
  'augment': 'none',
  'experts': {
    'store': '',  # a folder of trained ones; by default trained and cached
    'count': 10,
    'epochs': 0,  # as many as are read
    'epoch_steps': 0,  # one pass of the training data
    'batch_size': 256,
    'step_size': 1e-2,
    'momentum': 0.0,
    'augment': 'none',
    'rho': 0.0,  # of FTD's flat minima, as is the next
    'alpha': 0.0,
    'keep_last': False,  # the trained ones too: soft labels need them
    'at_once': 10,
  },
  'evaluation': {
    'protocol': 'dc',
    'others': (),
    'learners': 5,
    'network': {'name': ''},
    'steps': 0,
    'networks': 16,
    'mirror': '',
    'features': 'pixels',
    'baselines': ('random', 'herding', 'kmeans'),
    'whole': 'auto',
    'labels': 'own',
    'teacher': {'network': 'convnet', 'steps': 0, 'temperature': 1.0},
    'metrics': (),
    'metric_examples': 1000,
    'attack': 8.0,  # 255ths
    'validation_learners': 1,
    'validation_steps': 0,
    'validation_examples': 0,
  },
}
"""Every run has these fields; zero and '' stand for "the default rule"."""

PARTS = (
  'parameterization',
  'kernel',
  'network',
  'teacher',
  'optimizer',
  'inner_optimizer',
  'augment',
  'inner_augment',
  'target_augment',
  'start',
  'encoding',
  'into_range',
  'features',
  'ipc',
  'image_shape',
  'num_classes',
  'report',
)
"""Parameters of a factory that are given a part, and so are no settings."""

_FACTORIES: dict[str, Mapping[str, Callable[..., Any]]] = {
  'parameterization': PARAMETERIZATIONS,
  'kernel': KERNELS,
  'network': NETWORKS,
  'teacher': NETWORKS,  # a second one, where a method takes it
}
_PLAIN = (int, float, bool, str)


def default(method: str = 'kip') -> Config:
  """The complete configuration of a method, with the paper's settings.

  Raises:
    UserError: there is no such method.
  """
  check_name('method', method, METHODS)
  config = copied(COMMON)
  config['method'] = {'name': method, **settings(METHODS[method].factory)}
  if takes(method, 'teacher'):
    config['teacher'] = dict(COMMON['network'])
  for section in _sections(config):
    _rename(config, section, config[section]['name'])
  return update(config, METHODS[method].recipe)


def update(config: Config, changes: Mapping[str, Any]) -> Config:
  """Changes fields of `config` in place, and returns it.

  Choosing another `name` for a part brings that part's own settings with it.

  Args:
    config: as `default` makes it.
    changes: nested; every field must exist.

  Raises:
    UserError: an unknown field or a value of another type.
  """
  method = config['method']['name']
  if _name_in(changes, 'method') not in (None, method):
    raise UserError(
      f'config.method.name={changes["method"]["name"]!r}: these are the '
      f'settings of {method}; choose another with --method'
    )
  for section in _sections(config):
    name = _name_in(changes, section)
    if name is not None:
      _rename(config, section, name)
  learner = _name_in(changes, 'evaluation', 'network')
  if learner:
    check_name('evaluation.network.name', learner, NETWORKS)
    config['evaluation']['network'] = {
      'name': learner,
      **settings(NETWORKS[learner]),
    }
  _merge(config, changes, '')
  return config


def nested(field: str, value: Any) -> Config:
  """The change of one field by its dotted name, as `update` takes it."""
  for part in reversed(field.split('.')):
    value = {part: value}
  return value


def changed(config: Config, changes: Mapping[str, Any]) -> Config:
  """A copy of `config` with `changes`; see `update`."""
  return update(copied(config), changes)


def copied(config: Config) -> Config:
  """A configuration of its own, to be changed."""
  return copy.deepcopy(config)


def settings(factory: Callable[..., Any]) -> Config:
  """The plain keyword parameters of a factory and their defaults.

  A `Ridge` shows as its value, a size that may be None as 0.
  """
  found: Config = {}
  for name, parameter in inspect.signature(factory).parameters.items():
    value = parameter.default
    if name in PARTS or value is inspect.Parameter.empty:
      continue
    if isinstance(value, Ridge):
      found[name] = value.value
    elif isinstance(value, _PLAIN):
      found[name] = value
    elif value is None and _optional_int(parameter.annotation):
      found[name] = 0
  return found


def converted(factory: Callable[..., Any], section: Config) -> Config:
  """The settings of a section as their factory wants them."""
  parameters = inspect.signature(factory).parameters
  return {
    name: _convert(section[name], parameter.default)
    for name, parameter in parameters.items()
    if name in section and name not in PARTS
  }


def factories(config: Config) -> dict[str, Callable[..., Any]]:
  """What makes each part of a run, by the section of its settings."""
  made = {k: _FACTORIES[k][config[k]['name']] for k in _sections(config)}
  return {'method': METHODS[config['method']['name']].factory, **made}


def _convert(value: Any, default: Any) -> Any:
  if isinstance(default, Ridge):
    return default._replace(value=value)
  return None if default is None and value == 0 else value


def expert_span(config: Config) -> experts.Span | None:
  """The epochs of experts that a method reads; None if it reads no experts."""
  method = config['method']
  if 'expert_epochs' not in method:
    return None
  return experts.Span(
    method.get('min_start', 0),
    method.get('max_start', 1),
    method['expert_epochs'],
    method.get('expert_labels', False),
  )


def expert_epochs(config: Config) -> int:
  """How long experts are trained.

  Raises:
    UserError: not as long as the method reads.
  """
  span, asked = expert_span(config), config['experts']['epochs']
  if span is None:
    return asked or 1
  if asked and span.end > asked:
    raise UserError(
      f'max_start={span.stop} with expert_epochs={span.length} reads epochs up '
      f'to {span.end}: experts.epochs={asked} must be {span.end} and more'
    )
  return asked or span.end


def decoder(config: Config) -> Config:
  """What `artifact.decode` needs to know of a factorised set."""
  section = config['parameterization']
  return {
    'name': section['name'],
    'ipc': config['ipc'],
    'settings': converted(PARAMETERIZATIONS[section['name']], section),
  }


def learns_labels(config: Config) -> bool:
  """Whether the labels of a set are among the numbers stored."""
  section = config['parameterization']
  known = settings(PARAMETERIZATIONS[section['name']])
  learned: bool = 'labels' in known and section['labels'] != 'fixed'
  return learned and config['method']['name'] not in baselines()


def takes_parameterization(method: str) -> bool:
  """Whether images may be factorised: not where a method chooses them."""
  changes = METHODS[method].recipe
  if not changes.get('parameterization', {}).get('learn_images', True):
    return False
  return takes(method, 'parameterization')


def takes(method: str, part: str) -> bool:
  """Whether a method is given a part, such as `network` or `optimizer`."""
  return part in inspect.signature(METHODS[method].factory).parameters


def _optional_int(annotation: Any) -> bool:
  union = isinstance(annotation, types.UnionType)
  return union and int in typing.get_args(annotation)


def _name_in(changes: Mapping[str, Any], *path: str) -> Any:
  """The name that `changes` give to a part, or None."""
  found: Any = changes
  for field in (*path, 'name'):
    found = found.get(field) if isinstance(found, Mapping) else None
  return found


def _sections(config: Config) -> list[str]:
  """The parts that have settings of their own."""
  return [section for section in _FACTORIES if section in config]


def _rename(config: Config, section: str, name: str) -> None:
  """Gives a part another factory, with that one's own settings."""
  check_name(f'{section}.name', name, _FACTORIES[section])
  kept = {k: config[section][k] for k in COMMON.get(section, ())}
  fresh = settings(_FACTORIES[section][name])
  config[section] = {**fresh, **kept, 'name': name}


def _merge(config: Config, changes: Mapping[str, Any], path: str) -> None:
  for field, value in changes.items():
    full = f'{path}{field}'
    if field not in config:
      raise UserError(_unknown_field(full, field, config))
    old = config[field]
    if not isinstance(old, dict):
      config[field] = _checked(full, value, old)
    elif isinstance(value, Mapping):
      _merge(old, value, f'{full}.')
    else:
      raise UserError(f'config.{full}={value!r}: is a group of fields')


def _checked(field: str, value: Any, old: Any) -> Any:
  """`value` in the type of the field's present value."""
  if isinstance(value, bool) == isinstance(old, bool):
    if isinstance(value, type(old)):
      return value
    if isinstance(old, float) and isinstance(value, int):
      return float(value)
    if isinstance(old, tuple) and isinstance(value, list):
      return tuple(value)
  kind = type(old).__name__
  raise UserError(f'config.{field}={value!r}: must be {kind}, like {old!r}')


def _unknown_field(full: str, field: str, config: Config) -> str:
  section, _, rest = full.partition('.')
  known = {k: m.factory for k, m in METHODS.items()}
  made = {'method': known, **_FACTORIES}.get(section, {}) if rest else {}
  owners = [name for name in made if field in settings(made[name])]
  if owners:
    return (
      f'config.{full}: {config["name"]} has no such field; of {section} have '
      f'it: {", ".join(owners)}'
    )
  near = difflib.get_close_matches(field, config, 1, 0.4)
  hint = f' (did you mean {near[0]}?)' if near else ''
  names = ', '.join(sorted(config))
  return f'config.{full}: unknown field{hint}; allowed here are {names}'
