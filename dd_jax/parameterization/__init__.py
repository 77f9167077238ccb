"""Parameterizations: what is learned, and how it becomes a support set."""

from collections.abc import Callable

from dd_jax.parameterization.base import Parameterization
from dd_jax.parameterization.pixels import pixels
from dd_jax.parameterization.starts import STARTS, Start, from_distilled

PARAMETERIZATIONS: dict[str, Callable[..., Parameterization]] = {
  'pixels': pixels
}
"""By name: `(ipc, *, ...) -> Parameterization`."""

__all__ = [
  'PARAMETERIZATIONS',
  'STARTS',
  'Parameterization',
  'Start',
  'from_distilled',
  'pixels',
]
