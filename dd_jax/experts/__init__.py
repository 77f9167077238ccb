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
  with_experts,
)
from dd_jax.experts.store import ExpertStore, Span, identity
from dd_jax.experts.training import Recipe, train_experts

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
  'train_experts',
  'with_experts',
]
