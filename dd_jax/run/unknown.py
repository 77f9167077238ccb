"""What a run starts from on a set that has no recipe of its own.

The papers' settings are for the papers' sets and machines. Where nobody has
measured, a run ends, whatever the images: `recipe.default` has the paper's
settings still, and so have the recipes in `published/`.
"""

from dd_jax.run import recipe
from dd_jax.run.recipe import Config

MINUTES = 10.0
"""How long a run may take where nothing else is asked for."""


def defaults(config: Config) -> Config:
  """Changes a method's own settings in place, and returns them.

  Args:
    config: as `recipe.default` makes it.
  """
  return recipe.update(config, {'minutes': MINUTES})
