"""A run as nested plain values, and the objects that they name.

The signatures of the factories are the schema: a setting of a method, network,
kernel or parameterization is a keyword parameter with a plain default, and its
field in the configuration has the same name. Nothing is written twice, and an
unknown field is refused with the nearest right name.
"""

import contextlib
import copy
import difflib
import functools
import inspect
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import optax

from dd_jax import artifact, augment, experts
from dd_jax.artifact import Artifact
from dd_jax.checks import check_name
from dd_jax.data.labels import LabelEncoding, label_encoding
from dd_jax.distiller import Distiller
from dd_jax.evaluation.protocols import PROTOCOLS
from dd_jax.kernels import KERNELS, Ridge
from dd_jax.methods import METHODS
from dd_jax.methods.selection import SELECTIONS
from dd_jax.networks import NETWORKS, Network
from dd_jax.parameterization import (
  PARAMETERIZATIONS,
  STARTS,
  Parameterization,
  Start,
  from_distilled,
  starting_labels,
)
from dd_jax.types import Augment, DistilledData, Kernel, UserError

__all__ = ['METHODS', 'NETWORKS', 'PROTOCOLS', 'SELECTIONS', 'Config']

Config = dict[str, Any]
"""Nested dicts of int, float, bool, str and tuples of str."""

COMMON: Config = {
  'dataset': 'digits',
  'data_dir': '',  # where TFDS keeps its data
  'image_size': 0,
  'validation': 0.0,  # held out of train: a count, or a share below 1
  'preprocessing': 'standardise',
  'label_encoding': 'one-hot',
  'ipc': 10,
  'seed': 0,
  'num_steps': 1000,  # -1: one sweep of the training data
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
    'features': 'pixels',
    'baselines': ('random', 'herding', 'kmeans'),
    'validation_learners': 1,
    'validation_steps': 0,
    'validation_examples': 0,
  },
}
"""Every run has these fields; zero and '' stand for "the default rule"."""

_FACTORIES: dict[str, Mapping[str, Callable[..., Any]]] = {
  'parameterization': PARAMETERIZATIONS,
  'kernel': KERNELS,
  'network': NETWORKS,
}
_OPTIMIZERS = {
  'adam': optax.adam,
  'adabelief': optax.adabelief,
  'lamb': optax.lamb,
  'sgd': optax.sgd,
  # Differentiable where a gradient is zero: for unrolled training.
  'smooth_adam': functools.partial(optax.adam, eps_root=1e-12),
}
_PLAIN = (int, float, bool, str)
_each_its_own = functools.partial(augment.dsa, siamese=False)
_HALVINGS = (0.6, 0.8, 0.9)  # where the rate halves, of all steps (CAFE)


class Setting(NamedTuple):
  """What the objects of a run depend on besides its configuration.

  Attributes:
    image_shape: `(h, w, c)`.
    num_classes: `k`.
    features: what a selection measures distances in, or None.
    start: the set that the run starts from (see `started_from`), or None.
  """

  image_shape: tuple[int, int, int]
  num_classes: int
  features: Callable[..., Any] | None = None
  start: DistilledData | None = None


def default(method: str = 'kip') -> Config:
  """The complete configuration of a method, with the paper's settings.

  Raises:
    UserError: there is no such method.
  """
  check_name('method', method, METHODS)
  config = copy.deepcopy(COMMON)
  config['method'] = {'name': method, **settings(METHODS[method].factory)}
  for section in _FACTORIES:
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
  for section in _FACTORIES:
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


def build(config: Config, setting: Setting) -> Distiller:
  """Makes the method that `config` describes.

  Raises:
    UserError: an unknown name or a value out of range.
  """
  section, factory = config['method'], METHODS[config['method']['name']].factory
  name = config['parameterization']['name']
  if name != 'pixels' and not takes_parameterization(section['name']):
    raise UserError(
      f'parameterization.name={name!r}: {section["name"]} has images of its '
      "own, stored as they are; allowed is 'pixels'"
    )
  with _located('method', section):
    return _call(factory, section, config, setting)


def build_network(section: Config, setting: Setting) -> Network:
  """Makes the learner of a `network` section."""
  check_name('network.name', section['name'], NETWORKS)
  factory = NETWORKS[section['name']]
  real = {
    'image_shape': setting.image_shape,
    'num_classes': setting.num_classes,
  }
  return factory(**real, **_converted(factory, section))


