"""What a run starts from on a set that has no recipe of its own.

The papers' settings are for the papers' sets and machines. Where nobody has
measured, a run ends, whatever the images: they stay in the range of real ones
and take steps that do not depend on their size, and only those operations of
the method's augmentation are kept that the real images allow. `recipe.default`
has the paper's settings still, and so have the recipes in `published/`.
"""

from dd_jax.recipes._common import TRAJECTORY_MATCHING
from dd_jax.run import recipe
from dd_jax.run.fields import flat
from dd_jax.run.invariances import AUGMENTED, MEASURED
from dd_jax.run.recipe import Config

MINUTES = 10.0
"""How long a run may take where nothing else is asked for."""
STEP = 0.03
"""The rate of Adam: how far a step moves a pixel, in deviations of the data."""

_TRAJECTORIES: Config = {
  **TRAJECTORY_MATCHING,
  'method': {**TRAJECTORY_MATCHING['method'], 'inner_steps': 10},
}
_MIRRORING = {'dsa', 'mtt', 'datm', 'rat', 'idc', 'frepo', 'rcig'}  # protocols


def defaults(config: Config) -> Config:
  """Changes a method's own settings in place, and returns them.

  Args:
    config: as `recipe.default` makes it.
  """
  _make_short(config)
  _keep_as_data_are(config)
  if recipe.takes(config['method']['name'], 'optimizer'):
    _use_adam(config['optimizer'])
  return config


def _make_short(config: Config) -> None:
  """A run that ends on a CPU.

  As the recipes for one do, networks are half as wide and see a quarter of the
  real images, and experts are few and short. Nothing is whitened, which for
  large images takes longer than the rest.
  """
  method = config['method']['name']
  changes: Config = {
    'minutes': MINUTES,
    'preprocessing': 'standardise',
    'evaluation': {'features': 'pixels', 'validation_examples': 1000},
  }
  recipe.update(config, changes)
  if recipe.expert_span(config) is not None:
    recipe.update(config, _known(config, _TRAJECTORIES))
  elif recipe.takes(method, 'network'):
    recipe.update(config, _smaller(config))


def _smaller(config: Config) -> Config:
  """Half the width and a quarter of the batch, where there are such."""
  own = {**config['network'], **config['method']}
  half = {'width': own['width'] // 2} if 'width' in config['network'] else {}
  batch = own.get('batch_size', 0)
  quarter = {'batch_size': batch // 4} if batch >= 4 else {}
  return {'network': half, 'method': quarter}


def _known(config: Config, changes: Config) -> Config:
  """`changes` without the settings that this method does not have."""
  own = config['method']
  kept = {k: v for k, v in changes['method'].items() if k in own}
  return {**changes, 'method': kept}


def _keep_as_data_are(config: Config) -> None:
  """Pixels in the range of real ones; transforms that real images allow."""
  learned = recipe.takes_parameterization(config['method']['name'])
  if learned and 'range' in config['parameterization']:
    config['parameterization']['range'] = 'data'
  for field, value in flat(config).items():
    if field in AUGMENTED and value != 'none':
      recipe.update(config, recipe.nested(field, MEASURED))
  section = config['evaluation']
  if {section['protocol'], *section['others']} & _MIRRORING:
    section['mirror'] = MEASURED


def _use_adam(optimizer: Config) -> None:
  """Adam where a paper has SGD, whose step is as long as the gradient.

  That depends on the size of images, on their number and on the network.
  """
  if optimizer['name'] == 'sgd':
    optimizer |= {'name': 'adam', 'learning_rate': STEP, 'momentum': 0.0}
