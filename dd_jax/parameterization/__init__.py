"""Parameterizations: what is learned, and how it becomes a support set."""

from collections.abc import Callable

from dd_jax.parameterization.base import Adversary, Parameterization
from dd_jax.parameterization.frequency import frequency
from dd_jax.parameterization.generator import generator
from dd_jax.parameterization.hallucinator import hallucinator
from dd_jax.parameterization.labels import starting_labels
from dd_jax.parameterization.latent import Decoder, frozen, latent, linear
from dd_jax.parameterization.less_than_one_shot import less_than_one_shot
from dd_jax.parameterization.memory import memory
from dd_jax.parameterization.multi_formation import formation, multi_formation
from dd_jax.parameterization.pixels import pixels
from dd_jax.parameterization.starts import STARTS, Start, from_distilled

PARAMETERIZATIONS: dict[str, Callable[..., Parameterization]] = {
  'pixels': pixels,
  'few': less_than_one_shot,
  'multi_formation': multi_formation,
  'memory': memory,
  'hallucinator': hallucinator,
  'frequency': frequency,
  'latent': latent,
  'generator': generator,
}
"""By name: `(ipc, ..., *, ...) -> Parameterization`."""

__all__ = [
  'PARAMETERIZATIONS',
  'STARTS',
  'Adversary',
  'Decoder',
  'Parameterization',
  'Start',
  'formation',
  'frequency',
  'from_distilled',
  'frozen',
  'generator',
  'hallucinator',
  'latent',
  'less_than_one_shot',
  'linear',
  'memory',
  'multi_formation',
  'pixels',
  'starting_labels',
]
