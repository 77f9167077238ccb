"""A parameterization: every stored image brings its mirror image."""

import jax.numpy as jnp

from dd_jax import LabeledData, register
from dd_jax.data.labels import LabelEncoding
from dd_jax.parameterization import Parameterization
from dd_jax.parameterization.labels import labelled, make_labels
from dd_jax.parameterization.pixels import images_of
from dd_jax.parameterization.starts import Start, real
from dd_jax.types import PyTree


def mirrored(
  ipc: int,
  image_shape: tuple[int, int, int],
  num_classes: int,
  *,
  start: Start = real,
  labels: str = 'free',
  encoding: LabelEncoding | None = None,
  label_rule: str = 'plain',
) -> Parameterization:
  """Stores `ipc` images per class, decoded to twice as many.

  Args:
    ipc: stored images per class.
    image_shape: `(h, w, c)`.
    num_classes: `k`.
    start: what the stored images start from.
    labels: see `pixels`; an image shares its label with its mirror image.
    encoding: of the labels.
    label_rule: see `pixels`.
  """
  del image_shape
  target = make_labels(labels, label_rule, encoding)
  base = labelled(images_of(start, ipc), num_classes, ipc, target)

  def decode(params: PyTree, constants: PyTree) -> LabeledData:
    image, label = base.decode(params, constants)
    both = jnp.stack([image, image[:, :, ::-1]], 1)  # neighbours: class-major
    both = both.reshape(-1, *image.shape[1:])
    return LabeledData(both, jnp.repeat(label, 2, 0))

  return base._replace(decode=decode)


register.parameterization('mirrored', mirrored)
