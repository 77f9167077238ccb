"""dd_jax: dataset distillation in JAX.

The short way is `dd_jax.distill(x, y)`. The parts that it is made of are
modules: `methods` make a `Distiller`, `driver.distill` runs it, `artifact`
keeps what it made and `evaluation` scores it.
"""

from dd_jax.api import distill
from dd_jax.artifact import Artifact, load, save
from dd_jax.data.dataset import from_arrays
from dd_jax.data.load import load as load_dataset
from dd_jax.distiller import Distiller, from_loss
from dd_jax.pipeline import Outcome
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
  'distill',
  'from_arrays',
  'from_loss',
  'load',
  'load_dataset',
  'save',
]
