r"""Exact NNGP and NTK of fully connected networks of infinite width.

A layer is a map of a small state, the kernel of two batches and their
variances, so a network is a composition. For ReLU (Cho and Saul 2009):

.. math::
  K' = \frac{1}{2\pi}\left(\sqrt{q_1 q_2 - k^2} + (\pi - \theta) k\right),
  \qquad \dot K = \frac{\pi - \theta}{2\pi}, \qquad
  \cos\theta = k / \sqrt{q_1 q_2}

and for erf (Williams 1996)

.. math::
  K' = \frac{2}{\pi} \arcsin\frac{2k}{\sqrt{(1 + 2q_1)(1 + 2q_2)}}.

The plain formulas have NaN gradients at duplicates and zero rows; here the
derivative is written out, and is zero along the cusp that the NTK has at
:math:`\theta = 0`.
"""

from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp

from dd_jax.checks import check_name
from dd_jax.types import Kernel, UserError

_HIGHEST = jax.lax.Precision.HIGHEST


class Moments(NamedTuple):
  """What a layer passes on.

  Attributes:
    nngp: covariance of the two batches' activations, `[n, m]`.
    ntk: tangent kernel so far, `[n, m]`.
    q1: variances of the first batch, `[n, 1]`.
    q2: variances of the second batch, `[1, m]`.
  """

  nngp: jax.Array
  ntk: jax.Array
  q1: jax.Array
  q2: jax.Array


@jax.custom_jvp
def relu_moments(
  k: jax.Array, q1: jax.Array, q2: jax.Array
) -> tuple[jax.Array, jax.Array]:
  """ReLU's `(K', dK')` for covariance `k [n, m]`, `q1 [n, 1]`, `q2 [1, m]`."""
  scale, _, sine, theta = _angle(k, q1, q2)
  slope = (jnp.pi - theta) / (2 * jnp.pi)
  return scale * sine / (2 * jnp.pi) + slope * k, slope


@relu_moments.defjvp
def _relu_moments_jvp(primals: tuple, tangents: tuple) -> tuple:
  k, q1, q2 = primals
  dk, dq1, dq2 = tangents
  scale, cosine, sine, theta = _angle(k, q1, q2)
  slope = (jnp.pi - theta) / (2 * jnp.pi)
  value = scale * sine / (2 * jnp.pi) + slope * k
  # Half the relative change of each variance; zero rows do not move.
  h1 = _safe_divide(dq1, 2 * q1)
  h2 = _safe_divide(dq2, 2 * q2)
  dvalue = slope * dk + scale * sine / (2 * jnp.pi) * (h1 + h2)
  dcosine = _safe_divide(dk, scale) - cosine * (h1 + h2)
  dslope = _safe_divide(dcosine, 2 * jnp.pi * sine)
  return (value, slope), (dvalue, dslope)


def _angle(
  k: jax.Array, q1: jax.Array, q2: jax.Array
) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
  """Returns `(sqrt(q1 q2), cos, sin, theta)`, with theta snapped to 0 and pi.

  Within rounding of a duplicate the angle is noise of size sqrt(eps), far above
  a usual ridge; it is set to its exact value there.
  """
  scale = jnp.sqrt(q1) * jnp.sqrt(q2)
  cosine = jnp.clip(_safe_divide(k, scale), -1, 1)
  square = (1 - cosine) * (1 + cosine)
  near = square < 8 * jnp.finfo(k.dtype).eps
  sine = jnp.where(near, 0, jnp.sqrt(jnp.where(near, 1, square)))
  cosine = jnp.where(near, jnp.sign(cosine), cosine)
  return scale, cosine, sine, jnp.arctan2(sine, cosine)


def _safe_divide(a: jax.Array, b: jax.Array) -> jax.Array:
  """`a / b`, and 0 where b is 0."""
  zero = b == 0
  return jnp.where(zero, 0, a / jnp.where(zero, 1, b))


def relu_layer(m: Moments) -> Moments:
  """The nonlinearity max(0, x)."""
  nngp, slope = relu_moments(m.nngp, m.q1, m.q2)
  return Moments(nngp, m.ntk * slope, m.q1 / 2, m.q2 / 2)