def build_kernel(section: Config, get: str | None = None) -> Kernel:
  """Makes the kernel of a `kernel` section, by choice another of its kinds."""
  check_name('kernel.name', section['name'], KERNELS)
  factory = KERNELS[section['name']]
  return factory(
    **_converted(factory, {**section, 'get': get or section['get']})
  )


def build_optimizer(
  section: Config, num_steps: int
) -> optax.GradientTransformation:
  """Makes an optimiser with its schedule over `num_steps`."""
  check_name('optimizer.name', section['name'], _OPTIMIZERS)
  rate: Any = section['learning_rate']
  schedules = {
    'constant': lambda: rate,
    'cosine': lambda: optax.cosine_decay_schedule(
      rate, max(1, num_steps), section['final']
    ),
    'halving': lambda: optax.piecewise_constant_schedule(
      rate, {int(share * num_steps): 0.5 for share in _HALVINGS}
    ),
  }
  check_name('optimizer.schedule', section['schedule'], schedules)
  if not rate > 0:
    raise UserError(f'optimizer.learning_rate={rate}: must be above 0')
  schedule = schedules[section['schedule']]()
  if section['name'] == 'sgd':
    return _sgd(schedule, section['momentum'], section['weight_decay'])
  for field in ('momentum', 'weight_decay'):
    if section[field]:
      raise UserError(
        f'optimizer.{field}={section[field]}: only sgd has one, not '
        f'{section["name"]}'
      )
  return _OPTIMIZERS[section['name']](schedule)


def _sgd(
  schedule: optax.ScalarOrSchedule, momentum: float, weight_decay: float
) -> optax.GradientTransformation:
  """SGD as PyTorch has it: the decay is part of the gradient."""
  if not 0 <= momentum < 1:
    raise UserError(f'optimizer.momentum={momentum}: allowed are 0 to below 1')
  sgd = optax.sgd(schedule, momentum or None)
  if not weight_decay:
    return sgd
  return optax.chain(optax.add_decayed_weights(weight_decay), sgd)


def build_augment(
  text: str, strategy: Callable[[str], Augment] = augment.dsa
) -> Augment | None:
  """Makes an augmentation of `none`, `flip`, `dc`, or DSA operations.

  Args:
    text: the operations, joined by `_`; `dc` is what that protocol does to
      MNIST.
    strategy: how operations are drawn.
  """
  if text == 'none':
    return None
  if text == 'flip':
    return augment.flip
  if text == 'dc':
    return augment.dc_mnist()
  return strategy(text)


def build_experts(config: Config, setting: Setting) -> experts.Recipe:
  """Makes the recipe by which experts are trained.

  Raises:
    UserError: a value out of range.
  """
  section = config['experts']
  rate = section['step_size']
  if not rate > 0:
    raise UserError(f'experts.step_size={rate}: must be above 0')
  return experts.Recipe(
    build_network(config['network'], setting),
    _sgd(rate, section['momentum'], 0.0),
    section['count'],
    expert_epochs(config),
    section['epoch_steps'] or None,
    section['batch_size'],
    build_augment(section['augment'], _each_its_own),
    section['rho'],
    section['alpha'],
    section['at_once'],
  )


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


def started_from(config: Config) -> Artifact | None:
  """The artefact that a run starts from; None if it starts otherwise.

  Raises:
    UserError: its images or its labels are not what this run's would be.
  """
  name = config['parameterization']['start']
  if not name.endswith('.npz'):
    return None
  held = artifact.load(name)
  fields = {'preprocessing': held.preprocessing.name}
  if config['parameterization']['labels'] == 'free':
    fields['label_encoding'] = held.metadata['label_encoding']
  for field, value in fields.items():
    if config[field] != value:
      raise UserError(
        f'parameterization.start={name!r}: its {field} is {value!r}, this '
        f"run's is {config[field]!r}; both must be the same"
      )
  return held


def build_start(config: Config, setting: Setting) -> Start:
  """The start of `setting`, or one by name.

  Raises:
    UserError: an unknown name.
  """
  if setting.start:
    return from_distilled(setting.start)
  name = config['parameterization']['start']
  check_name('parameterization.start', name, STARTS)
  return STARTS[name]


def build_parameterization(
  config: Config, setting: Setting
) -> Parameterization:
  """Makes what the run learns.

  Free labels start from those of the set that the images start from.

  Raises:
    UserError: an unknown name, a value out of range, or too small a budget.
  """
  section = config['parameterization']
  check_name('parameterization.name', section['name'], PARAMETERIZATIONS)
  factory = PARAMETERIZATIONS[section['name']]
  with _located('parameterization', section):
    made: Parameterization = _call(factory, section, config, setting)
  free = section['labels'] == 'free' and 'labels' in settings(factory)
  if setting.start and free:
    return starting_labels(made, setting.start.label)
  return made


