"""The plain parameterization: every pixel, and by choice every label."""

from collections.abc import Callable

import jax

from dd_jax.checks import check_name
from dd_jax.data.labels import LabelEncoding
from dd_jax.data.source import Source
from dd_jax.parameterization.base import DERIVED, Parameterization
from dd_jax.parameterization.labels import Images, make_labels
from dd_jax.parameterization.per_class import (
  PerClass,
  check_per_class,
  class_index,
  of_each,
)
from dd_jax.parameterization.starts import Start, real
from dd_jax.types import Key, LabeledData, PyTree, UserError


def pixels(
  ipc: PerClass,
  *,
  start: Start = real,
  labels: str = 'free',
  learn_images: bool = True,
  encoding: LabelEncoding | None = None,
  label_rule: str = 'plain',
  range: str = 'free',
  into_range: Callable[[jax.Array], jax.Array] | None = None,
) -> Parameterization:
  """Learns the pixels of `ipc` images per class, the labels, or both.

  Args:
    ipc: images per class; or those of each class, which methods that compare
      class by class refuse.
    start: what the images start from.
    labels: 'fixed' (the class); 'free' (any numbers, starting there);
      'nonnegative' or 'simplex' (projected after each step) or 'logits' (a
      softmax). A cross-entropy has no lower bound under a label below 0.
    learn_images: False learns the labels only.
    encoding: of the labels, from where 'free' ones start; by default one-hot.
    label_rule: 'plain', or 'frepo', which divides them by sqrt(k / 10).
    range: 'free', or 'data': images are kept within the range of real ones, at
      the start and after each step.
    into_range: `image [n, h, w, c] -> image` within that range, such as
      `Preprocessing.into_range` of the real data; 'data' needs it.

  Raises:
    UserError: for an unknown `labels` or `range`, or where nothing is learned.
  """
  target = make_labels(labels, label_rule, encoding)
  within = _within(range, into_range)
  check_per_class(ipc)
  if not (target.learned or learn_images):
    raise UserError("learn_images=False with labels='fixed' learns nothing")

  def init(key: Key, source: Source) -> tuple[PyTree, PyTree]:
    index = class_index(ipc, source.num_classes)
    image = within(of_each(lambda count: start(key, source, count), ipc))
    params: dict[str, jax.Array] = {}
    constants: dict[str, PyTree] = {}
    (params if learn_images else constants)['image'] = image
    if target.learned:
      one_hot = jax.nn.one_hot(index, source.num_classes, dtype=image.dtype)
      params['label'] = target.first(one_hot)
    else:
      constants[DERIVED] = {'class': index}  # class-major: nobody needs it
    return params, constants

  def decode(params: PyTree, constants: PyTree) -> LabeledData:
    image = {**params, **constants}['image']
    if target.learned:
      return LabeledData(image, target.decode(params['label']))
    # One image per class at least, so the last class is the largest number.
    index = constants[DERIVED]['class']
    classes = index.shape[0] // ipc if isinstance(ipc, int) else len(ipc)
    one_hot = jax.nn.one_hot(index, classes, dtype=image.dtype)
    return LabeledData(image, target.encode(one_hot))

  def project(params: PyTree) -> PyTree:
    params = target.project(params)
    if not learn_images:
      return params
    return {**params, 'image': within(params['image'])}

  return Parameterization(
    init,
    decode,
    plain=True,
    project=project,
    in_range=range == 'data',
    even=isinstance(ipc, int),
  )


def _within(
  range: str, into_range: Callable[[jax.Array], jax.Array] | None
) -> Callable[[jax.Array], jax.Array]:
  """What brings images to where they may be."""
  check_name('range', range, ('free', 'data'))
  if range == 'free':
    return lambda image: image
  if into_range is None:
    raise UserError("range='data': needs into_range, of the real data")
  return into_range


def images_of(start: Start, ipc: int) -> Images:
  """Images alone, every pixel learned: what other parameterizations build on.

  Args:
    start: what they start from.
    ipc: images per class.
  """
  return Images(
    lambda key, source: ({'image': start(key, source, ipc)}, {}),
    lambda params, constants: params['image'],
  )
