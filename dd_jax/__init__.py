"""dd_jax: dataset distillation in JAX.

Two floors. Below, a library of pure functions over pytrees; in `dd_jax.run`,
all that touches clocks, files, signals or the command line.

  run   settings -> recipe -> pipeline -> driver -> workdir     (one outer loop)
  ---------------------------------------------------------------------------
  data -> parameterization -> methods -> distiller -> artifact -> evaluation
  source   the support set     a loss    init, update   .npz     -> report
             networks, kernels, losses, augment
             training, unroll, models, experts                (the inner loop)

The short way is `dd_jax.distill(x, y)`. In parts: `methods` make a `Distiller`,
`run.driver.distill` runs it, `artifact` keeps what it made and `evaluation`
scores it. Parts of your own: `register` names them, `testing` holds them
against the laws of the built-in ones.
"""

# isort: off
from dd_jax import program  # before all that takes a second

program.quiet_while_starting()
# isort: on

from dd_jax import register
from dd_jax.api import distill, load
from dd_jax.artifact import Artifact, save
from dd_jax.concatenation import concatenate
from dd_jax.data.dataset import from_arrays
from dd_jax.data.load import load as load_dataset
from dd_jax.distiller import Distiller, from_loss
from dd_jax.run import recipe
from dd_jax.run.outcome import Outcome
from dd_jax.types import DistilledData, LabeledData, UserError
from dd_jax.version import VERSION

__version__ = VERSION

__all__ = [
  'Artifact',
  'DistilledData',
  'Distiller',
  'LabeledData',
  'Outcome',
  'UserError',
  'concatenate',
  'distill',
  'from_arrays',
  'from_loss',
  'load',
  'load_dataset',
  'recipe',
  'register',
  'save',
]
