"""Accuracy on noisy, blurred and otherwise worn images.

After CIFAR-10-C (Hendrycks and Dietterich, arXiv 1903.12261), whose constants
for images of 32 pixels these are, at severities 1 to 5; lengths grow with the
shorter side. Own implementations: shapes of noise, blur and tone are its
formulas, draws are JAX's, motion is interpolated, and pixels are not rounded to
bytes, so figures are near those of its files and not equal to them.
"""

import functools
from collections.abc import Callable
from typing import TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.ndimage import map_coordinates

from dd_jax.evaluation.metrics import changed
from dd_jax.evaluation.metrics.base import Case, Measure
from dd_jax.evaluation.metrics.changed import Chunk
from dd_jax.evaluation.tester import Answer
from dd_jax.types import Key

SEVERITIES = (1, 2, 3, 4, 5)
_SIDE = 32  # pixels, of the images that the constants are for

Corrupt: TypeAlias = Callable[[Key, jax.Array, jax.Array], jax.Array]
"""`(key, pixel [b, h, w, c] in [0, 1], severity 0 to 4) -> pixel`, traced."""


def gaussian_noise(key: Key, pixel: jax.Array, i: jax.Array) -> jax.Array:
  """Adds normal noise of deviation 0.04 to 0.1."""
  scale = jnp.array([0.04, 0.06, 0.08, 0.09, 0.10])[i]
  return pixel + scale * jax.random.normal(key, pixel.shape)


def shot_noise(key: Key, pixel: jax.Array, i: jax.Array) -> jax.Array:
  """Counts photons: Poisson, white being 500 to 50 of them."""
  white = jnp.array([500.0, 250.0, 100.0, 75.0, 50.0])[i]
  return jax.random.poisson(key, pixel * white) / white


def impulse_noise(key: Key, pixel: jax.Array, i: jax.Array) -> jax.Array:
  """Makes 1 to 7 % of the values black or white, by a coin."""
  share = jnp.array([0.01, 0.02, 0.03, 0.05, 0.07])[i]
  draw = jax.random.uniform(key, pixel.shape)
  worn = jnp.where(draw < share / 2, 0.0, 1.0)
  return jnp.where(draw < share, worn, pixel)


def gaussian_blur(key: Key, pixel: jax.Array, i: jax.Array) -> jax.Array:
  """Blurs by a Gaussian of 0.4 to 1 pixels; the edge goes on outside."""
  del key
  sigma = _scale(pixel) * jnp.array([0.4, 0.6, 0.7, 0.8, 1.0])[i]
  _, h, w, _ = pixel.shape
  return _both_ways(_blur(h, sigma), _blur(w, sigma), pixel)


def motion_blur(key: Key, pixel: jax.Array, i: jax.Array) -> jax.Array:
  """Drags each image along a line of its own, within 45 degrees of a row.

  Half a Gaussian of 1 to 2.5 pixels, cut after 12 to 18.
  """
  scale = _scale(pixel)
  length = scale * jnp.array([12.0, 12.0, 12.0, 16.0, 18.0])[i]
  sigma = scale * jnp.array([1.0, 1.5, 2.0, 2.0, 2.5])[i]
  along = jnp.arange(int(np.ceil(18 * scale)) + 1)
  weight = jnp.exp(-(along**2) / (2 * sigma**2)) * (along <= length)
  angle = jax.random.uniform(
    key, (len(pixel),), minval=-jnp.pi / 4, maxval=jnp.pi / 4
  )
  drag = jax.vmap(functools.partial(_dragged, weight / weight.sum()))
  return drag(pixel, angle)


def contrast(key: Key, pixel: jax.Array, i: jax.Array) -> jax.Array:
  """Moves every value to the mean of its channel, by a quarter to 85 %."""
  del key
  mean = pixel.mean((1, 2), keepdims=True)
  return mean + jnp.array([0.75, 0.5, 0.4, 0.3, 0.15])[i] * (pixel - mean)


