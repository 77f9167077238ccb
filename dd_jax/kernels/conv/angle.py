r"""ReLU's covariance map, with one square root and one polynomial an entry.

For two Gaussians of deviations :math:`\sigma, \sigma'` and correlation c (Cho
and Saul 2009), with :math:`s = \sqrt{1 - c^2}`:

.. math::
  h = \frac{\pi - \arccos c}{2\pi}, \qquad
  K' = \frac{\sigma \sigma' s}{2\pi} + K h, \qquad T' = T h.

:math:`R(a) = \arccos(a) / \sqrt{1 - a^2}` is smooth on [0, 1], so that
:math:`\arccos |c| = s R(|c|)` needs no library function.
"""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
from numpy.polynomial import chebyshev

HALF_TURN = 1 / (2 * math.pi)
# Degrees at which the fit is below the rounding of the arithmetic.
_DEGREES = {4: 9, 8: 22}
# Within so many roundings of 1 the correlation is taken to be 1.
_SNAP = 32


def sine(c: jax.Array) -> jax.Array:
  """`sqrt(1 - c^2)`, elementwise; 0 where c is 1 or -1 up to rounding."""
  a = jnp.abs(c)
  square = (1 - a) * (1 + a)
  near = square < _SNAP * jnp.finfo(c.dtype).eps
  return jnp.where(near, 0, jnp.sqrt(jnp.where(near, 1, square)))


def slope(c: jax.Array) -> jax.Array:
  """`(pi - arccos c) / (2 pi)`, elementwise."""
  part = sine(c) * _ratio(jnp.abs(c))
  return jnp.where(c >= 0, 0.5 - part, part)


def _ratio(a: jax.Array) -> jax.Array:
  """`R(a) / (2 pi)`, by Horner's rule in `2 a - 1`."""
  t = 2 * a - 1
  highest, *others = _coefficients(_DEGREES.get(a.dtype.itemsize, 9))
  value = jnp.full_like(a, highest)
  for coefficient in others:
    value = value * t + coefficient
  return value


@functools.cache
def _coefficients(degree: int) -> tuple[float, ...]:
  """Of R / (2 pi) in `2 a - 1`, the highest first."""
  t = np.cos((np.arange(400) + 0.5) * np.pi / 400)
  a = (t + 1) / 2
  ratio = np.arccos(a) / np.sqrt((1 - a) * (1 + a)) * HALF_TURN
  fit = chebyshev.cheb2poly(chebyshev.chebfit(t, ratio, degree))
  return tuple(float(c) for c in fit[::-1])
