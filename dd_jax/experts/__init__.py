"""Expert trajectories: the parameters that networks pass on real data.

`training` makes them, `store` keeps them on disk, `source` gives pieces of them
to a method that matches trajectories.
"""

from dd_jax.experts.source import (
  ExpertSource,
  HostExperts,
  ResidentExperts,
  Segments,
  experts_of,
  load_experts,
  with_experts,
)
from dd_jax.experts.store import ExpertStore, Span, identity
from dd_jax.experts.training import (
  Recipe,
  parameter_shapes,
  train_experts,
  unflatten,
)

__all__ = [
  'ExpertSource',
  'ExpertStore',
  'HostExperts',
  'Recipe',
  'ResidentExperts',
  'Segments',
  'Span',
  'experts_of',
  'identity',
  'load_experts',
  'parameter_shapes',
  'train_experts',
  'unflatten',
  'with_experts',
]
