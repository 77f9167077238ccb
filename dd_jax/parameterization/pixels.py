"""The plain parameterization: every pixel, and by choice every label."""

import jax
import jax.numpy as jnp
import optax

from dd_jax.data.labels import LabelEncoding
from dd_jax.data.source import Source
from dd_jax.parameterization.base import Parameterization
from dd_jax.parameterization.starts import Start, real
from dd_jax.types import Key, LabeledData, PyTree, UserError

_LOGIT_SCALE = 5.0


def pixels(
  ipc: int,
  *,
  start: Start = real,
  labels: str = 'free',
  learn_images: bool = True,
  encoding: LabelEncoding | None = None,
  label_rule: str = 'plain',
) -> Parameterization:
  """Learns the pixels of `ipc` images per class, the labels, or both.

  Args:
    ipc: images per class.
    start: what the images start from.
    labels: 'fixed' (the class); 'free' (any numbers, starting there); 'simplex'
      (the nearest point of the probability simplex to what is learned) or
      'logits' (its softmax).
    learn_images: False learns the labels only.
    encoding: of the labels, from where 'free' ones start; by default one-hot.
    label_rule: 'plain', or 'frepo', which divides them by sqrt(k / 10).

  Raises:
    UserError: for an unknown `labels`, or where nothing is learned.
  """
  _check(ipc, labels, label_rule, learn_images)

  def init(key: Key, source: Source) -> tuple[PyTree, PyTree]:
    image = start(key, source, ipc)
    index = jnp.repeat(jnp.arange(source.num_classes, dtype=jnp.int32), ipc)
    one_hot = jax.nn.one_hot(index, source.num_classes)
    params: dict[str, jax.Array] = {}
    constants: dict[str, jax.Array] = {}
    (params if learn_images else constants)['image'] = image
    if labels == 'fixed':
      constants['class'] = index
    else:
      params['label'] = _first_labels(one_hot)
    return params, constants

  def _first_labels(one_hot: jax.Array) -> jax.Array:
    if labels == 'logits':
      return _LOGIT_SCALE * one_hot
    return one_hot if labels == 'simplex' else encode(one_hot)

  def encode(one_hot: jax.Array) -> jax.Array:
    encoded = encoding.encode(one_hot) if encoding else one_hot
    scale = (one_hot.shape[-1] / 10) ** 0.5 if label_rule == 'frepo' else 1.0
    return encoded / scale

  def decode(params: PyTree, constants: PyTree) -> LabeledData:
    stored = {**params, **constants}
    if labels == 'fixed':
      # One image per class at least, so the last class is the largest number.
      classes = stored['class'].shape[0] // ipc
      return LabeledData(
        stored['image'], encode(jax.nn.one_hot(stored['class'], classes))
      )
    return LabeledData(stored['image'], _label(stored['label']))

  def _label(label: jax.Array) -> jax.Array:
    if labels == 'logits':
      return encode(jax.nn.softmax(label))
    return encode(_projected(label)) if labels == 'simplex' else label

  return Parameterization(init, decode)


def _projected(label: jax.Array) -> jax.Array:
  """The nearest points of the simplex; the gradient passes straight through.

  A lazily projected step: the projection's own gradient is zero at a corner,
  where every label starts.
  """
  nearest = jax.vmap(optax.projections.projection_simplex)(label)
  return label + jax.lax.stop_gradient(nearest - label)


def _check(ipc: int, labels: str, label_rule: str, learn_images: bool) -> None:
  allowed = ('fixed', 'free', 'simplex', 'logits')
  if labels not in allowed:
    raise UserError(f'labels={labels!r}: allowed are {list(allowed)}')
  if label_rule not in ('plain', 'frepo'):
    raise UserError(f"label_rule={label_rule!r}: allowed are 'plain', 'frepo'")
  if ipc < 1:
    raise UserError(f'ipc={ipc}: allowed are 1 and more')
  if labels == 'fixed' and not learn_images:
    raise UserError("learn_images=False with labels='fixed' learns nothing")