def brightness(key: Key, pixel: jax.Array, i: jax.Array) -> jax.Array:
  """Adds 0.05 to 0.3 to the value of hue, saturation and value."""
  del key
  value = pixel.max(-1, keepdims=True)
  lighter = jnp.minimum(value + jnp.array([0.05, 0.1, 0.15, 0.2, 0.3])[i], 1)
  black = value == 0
  return jnp.where(black, lighter, pixel * lighter / jnp.where(black, 1, value))


def pixelate(key: Key, pixel: jax.Array, i: jax.Array) -> jax.Array:
  """Makes images smaller, to 95 to 65 % a side, and larger again, by areas."""
  del key
  _, h, w, _ = pixel.shape
  down, across = (jnp.asarray(_coarse(size))[i] for size in (h, w))
  return _both_ways(down, across, pixel)


KINDS: dict[str, Corrupt] = {
  'gaussian_noise': gaussian_noise,
  'shot_noise': shot_noise,
  'impulse_noise': impulse_noise,
  'gaussian_blur': gaussian_blur,
  'motion_blur': motion_blur,
  'contrast': contrast,
  'brightness': brightness,
  'pixelate': pixelate,
}
"""By name."""


def corrupted(kind: str, case: Case) -> Measure:
  """Accuracy under one of `KINDS`, a mean over severities."""
  about = f'severities {SEVERITIES[0]} to {SEVERITIES[-1]}'
  return changed.accuracy(case, change(kind), SEVERITIES, about)


@functools.cache
def change(kind: str) -> changed.Change:
  """The corruption of that name, `level` being its severity."""

  def made(answer: Answer, chunk: Chunk) -> jax.Array:
    del answer
    severity = chunk.level.astype(jnp.int32) - 1
    return jnp.clip(KINDS[kind](chunk.key, chunk.pixel, severity), 0, 1)

  return made


def _scale(pixel: jax.Array) -> float:
  """How much longer lengths are than for images of 32 pixels."""
  return min(pixel.shape[1:3]) / _SIDE


def _both_ways(
  down: jax.Array, across: jax.Array, pixel: jax.Array
) -> jax.Array:
  """Mixes rows by `down [h, h]` and columns by `across [w, w]`."""
  exact = jax.lax.Precision.HIGHEST
  return jnp.einsum('ih,bhwc,jw->bijc', down, pixel, across, precision=exact)


def _blur(size: int, sigma: jax.Array) -> jax.Array:
  """A row of weights for every place, `[size, size]`."""
  place = jnp.arange(size)
  reach = jnp.arange(-size, size + 1)
  weight = jnp.exp(-(reach**2) / (2 * sigma**2))
  weight = weight / weight.sum()
  at = jnp.clip(place[:, None] + reach, 0, size - 1)
  return jnp.zeros((size, size)).at[place[:, None], at].add(weight)


def _dragged(
  weight: jax.Array, image: jax.Array, angle: jax.Array
) -> jax.Array:
  """The mean of `image [h, w, c]` along a line, by `weight` a pixel."""
  h, w, _ = image.shape
  along = jnp.arange(len(weight))[:, None, None]
  row = jnp.arange(h)[:, None] + along * jnp.sin(angle)
  column = jnp.arange(w) + along * jnp.cos(angle)

  def channel(x: jax.Array) -> jax.Array:
    found = map_coordinates(x, [row, column], order=1, mode='nearest')
    return jnp.tensordot(weight, found, 1)

  return jax.vmap(channel, -1, -1)(image)


@functools.cache
def _coarse(size: int) -> np.ndarray:
  """What each severity does to a side: float32 `[5, size, size]`."""
  sides = (max(1, int(size * c)) for c in (0.95, 0.9, 0.85, 0.75, 0.65))
  each = [areas(size, side) for side in sides]
  return np.stack([areas(len(a), size) @ a for a in each]).astype(np.float32)


def areas(old: int, new: int) -> np.ndarray:
  """Resizes a side by areas: `[new, old]`, rows that sum to 1."""
  edges, cells = np.arange(new + 1) * old / new, np.arange(old)
  low = np.maximum(edges[:-1, None], cells)
  high = np.minimum(edges[1:, None], cells + 1)
  return np.maximum(high - low, 0) * new / old
