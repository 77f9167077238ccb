"""Less than one shot: fewer images than classes.

Their labels say something about every class. Its name in configurations is
`few`.
"""

import jax
import jax.numpy as jnp

from dd_jax.checks import check_least
from dd_jax.data.labels import LabelEncoding
from dd_jax.data.source import Source
from dd_jax.parameterization.base import Parameterization
from dd_jax.parameterization.labels import make_labels
from dd_jax.parameterization.starts import Start, real
from dd_jax.types import Key, LabeledData, PyTree, UserError


def less_than_one_shot(
  *,
  images: int = 5,
  start: Start = real,
  labels: str = 'free',
  encoding: LabelEncoding | None = None,
  label_rule: str = 'plain',
) -> Parameterization:
  """Learns pixels and soft labels of a handful of images (SLDD).

  They start as images of the first `images` classes, labelled so (Sucholutsky
  and Schonlau, arXiv 1910.02551). Not class-major: methods that compare classes
  refuse it.

  Args:
    images: at most the number of classes.
    start: what the images start from.
    labels: any but 'fixed', see `pixels`.
    encoding: of the labels, from where 'free' ones start; by default one-hot.
    label_rule: 'plain', or 'frepo', which divides them by sqrt(k / 10).

  Raises:
    UserError: labels that are not learned, or (by `init`) more images than
      there are classes.
  """
  target = make_labels(labels, label_rule, encoding)
  if not target.learned:
    raise UserError(
      "labels='fixed': fewer images than classes need learned ones"
    )
  check_least(1, images=images)

  def init(key: Key, source: Source) -> tuple[PyTree, PyTree]:
    if images > source.num_classes:
      raise UserError(
        f'images={images}: allowed are 1 to {source.num_classes}, the number '
        'of classes; for more, choose pixels'
      )
    image = start(key, source, 1)[:images]
    one_hot = jnp.eye(images, source.num_classes, dtype=image.dtype)
    return {'image': image, 'label': target.first(one_hot)}, {}

  def decode(params: PyTree, constants: PyTree) -> LabeledData:
    del constants
    label: jax.Array = target.decode(params['label'])
    return LabeledData(params['image'], label)

  return Parameterization(
    init, decode, plain=True, project=target.project, even=False
  )