def _erf(m: Moments) -> Moments:
  p1, p2 = 1 + 2 * m.q1, 1 + 2 * m.q2
  nngp = 2 / jnp.pi * jnp.arcsin(2 * m.nngp / jnp.sqrt(p1 * p2))
  slope = 4 / jnp.pi / jnp.sqrt(p1 * p2 - 4 * m.nngp**2)
  variance = lambda q, p: 2 / jnp.pi * jnp.arcsin(2 * q / p)
  return Moments(nngp, m.ntk * slope, variance(m.q1, p1), variance(m.q2, p2))


_ACTIVATIONS = {'relu': relu_layer, 'erf': _erf}


def affine(m: Moments, w: float, b: float, fan_in: int | None) -> Moments:
  """A dense layer; `fan_in` is its width in standard parametrisation."""
  nngp = w**2 * m.nngp + b**2
  # Standard: every weight learns at its own scale, so fan_in of them add up.
  own = nngp if fan_in is None else fan_in * m.nngp + 1
  variance = lambda q: w**2 * q + b**2
  return Moments(nngp, own + w**2 * m.ntk, variance(m.q1), variance(m.q2))


def _inputs(x1: jax.Array, x2: jax.Array | None) -> Moments:
  x1 = x1.reshape(x1.shape[0], -1)
  if x2 is None:
    # Variances read off the Gram matrix make the diagonal's angle exactly 0.
    gram = jnp.matmul(x1, x1.T, precision=_HIGHEST) / x1.shape[1]
    q = jnp.diagonal(gram)
    return Moments(gram, jnp.zeros_like(gram), q[:, None], q[None])
  x2 = x2.reshape(x2.shape[0], -1)
  gram = jnp.matmul(x1, x2.T, precision=_HIGHEST) / x1.shape[1]
  variance = lambda x: jnp.mean(x * x, 1)
  return Moments(
    gram, jnp.zeros_like(gram), variance(x1)[:, None], variance(x2)[None]
  )


def dense_kernel(
  get: Literal['ntk', 'nngp'] = 'ntk',
  *,
  depth: int = 1,
  activation: str = 'relu',
  w_std: float = 2**0.5,
  b_std: float = 0.1,
  parametrization: Literal['ntk', 'standard'] = 'ntk',
  width: int = 1024,
) -> Kernel:
  """The kernel of `depth` hidden layers and a linear read-out.

  Args:
    get: 'ntk' or 'nngp'.
    depth: number of hidden layers, at least 1.
    activation: 'relu' or 'erf'.
    w_std: weight standard deviation times sqrt(fan in).
    b_std: bias standard deviation.
    parametrization: 'ntk', or 'standard' (Sohl-Dickstein et al. 2020), where
      the number of inputs and `width` weigh the layers' contributions.
    width: of the hidden layers; only 'standard' reads it.

  Returns:
    `kernel(x1 [n, ...], x2 [m, ...] or None) -> [n, m]` in the dtype of `x1`;
    None stands for `x1` again and makes the diagonal exact. Gradients are exact
    in both arguments and finite on duplicates, zero rows and flips.

  Raises:
    UserError: for an unknown name or a depth below 1.
  """
  _check(get, depth, activation, parametrization)
  nonlinearity = _ACTIVATIONS[activation]
  standard = parametrization == 'standard'

  def kernel(x1: jax.Array, x2: jax.Array | None = None) -> jax.Array:
    inputs = x1[0].size
    moments = _inputs(x1, x2)
    moments = affine(moments, w_std, b_std, inputs if standard else None)
    for _ in range(depth):
      moments = nonlinearity(moments)
      moments = affine(moments, w_std, b_std, width if standard else None)
    return moments.ntk if get == 'ntk' else moments.nngp

  return kernel


def _check(get: str, depth: int, activation: str, parametrization: str) -> None:
  check_name('kernel.get', get, ('ntk', 'nngp'))
  check_name('kernel.activation', activation, _ACTIVATIONS)
  check_name('kernel.parametrization', parametrization, ('ntk', 'standard'))
  if depth < 1:
    raise UserError(f'kernel.depth={depth}: allowed are 1 and more')
