"""Frequency domain: the few cosine coefficients that vary most (FreD).

Shin et al. (arXiv 2311.08819): an image is the inverse discrete cosine
transform of coefficients that are zero outside a mask. A class's mask holds
the frequencies of the largest variance over its real images.
"""

import jax
import jax.numpy as jnp
import numpy as np

from dd_jax.data.by_class import check_counts, class_members, take_images
from dd_jax.data.labels import LabelEncoding
from dd_jax.data.source import Source
from dd_jax.parameterization.base import Parameterization
from dd_jax.parameterization.labels import Images, Stored, make_labels
from dd_jax.parameterization.starts import Start, real, with_repeats
from dd_jax.parameterization.storage import budget_of
from dd_jax.types import Key, PyTree, UserError

_HIGHEST = jax.lax.Precision.HIGHEST
_EXAMPLES = 1000  # of a class, for the variance


def frequency(
  ipc: int,
  image_shape: tuple[int, int, int],
  num_classes: int,
  *,
  keep: int = 0,
  images: int = 0,
  start: Start = real,
  labels: str = 'free',
  encoding: LabelEncoding | None = None,
  label_rule: str = 'plain',
) -> Parameterization:
  """Cosine coefficients in the room of `ipc` plain images per class.

  Args:
    ipc: the budget, in plain images per class.
    image_shape: `(h, w, c)`.
    num_classes: `k`.
    keep: coefficients of a channel; 0 for a sixteenth of them, the paper's. All
      of them need no mask: pixels by another name.
    images: decoded per class; 0 for as many as the budget holds.
    start: what the images start from, as near as the mask allows.
    labels: see `pixels`; one of its own for each image.
    encoding: of the labels.
    label_rule: see `pixels`.

  Raises:
    UserError: `keep` is out of range.
  """
  target = make_labels(labels, label_rule, encoding)
  h, w, c = image_shape
  if not 0 <= keep <= h * w:
    raise UserError(f'keep={keep}: allowed are 0 to {h * w} for {h}x{w}')
  kept = keep or -(-h * w // 16)
  masked = kept < h * w
  mask_bytes = -(-h * w // 8) * num_classes if masked else 0
  room = budget_of(ipc, image_shape, num_classes, target).room(
    images, shared=-(-mask_bytes // 4), each=kept * c, what='the masks'
  )
  per_class = room.per_class

  def init(key: Key, source: Source) -> Stored:
    image = with_repeats(start)(key, source, per_class)
    full = transform(image).reshape(num_classes, per_class, h * w, c)
    if not masked:
      return {'coefficient': full}, {}
    mask = class_masks(source, kept)
    chosen = jnp.stack([f[:, m] for f, m in zip(full, mask, strict=True)])
    return {'coefficient': chosen}, {'mask': jnp.asarray(np.packbits(mask, 1))}

  def decode(params: PyTree, constants: PyTree) -> jax.Array:
    full = params['coefficient']
    if masked:
      mask = jnp.unpackbits(constants['mask'], axis=1, count=h * w) > 0
      full = jax.vmap(_spread)(full, mask)
    return inverse_transform(full.reshape(-1, h, w, c))

  return room.filled(Images(init, decode))


def _spread(coefficient: jax.Array, mask: jax.Array) -> jax.Array:
  """Puts `[m, kept, c]` where `mask [h w]` is: `[m, h w, c]`."""
  rank = jnp.maximum(jnp.cumsum(mask) - 1, 0)
  return jnp.where(mask[:, None], coefficient[:, rank], 0)


def class_masks(source: Source, keep: int) -> np.ndarray:
  """Each class's frequencies of largest variance: bool `[k, h w]`.

  The variance is averaged over channels; of 1,000 examples at most.
  """
  check_counts(source, 1)
  masks = []
  for members in class_members(source):
    image = take_images(source, members[:_EXAMPLES])
    variance = np.asarray(jnp.var(transform(image), 0).mean(-1)).reshape(-1)
    mask = np.zeros(variance.shape, bool)
    mask[np.argsort(-variance, kind='stable')[:keep]] = True
    masks.append(mask)
  return np.stack(masks)


def transform(image: jax.Array) -> jax.Array:
  """The orthonormal cosine transform (DCT-II) of `[n, h, w, c]`."""
  rows, columns = _cosines(image.shape[1]), _cosines(image.shape[2])
  return jnp.einsum(
    'uh,nhwc,vw->nuvc', rows, image, columns, precision=_HIGHEST
  )


def inverse_transform(coefficient: jax.Array) -> jax.Array:
  """Undoes `transform`."""
  rows, columns = _cosines(coefficient.shape[1]), _cosines(coefficient.shape[2])
  return jnp.einsum(
    'uh,nuvc,vw->nhwc', rows, coefficient, columns, precision=_HIGHEST
  )


def _cosines(size: int) -> np.ndarray:
  """The matrix of the one-dimensional transform: `[frequency, position]`."""
  angle = np.pi / size * np.outer(np.arange(size), np.arange(size) + 0.5)
  scale = np.where(np.arange(size) == 0, 1 / size, 2 / size) ** 0.5
  return (scale[:, None] * np.cos(angle)).astype(np.float32)
