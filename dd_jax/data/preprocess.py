"""Preprocessing: pixels to model space and back."""

import dataclasses
import functools
import hashlib
import math
from collections.abc import Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from dd_jax.types import UserError

_TINY = 1e-6


class Zca(NamedTuple):
  """A fitted whitening of flat images of `d` values, and its inverse.

  Attributes:
    centre: float32 `[d]`, subtracted first.
    whiten: float32 `[d, d]`, symmetric.
    unwhiten: float32 `[d, d]`, the inverse of `whiten`; None where it is solved
      for each time.
  """

  centre: jax.Array
  whiten: jax.Array
  unwhiten: jax.Array | None = None

  def apply(self, image: jax.Array) -> jax.Array:
    """Whitens `[..., h, w, c]`."""
    return self.change(image - self.centre.reshape(image.shape[-3:]))

  def change(self, difference: jax.Array) -> jax.Array:
    """Whitens a difference of images `[..., h, w, c]`."""
    flat = difference.reshape(*difference.shape[:-3], -1)
    return _matmul(flat, self.whiten).reshape(difference.shape)

  def invert(self, image: jax.Array) -> jax.Array:
    """Undoes `apply`."""
    flat = image.reshape(*image.shape[:-3], -1)
    flat = (
      self._solve(flat)
      if self.unwhiten is None
      else _matmul(flat, self.unwhiten)
    )
    return (flat + self.centre).reshape(image.shape)

  def _solve(self, flat: jax.Array) -> jax.Array:
    """`flat` times the inverse of `whiten`."""
    rows = flat.reshape(-1, flat.shape[-1])
    return jnp.linalg.solve(self.whiten, rows.T).T.reshape(flat.shape)


@functools.partial(
  jax.tree_util.register_dataclass,
  data_fields=('mean', 'std', 'norm', 'zca'),
  meta_fields=('name', 'note'),
)
@dataclasses.dataclass(frozen=True)
class Preprocessing:
  """A fitted preprocessing; a pytree.

  In this order: pixels to [0, 1]; per channel `(x - mean) / std`; where there
  is a `norm`, each image minus its own mean, divided by its own L2 norm; where
  there is a `zca`, whitening.

  Attributes:
    name: the recipe, one of `fitting.NAMES`.
    mean: float32 `[c]`, in units of [0, 1].
    std: float32 `[c]`, in units of [0, 1].
    norm: the mean L2 norm of training images before they were divided by it
      (a scalar), or None where images keep their mean and norm.
    zca: the whitening, or None.
    note: what a report must say about these images; empty where nothing.
  """

  name: str
  mean: jax.Array
  std: jax.Array
  norm: jax.Array | None = None
  zca: Zca | None = None
  note: str = ''

  @property
  def unit_norm(self) -> bool:
    """Whether each image's own mean and norm are thrown away."""
    return self.norm is not None

  @property
  def per_channel(self) -> bool:
    """Whether it is cheap enough to be redone for every batch."""
    return self.zca is None

  def apply(self, image: jax.Array) -> jax.Array:
    """uint8 (0-255) or float ([0, 1]) `[..., h, w, c]` to model space."""
    x = (to_unit(image) - self.mean) / self.std
    if self.norm is not None:
      x = x - x.mean((-3, -2, -1), keepdims=True)
      x = x / jnp.maximum(_norm(x), _TINY)
    return x if self.zca is None else self.zca.apply(x)

  def invert(self, image: jax.Array) -> jax.Array:
    """Model space `[..., h, w, c]` to float32 in about [0, 1], not clipped.

    Exact, except where `unit_norm`: an image's own mean and norm are lost
    there, and the training images' mean and mean norm take their place.
    """
    x = image if self.zca is None else self.zca.invert(image)
    if self.norm is not None:
      x = x * self.norm
    return x * self.std + self.mean

  def into_range(self, image: jax.Array) -> jax.Array:
    """Brings model space `[..., h, w, c]` to what pixels in [0, 1] become.

    Per channel that is the nearest such image. Where there is a whitening it is
    undone, pixels are clipped and whitened again: the nearest image in pixels,
    at the cost of two products with a matrix `[d, d]`. What is inside already
    stays as it is, to the bit, and what comes out is inside up to rounding.
    Not where `unit_norm`: without mean and norm, images have no range.
    """
    assert not self.unit_norm, self.name
    low, high = -self.mean / self.std, (1 - self.mean) / self.std
    if self.zca is None:
      return jnp.clip(image, low, high)
    pixel = self.zca.invert(image)
    return image + self.zca.change(jnp.clip(pixel, low, high) - pixel)

  def display(self, image: jax.Array) -> jax.Array:
    """Model space to uint8, clipped; rescaled per image where `unit_norm`."""
    return self.picture(self.invert(image))

  def picture(self, pixel: jax.Array) -> jax.Array:
    """What `invert` gives, to uint8, as `display` does."""
    x = pixel
    if self.unit_norm:
      axes = (-3, -2, -1)
      low, high = x.min(axes, keepdims=True), x.max(axes, keepdims=True)
      x = (x - low) / jnp.maximum(high - low, _TINY)
    return jnp.round(jnp.clip(x, 0, 1) * 255).astype(jnp.uint8)