def notes(config: Config, setting: Setting) -> list[str]:
  """What the user and the report are told of what the run learns."""
  if not takes_parameterization(config['method']['name']):
    return []
  note = build_parameterization(config, setting).note
  return [note] if note else []


def decoder(config: Config) -> Config:
  """What `artifact.decode` needs to know of a factorised set."""
  section = config['parameterization']
  return {
    'name': section['name'],
    'ipc': config['ipc'],
    'settings': _converted(PARAMETERIZATIONS[section['name']], section),
  }


def learns_labels(config: Config) -> bool:
  """Whether the labels of a set are among the numbers stored."""
  section = config['parameterization']
  known = settings(PARAMETERIZATIONS[section['name']])
  learned: bool = 'labels' in known and section['labels'] != 'fixed'
  return learned and config['method']['name'] not in SELECTIONS


def takes_parameterization(method: str) -> bool:
  """Whether images may be factorised: not where a method chooses them."""
  factory, changes, _ = METHODS[method]
  if not changes.get('parameterization', {}).get('learn_images', True):
    return False
  return 'parameterization' in inspect.signature(factory).parameters


def _encoding(config: Config, setting: Setting) -> LabelEncoding:
  del setting
  return label_encoding(config['label_encoding'])


PARTS: dict[str, Callable[[Config, Setting], Any]] = {
  'parameterization': build_parameterization,
  'kernel': lambda c, s: build_kernel(c['kernel']),
  'network': lambda c, s: build_network(c['network'], s),
  'optimizer': lambda c, s: build_optimizer(c['optimizer'], c['num_steps']),
  'inner_optimizer': lambda c, s: build_optimizer(
    c['inner_optimizer'], c['num_steps']
  ),
  'augment': lambda c, s: build_augment(c['augment']),
  'inner_augment': lambda c, s: build_augment(c['augment'], _each_its_own),
  'target_augment': lambda c, s: build_augment(c['augment'], augment.composed),
  'start': build_start,
  'encoding': _encoding,
  'features': lambda c, s: s.features,
  'ipc': lambda c, s: c['ipc'],
  'image_shape': lambda c, s: s.image_shape,
  'num_classes': lambda c, s: s.num_classes,
}
"""What a factory's parameter of that name is given."""


def _call(
  factory: Callable[..., Any], section: Config, config: Config, setting: Setting
) -> Any:
  """Calls a factory with its parts built and its settings converted."""
  parts = {
    name: PARTS[name](config, setting)
    for name in inspect.signature(factory).parameters
    if name in PARTS
  }
  return factory(**parts, **_converted(factory, section))


def _converted(factory: Callable[..., Any], section: Config) -> Config:
  """The settings of a section as their factory wants them."""
  parameters = inspect.signature(factory).parameters
  return {
    name: _convert(section[name], parameter.default)
    for name, parameter in parameters.items()
    if name in section and name not in PARTS
  }


@contextlib.contextmanager
def _located(name: str, section: Config) -> Iterator[None]:
  """Says of a refused setting which section it stands in."""
  try:
    yield
  except UserError as error:
    field = str(error).partition('=')[0]
    raise UserError(f'{name}.{error}' if field in section else error) from None


def _convert(value: Any, default: Any) -> Any:
  if isinstance(default, Ridge):
    return default._replace(value=value)
  return None if default is None and value == 0 else value


def _optional_int(annotation: Any) -> bool:
  union = isinstance(annotation, types.UnionType)
  return union and int in typing.get_args(annotation)


def _name_in(changes: Mapping[str, Any], *path: str) -> Any:
  """The name that `changes` give to a part, or None."""
  found: Any = changes
  for field in (*path, 'name'):
    found = found.get(field) if isinstance(found, Mapping) else None
  return found


def _rename(config: Config, section: str, name: str) -> None:
  """Gives a part another factory, with that one's own settings."""
  check_name(f'{section}.name', name, _FACTORIES[section])
  kept = {k: config[section][k] for k in COMMON[section]}
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
  near = difflib.get_close_matches(field, config, 1, 0.4)
  hint = f' (did you mean {near[0]}?)' if near else ''
  names = ', '.join(sorted(config))
  return f'config.{full}: unknown field{hint}; allowed here are {names}'
