"""Kernels of a fixed, invertible feature map: linear, or random and deep.

`K(x, x') = phi(x) . phi(x')`, where phi maps images onto a space of as many
dimensions. Distilling for such a kernel has a closed form (Chen et al.,
Provable and Efficient Dataset Distillation for KRR, NeurIPS 2024).
"""

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from dd_jax.types import UserError

_HIGHEST = jax.lax.Precision.HIGHEST
_ROUNDS = 3
_SETTLE = 20  # lambda and the features that set its scale


@dataclasses.dataclass(frozen=True)
class FeatureKernel:
  """A kernel, `(x1 [n, ...], x2 [m, ...] or None) -> [n, m]`, and its map.

  Attributes:
    features: `(x [n, ...]) -> phi [n, d]`, with d numbers in each of `x`.
    invert: `(phi [n, d]) -> [n, d]`, flat.
  """

  features: Callable[[jax.Array], jax.Array]
  invert: Callable[[jax.Array], jax.Array]

  def __call__(self, x1: jax.Array, x2: jax.Array | None = None) -> jax.Array:
    """The kernel matrix; None stands for `x1` again."""
    phi1 = self.features(x1)
    phi2 = phi1 if x2 is None else self.features(x2)
    return jnp.matmul(phi1, phi2.T, precision=_HIGHEST)


def linear_kernel(get: str = 'nngp') -> FeatureKernel:
  """The inner product of pixels.

  Raises:
    UserError: `get` is not 'nngp'.
  """
  _check(get)
  return FeatureKernel(lambda x: x.reshape(x.shape[0], -1), lambda phi: phi)


def leaky_kernel(
  get: str = 'nngp', *, depth: int = 1, slope: float = 0.05, seed: int = 0
) -> FeatureKernel:
  """Layers of a random rotation and leaky ReLU, as wide as the image.

  The rotation is three rounds of random signs and a cosine transform (as in
  Yu et al., arXiv 1610.09072): exactly orthogonal, and there is no matrix.

  Args:
    get: 'nngp'; the features are fixed and have no tangent kernel.
    depth: layers.
    slope: below zero; above 0, so that it can be undone.
    seed: of the signs.

  Raises:
    UserError: a value out of range.
  """
  _check(get)
  if depth < 1:
    raise UserError(f'kernel.depth={depth}: allowed are 1 and more')
  if not 0 < slope <= 1:
    raise UserError(f'kernel.slope={slope}: allowed are above 0 to 1')

  def signs(like: jax.Array) -> jax.Array:
    shape = (depth, _ROUNDS, like.shape[1])
    return jax.random.rademacher(jax.random.key(seed), shape, like.dtype)

  def features(x: jax.Array) -> jax.Array:
    x = x.reshape(x.shape[0], -1)
    for layer in signs(x):
      for s in layer:
        x = jax.scipy.fft.dct(x * s, norm='ortho')
      x = jnp.where(x > 0, x, slope * x)
    return x

  def invert(phi: jax.Array) -> jax.Array:
    for layer in signs(phi)[::-1]:
      phi = jnp.where(phi > 0, phi, phi / slope)
      for s in layer[::-1]:
        phi = jax.scipy.fft.idct(phi, norm='ortho') * s
    return phi

  return FeatureKernel(features, invert)


def _check(get: str) -> None:
  if get != 'nngp':
    raise UserError(f"kernel.get={get!r}: allowed for fixed features is 'nngp'")


class NormalEquations(NamedTuple):
  """Of ridge regression on real features, summed over what was seen.

  Attributes:
    gram: `[d, d]`.
    moment: features times targets, `[d, k]`.
  """

  gram: jax.Array
  moment: jax.Array


def no_equations(d: int, k: int, dtype: jnp.dtype) -> NormalEquations:
  """Sums over nothing."""
  return NormalEquations(jnp.zeros((d, d), dtype), jnp.zeros((d, k), dtype))


