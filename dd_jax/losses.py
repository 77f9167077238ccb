"""Losses between predictions and labels, embeddings, and gradients."""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp

from dd_jax.derivatives import held
from dd_jax.types import Key, PyTree

_COSINE_EPSILON = 1e-6  # as published


def squared_error(prediction: jax.Array, label: jax.Array) -> jax.Array:
  """Half the squared error summed over classes, per example: `[n]`."""
  return 0.5 * jnp.sum((prediction - label) ** 2, -1)


def soft_cross_entropy(logits: jax.Array, label: jax.Array) -> jax.Array:
  """`-sum_c label_c log softmax(logits)_c`, per example: `[n]`."""
  return -jnp.sum(label * jax.nn.log_softmax(logits), -1)


def label_margin(label: jax.Array, cap: float = 1.0) -> jax.Array:
  """FRePo's margin term: minus the gap of the two largest labels, capped.

  `mean_i -min(top1_i - top2_i, cap/k)`, a scalar (arXiv 2206.00719; RCIG caps
  at half of that).
  """
  top = jax.lax.top_k(label, 2)[0]
  limit = cap / label.shape[-1]
  return -jnp.mean(jnp.minimum(top[:, 0] - top[:, 1], limit))


def accuracy(prediction: jax.Array, label: jax.Array) -> jax.Array:
  """Share of examples whose largest prediction is their largest label."""
  hit = jnp.argmax(prediction, -1) == jnp.argmax(label, -1)
  return jnp.mean(hit.astype(jnp.float32))


# Distances between two clouds of embeddings, real `x [n, d]` and synthetic
# `y [m, d]`. All are squared discrepancies, zero for equal distributions.

BANDWIDTHS = (0.25, 0.5, 1.0, 2.0, 4.0)
"""M3D's five Gaussians, in units of the mean squared distance."""


def squared_gap(x: jax.Array, y: jax.Array) -> jax.Array:
  """Sum of squared differences of two arrays of one shape: a scalar."""
  return jnp.sum((x - y) ** 2)


def mean_discrepancy(x: jax.Array, y: jax.Array) -> jax.Array:
  """`|mean x - mean y|^2`: DM's (arXiv 2110.04181), the linear kernel's."""
  return squared_gap(x.mean(0), y.mean(0))


def gaussian_discrepancy(
  x: jax.Array, y: jax.Array, widths: Sequence[float] = BANDWIDTHS
) -> jax.Array:
  r"""M3D's maximum mean discrepancy, a scalar (arXiv 2312.15927).

  With :math:`k(d) = \sum_w \exp(-d^2 / (w h))` over `widths` and `h` the mean
  squared distance between two points of the pool (no gradient to it): `mean
  k(x, x') + mean k(y, y') - 2 mean k(x, y)`, equal points included. For large
  widths it tends to `mean_discrepancy` times `2 / h * sum(1 / w)`.
  """
  points = jnp.concatenate([x, y])
  scaled = _squared_distances(points) / _spread(points)
  kernel = jnp.sum(jnp.stack([jnp.exp(-scaled / w) for w in widths]), 0)
  n = x.shape[0]
  within = jnp.mean(kernel[:n, :n]) + jnp.mean(kernel[n:, n:])
  return within - 2 * jnp.mean(kernel[:n, n:])


def fourier_discrepancy(
  key: Key,
  x: jax.Array,
  y: jax.Array,
  frequencies: int = 4096,
  widths: Sequence[float] = BANDWIDTHS,
) -> jax.Array:
  r"""`gaussian_discrepancy` by random frequencies, a scalar.

  The mean over frequencies `t` of :math:`|\phi_x(t) - \phi_y(t)|^2`, where
  :math:`\phi` is the empirical characteristic function; unbiased, and linear in
  the number of points (NCFM, arXiv 2502.20653, compares the same functions).
  """
  k_width, k_direction = jax.random.split(key)
  spread = _spread(jnp.concatenate([x, y]))
  width = jax.random.choice(
    k_width, jnp.asarray(widths, x.dtype), (frequencies,)
  )
  direction = jax.random.normal(k_direction, (x.shape[1], frequencies), x.dtype)
  frequency = direction * jnp.sqrt(2 / (width * spread))
  gap = [
    jnp.mean(wave(_product(x, frequency)), 0)
    - jnp.mean(wave(_product(y, frequency)), 0)
    for wave in (jnp.cos, jnp.sin)
  ]
  return len(widths) * jnp.mean(gap[0] ** 2 + gap[1] ** 2)