def to_unit(image: jax.Array) -> jax.Array:
  """uint8 (0-255) or float ([0, 1]) to float32 in [0, 1]."""
  x = image.astype(jnp.float32)
  return x / 255 if image.dtype == jnp.uint8 else x


def to_arrays(preprocessing: Preprocessing) -> dict[str, np.ndarray]:
  """The preprocessing as plain arrays under the names of its fields.

  Strings are NumPy strings; absent parts are left out.
  """
  p = preprocessing
  found = {'mean': p.mean, 'std': p.std, 'norm': p.norm}
  if p.zca is not None:
    found |= p.zca._asdict()
  arrays = {k: np.asarray(v) for k, v in found.items() if v is not None}
  return arrays | {'name': np.asarray(p.name), 'note': np.asarray(p.note)}


def from_arrays(arrays: Mapping[str, np.ndarray]) -> Preprocessing:
  """Undoes `to_arrays`, bit for bit."""
  zca = None
  if 'whiten' in arrays:
    zca = Zca(**{k: jnp.asarray(arrays[k]) for k in Zca._fields if k in arrays})
  return Preprocessing(
    str(arrays['name']),
    jnp.asarray(arrays['mean']),
    jnp.asarray(arrays['std']),
    jnp.asarray(arrays['norm']) if 'norm' in arrays else None,
    zca,
    str(arrays['note']),
  )


def check_suits(
  preprocessing: Preprocessing, image_shape: tuple[int, int, int]
) -> None:
  """Refuses one that was fitted to images of another kind.

  Args:
    preprocessing: fitted before.
    image_shape: `(h, w, c)` of the images that it is for now.

  Raises:
    UserError: it is for another number of channels, or of values.
  """
  p, size = preprocessing, ' x '.join(map(str, image_shape))
  if len(p.mean) != image_shape[-1]:
    raise UserError(
      f'preprocessing={p.name!r}: was fitted to images of {len(p.mean)} '
      f'channels; these are {size}'
    )
  if p.zca and len(p.zca.centre) != math.prod(image_shape):
    raise UserError(
      f'preprocessing={p.name!r}: was fitted to images of '
      f'{len(p.zca.centre):,} values; these are {size}'
    )


def with_inverse(preprocessing: Preprocessing) -> Preprocessing:
  """One whose whitening need not be solved for each time it is undone."""
  zca = preprocessing.zca
  if zca is None or zca.unwhiten is not None:
    return preprocessing
  inverse = np.linalg.inv(np.asarray(zca.whiten, np.float64))
  zca = zca._replace(unwhiten=jnp.asarray(inverse, jnp.float32))
  return dataclasses.replace(preprocessing, zca=zca)


def digest(preprocessing: Preprocessing) -> str:
  """SHA-256 of its arrays, in hexadecimal."""
  found = hashlib.sha256()
  for name, array in sorted(to_arrays(preprocessing).items()):
    found.update(f'{name} {array.dtype.str} {array.shape}'.encode())
    found.update(array.tobytes())
  return found.hexdigest()


def _norm(x: jax.Array) -> jax.Array:
  return jnp.sqrt((x**2).sum((-3, -2, -1), keepdims=True))


def _matmul(x: jax.Array, matrix: jax.Array) -> jax.Array:
  # Whitening amplifies what TF32 or bfloat16 products would round away.
  return jnp.matmul(x, matrix, precision='highest')
