"""Multi-formation: every stored image is a mosaic of smaller ones (IDC).

Kim et al. (arXiv 2205.14959): a stored image is cut into `factor x factor`
tiles, and each is enlarged to the full size.
"""

import jax
import jax.numpy as jnp

from dd_jax.checks import check_least
from dd_jax.data.labels import LabelEncoding
from dd_jax.data.source import Source
from dd_jax.parameterization.base import Parameterization
from dd_jax.parameterization.labels import labelled, make_labels
from dd_jax.parameterization.pixels import images_of
from dd_jax.parameterization.resize import resize
from dd_jax.parameterization.starts import Start, real, with_repeats
from dd_jax.types import Key, LabeledData, PyTree, UserError


def multi_formation(
  ipc: int,
  image_shape: tuple[int, int, int],
  num_classes: int,
  *,
  factor: int = 2,
  start: Start = real,
  labels: str = 'free',
  encoding: LabelEncoding | None = None,
  label_rule: str = 'plain',
) -> Parameterization:
  """Stores `ipc` images per class, decoded to `factor^2` times as many.

  Exactly the numbers of `ipc` plain images: the tiles of an image share its
  label. It starts from `factor^2` images in each, shrunk.

  Args:
    ipc: stored images per class.
    image_shape: `(h, w, c)`.
    num_classes: `k`.
    factor: tiles to a side; the paper's is 2, and 3 for 224 x 224. Where it
      does not divide the side, images are padded at the right and bottom.
    start: what the decoded images start from.
    labels: see `pixels`.
    encoding: of the labels.
    label_rule: see `pixels`.

  Raises:
    UserError: a factor that leaves tiles of fewer than 2 pixels.
  """
  side = min(image_shape[:2])
  if not 1 <= factor <= max(1, side // 2):
    raise UserError(
      f'factor={factor}: allowed are 1 to {max(1, side // 2)} for images of '
      f'{image_shape[0]}x{image_shape[1]}'
    )
  target = make_labels(labels, label_rule, encoding)
  check_least(1, ipc=ipc)
  images = images_of(mosaic(with_repeats(start), factor), ipc)
  stored = labelled(images, num_classes, ipc, target)
  return formation(stored, factor)._replace(note=_note(image_shape, factor))


def formation(base: Parameterization, factor: int) -> Parameterization:
  """Cuts every image of `base` into tiles, which share its label."""

  def decode(params: PyTree, constants: PyTree) -> LabeledData:
    image, label = base.decode(params, constants)
    return LabeledData(tiles(image, factor), jnp.repeat(label, factor**2, 0))

  return base._replace(decode=decode, plain=False)


def tiles(image: jax.Array, factor: int) -> jax.Array:
  """Cuts and enlarges `[n, h, w, c]` to `[n * factor^2, h, w, c]`.

  Where the factor does not divide a side, the image is padded at the right and
  bottom, as IDC's are; by 0, the mean of standardised data (IDC: mid-grey).
  """
  n, h, w, c = image.shape
  high, wide = -(-h // factor), -(-w // factor)
  image = jnp.pad(
    image, ((0, 0), (0, high * factor - h), (0, wide * factor - w), (0, 0))
  )
  cut = image.reshape(n, factor, high, factor, wide, c).swapaxes(2, 3)
  return resize(cut.reshape(-1, high, wide, c), h, w)


def mosaic(start: Start, factor: int) -> Start:
  """A start whose every image is `factor^2` of `start`'s, shrunk."""

  def started(key: Key, source: Source, ipc: int) -> jax.Array:
    image = start(key, source, ipc * factor**2)
    _, h, w, c = image.shape
    high, wide = -(-h // factor), -(-w // factor)
    small = resize(image, high, wide)
    grid = small.reshape(-1, factor, factor, high, wide, c).swapaxes(2, 3)
    return grid.reshape(-1, factor * high, factor * wide, c)[:, :h, :w]

  return started


def _note(image_shape: tuple[int, int, int], factor: int) -> str:
  h, w, _ = image_shape
  if not (h % factor or w % factor):
    return ''
  high, wide = (-(-x // factor) * factor for x in (h, w))
  return (
    f'parameterization.factor={factor} does not divide {h}x{w}: images are '
    f'padded to {high}x{wide} before they are cut'
  )