def attention_map(activation: jax.Array, power: int = 4) -> jax.Array:
  """DataDAM's spatial attention of `[n, h, w, c]`: `[n, h * w]`.

  Sums `|activation|^power` over channels and scales each map to length 1; a map
  that is zero everywhere stays zero (arXiv 2310.00093).
  """
  attention = jnp.sum(jnp.abs(activation) ** power, -1)
  attention = attention.reshape(attention.shape[0], -1)
  length = jnp.sum(attention**2, -1, keepdims=True)
  # The root's gradient, the third power of its value, must stay finite.
  least = float(jnp.finfo(attention.dtype).tiny) ** 0.6
  return attention * jax.lax.rsqrt(jnp.maximum(length, least))


def _product(x: jax.Array, y: jax.Array) -> jax.Array:
  return jnp.matmul(x, y, precision=jax.lax.Precision.HIGHEST)


def _squared_distances(points: jax.Array) -> jax.Array:
  """Between all of `points [n, d]`: `[n, n]`."""
  norm = jnp.sum(points**2, -1)
  distance = norm[:, None] + norm[None] - 2 * _product(points, points.T)
  # Rounding leaves the diagonal and duplicates a little off zero.
  return jnp.maximum(distance, 0)


def _spread(points: jax.Array) -> jax.Array:
  """Mean squared distance of two different points; no gradient to it."""
  spread = 2 * jnp.sum(jnp.var(points, 0, ddof=1))
  least = float(jnp.finfo(points.dtype).tiny) ** 0.5  # of equal points
  return held(jnp.maximum(spread, least))


# Distances between two gradients, trees of arrays `[..., out]`. All of them are
# sums, so that published learning rates carry over.


def layerwise_cosine(a: PyTree, b: PyTree) -> jax.Array:
  r"""DC's distance: angles, output channel by output channel.

  .. math:: \sum_l \sum_i 1 - a_{li} \cdot b_{li} / (|a_{li}| |b_{li}| + 1e-6)

  over layers and output channels, the last axis (Zhao et al., arXiv
  2006.05929, eq. 10).
  """
  return _over_leaves(lambda x, y: jnp.sum(1 - _channel_cosine(x, y)), a, b)


def layerwise_magnitude(a: PyTree, b: PyTree) -> jax.Array:
  """`layerwise_cosine` plus each channel's Euclidean distance.

  Angle and magnitude together, after Jiang et al., arXiv 2208.00311.
  """
  far = _over_leaves(lambda x, y: jnp.sum(_norm(_channels(x - y))), a, b)
  return layerwise_cosine(a, b) + far


def global_cosine(a: PyTree, b: PyTree) -> jax.Array:
  """One minus the cosine of the angle between two whole gradients."""
  x, y = (
    jnp.concatenate([leaf.ravel() for leaf in jax.tree.leaves(tree)])
    for tree in (a, b)
  )
  return 1 - jnp.vdot(x, y) / (_norm(x) * _norm(y) + _COSINE_EPSILON)


def summed_squares(a: PyTree, b: PyTree) -> jax.Array:
  """The squared Euclidean distance of two gradients."""
  return _over_leaves(lambda x, y: jnp.sum((x - y) ** 2), a, b)


def summed_differences(a: PyTree, b: PyTree) -> jax.Array:
  """The sum of absolute differences of two gradients; no slope where equal."""
  return _over_leaves(lambda x, y: jnp.vdot(x - y, jnp.sign(x - y)), a, b)


DISTANCES: dict[str, Callable[[PyTree, PyTree], jax.Array]] = {
  'layerwise': layerwise_cosine,
  'magnitude': layerwise_magnitude,
  'cosine': global_cosine,
  'mse': summed_squares,
  'l1': summed_differences,
}
"""Of gradients, by name."""


def _over_leaves(
  distance: Callable[[jax.Array, jax.Array], jax.Array], a: PyTree, b: PyTree
) -> jax.Array:
  return jnp.sum(jnp.stack(jax.tree.leaves(jax.tree.map(distance, a, b))))


def _channels(x: jax.Array) -> jax.Array:
  """`[..., out]` as `[inputs, out]`."""
  return x.reshape(-1, x.shape[-1])


def _channel_cosine(x: jax.Array, y: jax.Array) -> jax.Array:
  x, y = _channels(x), _channels(y)
  return jnp.sum(x * y, 0) / (_norm(x) * _norm(y) + _COSINE_EPSILON)


def _norm(x: jax.Array) -> jax.Array:
  """Euclidean, over the first axis; its gradient at zero is zero."""
  square = jnp.sum(x * x, 0)
  positive = square > 0
  return jnp.where(positive, jnp.sqrt(jnp.where(positive, square, 1)), 0)