def add_equations(
  sums: NormalEquations, phi: jax.Array, target: jax.Array
) -> NormalEquations:
  """Adds features `[n, d]` with targets `[n, k]`."""
  return NormalEquations(
    sums.gram + jnp.matmul(phi.T, phi, precision=_HIGHEST),
    sums.moment + jnp.matmul(phi.T, target, precision=_HIGHEST),
  )


class Distilled(NamedTuple):
  """Features that make ridge regression give wanted weights.

  Attributes:
    features: `[k * ipc, d]`, class-major.
    slack: above 0 where lambda allows an exact solution; the smallest of
      `1 - 4 lambda sigma^2 / ipc`.
  """

  features: jax.Array
  slack: jax.Array


def distilled_features(
  weights: jax.Array, around: jax.Array, ridge: float
) -> Distilled:
  r"""The closed form, for labels that are centred one-hot rows Y.

  With :math:`W = U \Sigma V^T`, ipc images per class Z (one-hot) and

  .. math:: \phi = Z V S U^T + \phi_\perp, \qquad
    s = \frac{1 + \sqrt{1 - 4 \lambda \sigma^2 / ipc}}{2 \sigma},

  :math:`\phi^T (\phi \phi^T + \lambda I)^{-1} Y = W` exactly, whatever
  :math:`\phi_\perp` is, as long as it is orthogonal to W and has zero mean
  over each class: what makes the images of a class differ.

  Args:
    weights: W, `[d, k]`, of targets whose rows sum to zero.
    around: features of images of each class, class-major `[k * ipc, d]`; their
      differences from the mean of their class become the free part.
    ridge: lambda in units of the mean diagonal of the kernel.
  """
  k = weights.shape[1]
  ipc = around.shape[0] // k
  # In a basis of the rows that sum to zero: that null direction is exact.
  rows = jnp.asarray(_zero_sum_basis(k), weights.dtype)
  reduced = jnp.matmul(weights, rows, precision=_HIGHEST)
  u, sigma, v = jnp.linalg.svd(reduced, full_matrices=False)
  v = jnp.matmul(rows, v.T, precision=_HIGHEST)
  real = sigma > k * jnp.finfo(sigma.dtype).eps * sigma[0]
  sigma = jnp.where(real, sigma, 1.0)
  u = jnp.where(real, u, 0)
  free = _within_classes(around, k)
  free = free - jnp.matmul(
    jnp.matmul(free, u, precision=_HIGHEST), u.T, precision=_HIGHEST
  )

  def scale(penalty: jax.Array) -> tuple[jax.Array, jax.Array]:
    slack = 1 - 4 * penalty * sigma**2 / ipc
    s = (1 + jnp.sqrt(jnp.maximum(slack, 0))) / (2 * sigma)
    return jnp.where(real, s, 0), jnp.min(jnp.where(real, slack, 1))

  def settle(_: jax.Array, penalty: jax.Array) -> jax.Array:
    s = scale(penalty)[0]
    trace = ipc * jnp.sum(s**2) + jnp.sum(free**2)
    return ridge * trace / around.shape[0]

  penalty = jax.lax.fori_loop(0, _SETTLE, settle, jnp.zeros((), weights.dtype))
  s, slack = scale(penalty)
  of_class = jnp.matmul(v * s, u.T, precision=_HIGHEST)
  return Distilled(jnp.repeat(of_class, ipc, 0) + free, slack)


def _zero_sum_basis(k: int) -> np.ndarray:
  """An orthonormal basis of vectors that sum to zero: `[k, k - 1]`."""
  first = np.concatenate([np.ones((k, 1)), np.eye(k)[:, 1:]], 1)
  return np.linalg.qr(first)[0][:, 1:]


def _within_classes(phi: jax.Array, k: int) -> jax.Array:
  grouped = phi.reshape(k, -1, phi.shape[1])
  return (grouped - grouped.mean(1, keepdims=True)).reshape(phi.shape)
