"""The objects that a configuration names: method, network, kernel and the rest.

A factory's parameter that is called after a part gets that part, built; its
other keyword parameters are its settings.
"""

import contextlib
import functools
import inspect
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import optax

from dd_jax import artifact, augment, experts
from dd_jax.artifact import Artifact
from dd_jax.checks import check_name
from dd_jax.data.fitting import keeps_range
from dd_jax.data.labels import LabelEncoding, label_encoding
from dd_jax.data.preprocess import Preprocessing, with_inverse
from dd_jax.distiller import Distiller
from dd_jax.kernels import KERNELS
from dd_jax.methods import METHODS
from dd_jax.networks import NETWORKS, Network, learner
from dd_jax.parameterization import (
  PARAMETERIZATIONS,
  STARTS,
  Parameterization,
  Start,
  from_distilled,
  starting_labels,
)
from dd_jax.platform import Platform
from dd_jax.run import counts
from dd_jax.run.recipe import (
  Config,
  converted,
  expert_epochs,
  settings,
  takes_parameterization,
)
from dd_jax.types import Augment, DistilledData, Kernel, UserError

_OPTIMIZERS = {
  'adam': optax.adam,
  'adabelief': optax.adabelief,
  'lamb': optax.lamb,
  'sgd': optax.sgd,
  # Differentiable where a gradient is zero: for unrolled training.
  'smooth_adam': functools.partial(optax.adam, eps_root=1e-12),
}


_each_its_own = functools.partial(augment.dsa, siamese=False)


_HALVINGS = (0.6, 0.8, 0.9)  # where the rate halves, of all steps (CAFE)


class Setting(NamedTuple):
  """What the objects of a run depend on besides its configuration.

  Attributes:
    image_shape: `(h, w, c)`.
    num_classes: `k`.
    features: what a selection measures distances in, or None.
    start: the set that the run starts from (see `started_from`), or None.
    platform: what all of them run on; by default what JAX's default devices
      are.
    preprocessing: of the real data, or None where it is not known.
    report: `(steps done, steps in all)`, told of networks that a method trains
      before its first step; or None.
  """

  image_shape: tuple[int, int, int]
  num_classes: int
  features: Callable[..., Any] | None = None
  start: DistilledData | None = None
  platform: Platform | None = None
  preprocessing: Preprocessing | None = None
  report: Callable[[int, int], None] | None = None


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


def build_network(
  section: Config, setting: Setting, part: str = 'network'
) -> Network:
  """Makes the learner of a section like `network`."""
  check_name(f'{part}.name', section['name'], NETWORKS)
  factory = NETWORKS[section['name']]
  made = learner(
    factory,
    setting.image_shape,
    setting.num_classes,
    converted(factory, section),
  )
  return made._replace(platform=setting.platform)


def build_kernel(
  section: Config, setting: Setting, get: str | None = None
) -> Kernel:
  """Makes the kernel of a `kernel` section, by choice another of its kinds."""
  check_name('kernel.name', section['name'], KERNELS)
  factory = KERNELS[section['name']]
  values = converted(factory, {**section, 'get': get or section['get']})
  if 'platform' in inspect.signature(factory).parameters:
    values['platform'] = setting.platform
  return factory(**values)


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


def started_from(config: Config) -> Artifact | None:
  """The artefact that a run starts from; None if it starts otherwise.

  Raises:
    UserError: its images or its labels are not what this run's would be.
  """
  name = config['parameterization']['start']
  if not name.endswith('.npz'):
    return None
  held, fitted = artifact.load(name), preprocessing(config)
  own = {**config, 'preprocessing': getattr(fitted, 'name', fitted)}
  fields = {'preprocessing': held.preprocessing.name}
  if config['parameterization']['labels'] == 'free':
    fields['label_encoding'] = held.label_encoding
  for field, value in fields.items():
    if own[field] != value:
      raise UserError(
        f'parameterization.start={name!r}: its {field} is {value!r}, this '
        f"run's is {own[field]!r}; both must be the same"
      )
  return held


def preprocessing(config: Config) -> str | Preprocessing:
  """The recipe to fit, by name, or what another set's artefact was made with.

  Raises:
    UserError: there is no such artefact.
  """
  name: str = config['preprocessing']
  return artifact.load(name).preprocessing if name.endswith('.npz') else name


def check_range(
  config: Config, fitted: str | Preprocessing, dataset: str = ''
) -> None:
  """Refuses to keep images in a range that they do not have.

  Args:
    config: of the run.
    fitted: what the real data are preprocessed by; a recipe by name.
    dataset: the name of their set.

  Raises:
    UserError: the preprocessing leaves no range.
  """
  if config['parameterization'].get('range') != 'data':
    return
  if isinstance(fitted, str):
    name, keeps = fitted, keeps_range(fitted, dataset)
  else:
    name, keeps = fitted.name, not fitted.unit_norm
  if not keeps:
    raise UserError(
      f"parameterization.range='data': preprocessing={name!r} throws away the "
      'mean and the norm of each image, and so its range; allowed is '
      "'free'"
    )


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


def _encoding(config: Config, setting: Setting) -> LabelEncoding:
  del setting
  return label_encoding(config['label_encoding'])


def _into_range(
  config: Config, setting: Setting
) -> Callable[[jax.Array], jax.Array] | None:
  """What keeps images in the range of real ones, where that is asked for."""
  if config['parameterization'].get('range') != 'data':
    return None
  fitted = setting.preprocessing
  if fitted is None:
    return lambda image: image  # to see that all suits, before it is fitted
  check_range(config, fitted)
  return with_inverse(fitted).into_range


_MAKERS: dict[str, Callable[[Config, Setting], Any]] = {
  'parameterization': build_parameterization,
  'kernel': lambda c, s: build_kernel(c['kernel'], s),
  'network': lambda c, s: build_network(c['network'], s),
  'teacher': lambda c, s: build_network(c['teacher'], s, 'teacher'),
  'optimizer': lambda c, s: build_optimizer(c['optimizer'], c['num_steps']),
  'inner_optimizer': lambda c, s: build_optimizer(
    c['inner_optimizer'], c['num_steps']
  ),
  'augment': lambda c, s: build_augment(c['augment']),
  'inner_augment': lambda c, s: build_augment(c['augment'], _each_its_own),
  'target_augment': lambda c, s: build_augment(c['augment'], augment.composed),
  'start': build_start,
  'encoding': _encoding,
  'into_range': _into_range,
  'features': lambda c, s: s.features,
  'ipc': lambda c, s: counts.per_class(c),
  'image_shape': lambda c, s: s.image_shape,
  'num_classes': lambda c, s: s.num_classes,
  'report': lambda c, s: s.report,
}


def _call(
  factory: Callable[..., Any], section: Config, config: Config, setting: Setting
) -> Any:
  """Calls a factory with its parts built and its settings converted."""
  parts = {
    name: _MAKERS[name](config, setting)
    for name in inspect.signature(factory).parameters
    if name in _MAKERS
  }
  return factory(**parts, **converted(factory, section))


@contextlib.contextmanager
def _located(name: str, section: Config) -> Iterator[None]:
  """Says of a refused setting which section it stands in."""
  try:
    yield
  except UserError as error:
    field = str(error).partition('=')[0]
    raise UserError(f'{name}.{error}' if field in section else error) from None
