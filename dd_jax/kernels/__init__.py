"""Kernels: exact NNGP and NTK, and the ridge regression on them."""

from collections.abc import Callable

from dd_jax.kernels.adapters import from_kernel_fn, to_kernel_fn
from dd_jax.kernels.conv import conv_kernel
from dd_jax.kernels.dense import dense_kernel
from dd_jax.kernels.feature_map import leaky_kernel, linear_kernel
from dd_jax.kernels.ridge import Ridge, predict, solve
from dd_jax.types import Kernel

KERNELS: dict[str, Callable[..., Kernel]] = {
  'dense': dense_kernel,
  'conv': conv_kernel,
  'linear': linear_kernel,
  'leaky': leaky_kernel,
}
"""By name: `(get, *, ...) -> Kernel`."""

__all__ = [
  'KERNELS',
  'Ridge',
  'conv_kernel',
  'dense_kernel',
  'from_kernel_fn',
  'predict',
  'solve',
  'to_kernel_fn',
]
