"""Latents: images are codes seen through a frozen decoder.

The way IT-GAN, GLaD and KFS work: what is learned is a code for each image;
the decoder is given as a function and its variables, and counts as stored.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from dd_jax.data.by_class import numpy_generator, take_images
from dd_jax.data.labels import LabelEncoding
from dd_jax.data.source import Source
from dd_jax.parameterization.base import Parameterization
from dd_jax.parameterization.labels import Images, Stored, make_labels
from dd_jax.parameterization.starts import Start, real, with_repeats
from dd_jax.parameterization.storage import budget_of
from dd_jax.types import Key, PyTree, UserError

_HIGHEST = jax.lax.Precision.HIGHEST
_EXAMPLES = 5000  # that the linear decoder is fitted to


class Decoder(NamedTuple):
  """A frozen decoder.

  Attributes:
    fit: `(key, source) -> variables`; not traced; may look at the data.
    apply: `(variables, code [n, ...]) -> image [n, h, w, c]` in model space.
    variables: shapes and dtypes of what `fit` gives.
    code_shape: of one code.
    encode: `(variables, image [n, h, w, c]) -> code [n, ...]`: where a start's
      images lie, or None: codes start as normal noise.
  """

  fit: Callable[[Key, Source], PyTree]
  apply: Callable[[PyTree, jax.Array], jax.Array]
  variables: PyTree
  code_shape: tuple[int, ...]
  encode: Callable[[PyTree, jax.Array], jax.Array] | None = None


def frozen(
  apply: Callable[[PyTree, jax.Array], jax.Array],
  variables: PyTree,
  code_shape: tuple[int, ...],
  encode: Callable[[PyTree, jax.Array], jax.Array] | None = None,
) -> Decoder:
  """A decoder of one's own, with its trained variables; see `Decoder`."""
  shapes = jax.eval_shape(lambda: variables)
  return Decoder(lambda _, __: variables, apply, shapes, code_shape, encode)


def linear(image_shape: tuple[int, int, int], size: int) -> Decoder:
  """The mean and the `size` first principal components of real images.

  Fitted to 5,000 of them at most; components have unit mean square.

  Raises:
    UserError: `size` is out of range.
  """
  pixels = math.prod(image_shape)
  if not 1 <= size <= pixels:
    raise UserError(f'size={size}: allowed are 1 to {pixels}')
  variables = {
    'mean': jax.ShapeDtypeStruct((pixels,), jnp.float32),
    'components': jax.ShapeDtypeStruct((size, pixels), jnp.float32),
  }

  def fit(key: Key, source: Source) -> PyTree:
    return _principal(key, source, size)

  def apply(variables: PyTree, code: jax.Array) -> jax.Array:
    flat = jnp.matmul(code, variables['components'], precision=_HIGHEST)
    return (variables['mean'] + flat).reshape(-1, *image_shape)

  def encode(variables: PyTree, image: jax.Array) -> jax.Array:
    centred = image.reshape(len(image), -1) - variables['mean']
    shadow = jnp.matmul(centred, variables['components'].T, precision=_HIGHEST)
    return shadow / pixels

  return Decoder(fit, apply, variables, (size,), encode)


def _principal(key: Key, source: Source, size: int) -> PyTree:
  from sklearn.utils.extmath import randomized_svd  # a second to import

  count = min(len(source), _EXAMPLES)
  chosen = numpy_generator(key).choice(len(source), count, replace=False)
  x = np.asarray(take_images(source, chosen), np.float32).reshape(count, -1)
  mean = x.mean(0)
  components = np.zeros((size, x.shape[1]), np.float32)
  rank = min(size, count)
  components[:rank] = randomized_svd(x - mean, rank, random_state=0)[2]
  return {
    'mean': jnp.asarray(mean),
    'components': jnp.asarray(components * np.float32(x.shape[1] ** 0.5)),
  }


def latent(
  ipc: int,
  image_shape: tuple[int, int, int],
  num_classes: int,
  *,
  decoder: Decoder | None = None,
  size: int = 4,
  images: int = 0,
  start: Start = real,
  labels: str = 'free',
  encoding: LabelEncoding | None = None,
  label_rule: str = 'plain',
) -> Parameterization:
  """Codes in the room that the decoder leaves of `ipc` plain images per class.

  Args:
    ipc: the budget, in plain images per class.
    image_shape: `(h, w, c)`.
    num_classes: `k`.
    decoder: by default `linear` of that size.
    size: numbers of a code of the linear decoder.
    images: decoded per class; 0 for as many as the budget holds.
    start: what the images start from, as near as the decoder allows.
    labels: see `pixels`; one of its own for each image.
    encoding: of the labels.
    label_rule: see `pixels`.

  Raises:
    UserError: the budget has no room for the decoder, or the decoder's output
      is no image of this set.
  """
  fixed = decoder or linear(image_shape, size)
  _check(fixed, image_shape)
  target = make_labels(labels, label_rule, encoding)
  room = budget_of(ipc, image_shape, num_classes, target).room(
    images,
    shared=_numbers(fixed.variables),
    each=math.prod(fixed.code_shape),
    what="the decoder's variables",
  )
  per_class = room.per_class

  def init(key: Key, source: Source) -> Stored:
    k_fit, k_code = jax.random.split(key)
    variables = fixed.fit(k_fit, source)
    if fixed.encode is None:
      shape = (num_classes * per_class, *fixed.code_shape)
      code = jax.random.normal(k_code, shape)
    else:
      image = with_repeats(start)(k_code, source, per_class)
      code = fixed.encode(variables, image)
    return {'code': code}, {'decoder': variables}

  def decode(params: PyTree, constants: PyTree) -> jax.Array:
    return fixed.apply(constants['decoder'], params['code'])

  return room.filled(Images(init, decode))


def _numbers(variables: PyTree) -> int:
  """Of four bytes each."""
  leaves = jax.tree.leaves(variables)
  return sum(-(-a.size * a.dtype.itemsize // 4) for a in leaves)


def _check(decoder: Decoder, image_shape: tuple[int, int, int]) -> None:
  code = jax.ShapeDtypeStruct((2, *decoder.code_shape), jnp.float32)
  found = jax.eval_shape(decoder.apply, decoder.variables, code).shape
  if found != (2, *image_shape):
    raise UserError(
      f'decoder: two codes give an array of shape {found}; it must be '
      f'{(2, *image_shape)}'
    )
