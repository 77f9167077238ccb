"""What the numbers and names of a configuration may be, before any work."""

import math
from collections.abc import Iterator

from dd_jax.checks import check_name, check_positive
from dd_jax.evaluation.metrics import METRICS, SUITE
from dd_jax.methods import baselines
from dd_jax.run import labels, recipe, whole
from dd_jax.run.recipe import Config
from dd_jax.types import UserError

_COUNTS = (
  'ipc',
  'batch_size',
  'inner_batch_size',
  'inner_steps',
  'count',
  'at_once',
  'expert_epochs',
  'max_start',
  'segments',
  'pool_size',
  'max_age',
  'width',
  'learners',
  'networks',
  'validation_learners',
)  # at least 1; other numbers may be 0
_MIRROR = ('never', 'measured')
_LAST_SEED = 2**32 - 1  # JAX and NumPy take no more without losing bits
_FLAGS = (
  'ipc',
  'total',
  'seed',
  'num_steps',
  'minutes',
  'image_size',
)  # have short names too


def check(config: Config) -> None:
  """Refuses values that no run can have, before anything is computed.

  Raises:
    UserError: names the field, the value and what is allowed.
  """
  for field, value in _numbers(config):
    name = field.rpartition('.')[2]
    least = 1 if name in _COUNTS else -1 if name == 'num_steps' else 0
    most = _LAST_SEED if name == 'seed' else math.inf
    if not (math.isfinite(value) and least <= value <= most):
      flag = field if field in _FLAGS else f'config.{field}'
      rest = 'and more' if most == math.inf else f'to {most}'
      raise UserError(f'--{flag}={value}: allowed are {least} {rest}')
  section = config['evaluation']
  features = ('pixels', 'network')
  check_name('evaluation.features', section['features'], features)
  if section['mirror']:  # '' is as the protocols have it
    check_name('evaluation.mirror', section['mirror'], _MIRROR)
  check_name('evaluation.whole', section['whole'], whole.CHOICES)
  check_name('evaluation.labels', section['labels'], labels.REGIMES)
  teacher = section['teacher']
  check_name('evaluation.teacher.network', teacher['network'], recipe.NETWORKS)
  check_positive(**{'evaluation.teacher.temperature': teacher['temperature']})
  for name in section['metrics']:
    check_name('evaluation.metrics', name, (*METRICS, SUITE))
  for name in section['baselines']:
    check_name('evaluation.baselines', name, baselines())
  for name in (section['protocol'], *section['others']):
    check_name('evaluation.protocol', name, recipe.PROTOCOLS)


def _numbers(config: Config, path: str = '') -> Iterator[tuple[str, float]]:
  """Every number of the configuration by its dotted name."""
  for field, value in config.items():
    if isinstance(value, dict):
      yield from _numbers(value, f'{path}{field}.')
    elif isinstance(value, int | float):
      yield path + field, value
