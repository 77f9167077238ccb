"""A kernel: the Gaussian of the distance in pixels."""

import jax
import jax.numpy as jnp

from dd_jax import register
from dd_jax.types import Kernel


def gauss(get: str = 'nngp', *, width: float = 1.0) -> Kernel:
  """`exp(-|x - y|^2 / (2 width^2 d))` for images of `d` values.

  Args:
    get: without effect: no network stands behind it.
    width: of the bell, in root mean square distance.
  """
  del get

  def kernel(x1: jax.Array, x2: jax.Array | None = None) -> jax.Array:
    a = x1.reshape(len(x1), -1)
    b = a if x2 is None else x2.reshape(len(x2), -1)
    product = jnp.matmul(a, b.T, precision='highest')
    gap = jnp.sum(a**2, 1)[:, None] + jnp.sum(b**2, 1) - 2 * product
    return jnp.exp(-gap / (2 * width**2 * a.shape[1]))

  return kernel


register.kernel('gauss', gauss)
