"""What a run starts from on a set that has no recipe of its own.

The papers' settings are for the papers' sets and machines. Where nobody has
measured, a run ends, whatever the images: `recipe.default` has the paper's
settings still, and so have the recipes in `published/`.
"""

from dd_jax.recipes._common import TRAJECTORY_MATCHING
from dd_jax.run import recipe
from dd_jax.run.recipe import Config

MINUTES = 10.0
"""How long a run may take where nothing else is asked for."""
_TRAJECTORIES: Config = {
  **TRAJECTORY_MATCHING,
  'method': {**TRAJECTORY_MATCHING['method'], 'inner_steps': 10},
}


def defaults(config: Config) -> Config:
  """Changes a method's own settings in place, and returns them.

  As the recipes for a CPU do, networks are half as wide and see a quarter of
  the real images, and experts are few and short. Nothing is whitened, which
  for large images takes longer than the rest.

  Args:
    config: as `recipe.default` makes it.
  """
  method = config['method']['name']
  changes: Config = {
    'minutes': MINUTES,
    'preprocessing': 'standardise',
    'evaluation': {'features': 'pixels', 'validation_examples': 1000},
  }
  recipe.update(config, changes)
  if recipe.expert_span(config) is not None:
    return recipe.update(config, _known(config, _TRAJECTORIES))
  if not recipe.takes(method, 'network'):
    return config
  own = {**config['network'], **config['method']}
  half = {'width': own['width'] // 2} if 'width' in config['network'] else {}
  batch = own.get('batch_size', 0)
  quarter = {'batch_size': batch // 4} if batch >= 4 else {}
  return recipe.update(config, {'network': half, 'method': quarter})


def _known(config: Config, changes: Config) -> Config:
  """`changes` without the settings that this method does not have."""
  own = config['method']
  kept = {k: v for k, v in changes['method'].items() if k in own}
  return {**changes, 'method': kept}
