"""Labels of a support set: fixed, or learned in one of four ways."""

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import jax
import jax.numpy as jnp

from dd_jax.checks import check_name
from dd_jax.data.labels import LabelEncoding
from dd_jax.data.source import Source
from dd_jax.parameterization.base import Parameterization
from dd_jax.types import Key, LabeledData, PyTree, UserError

_LOGIT_SCALE = 5.0


def _shares(label: jax.Array) -> jax.Array:
  """Clipped at 0 and divided by its sum, as in label distillation.

  The nearest point would take nearly all back of a step that raises every class
  but the largest, and that is how a label gets softer.
  """
  kept = jax.nn.relu(label)
  total = jnp.sum(kept, -1, keepdims=True)
  even = 1 / label.shape[-1]
  return jnp.where(total > 0, kept / jnp.where(total > 0, total, 1), even)


_PROJECTIONS = {
  'nonnegative': jax.nn.relu,
  'simplex': _shares,
}
_ALLOWED = ('fixed', 'free', 'nonnegative', 'simplex', 'logits')


class Labels(NamedTuple):
  """How labels are stored, and what a learner sees of them.

  Attributes:
    mode: 'fixed' (the class); 'free' (any numbers, starting there);
      'nonnegative' (numbers of 0 or more: a cross-entropy has no lower bound
      under a negative label, and training on it may explode); 'simplex'
      (probabilities) or 'logits' (a softmax gives them). The second and third
      are projected after every step.
    rule: 'plain', or 'frepo', which divides them by sqrt(k / 10).
    encoding: of the labels, from where 'free' ones start; by default one-hot.
  """

  mode: str
  rule: str
  encoding: LabelEncoding | None

  @property
  def learned(self) -> bool:
    """Whether labels are stored at all."""
    return self.mode != 'fixed'

  def numbers(self, num_classes: int) -> int:
    """Stored for one image."""
    return num_classes if self.learned else 0

  def first(self, one_hot: jax.Array) -> jax.Array:
    """What learned labels start from: `[n, k]`."""
    if self.mode == 'logits':
      return _LOGIT_SCALE * one_hot
    return self.encode(one_hot) if self.mode == 'free' else one_hot

  def decode(self, label: jax.Array) -> jax.Array:
    """Learned labels as a learner sees them: `[n, k]`."""
    if self.mode == 'free':
      return label
    seen = jax.nn.softmax(label) if self.mode == 'logits' else label
    return self.encode(seen)

  def project(self, params: PyTree) -> PyTree:
    """`params` with a 'label' that is allowed."""
    if self.mode not in _PROJECTIONS:
      return params
    return {**params, 'label': _PROJECTIONS[self.mode](params['label'])}

  def encode(self, one_hot: jax.Array) -> jax.Array:
    """Encodes and scales `[n, k]`."""
    encoded = self.encoding.encode(one_hot) if self.encoding else one_hot
    scale = (one_hot.shape[-1] / 10) ** 0.5 if self.rule == 'frepo' else 1.0
    return encoded / scale


def make_labels(mode: str, rule: str, encoding: LabelEncoding | None) -> Labels:
  """Checks the names.

  Raises:
    UserError: an unknown one.
  """
  check_name('labels', mode, _ALLOWED)
  check_name('label_rule', rule, ('plain', 'frepo'))
  return Labels(mode, rule, encoding)


def starting_labels(
  parameterization: Parameterization, label: jax.Array
) -> Parameterization:
  """`parameterization`, its free labels starting from others.

  Args:
    parameterization: with labels that are stored as they are seen.
    label: `[n, k]`, such as label solve's.

  Raises (in `init`):
    UserError: if there are not so many labels.
  """

  def init(key: Key, source: Source) -> tuple[PyTree, PyTree]:
    params, constants = parameterization.init(key, source)
    expected = params['label'].shape
    if label.shape != expected:
      raise UserError(
        f'start: the artefact holds labels of shape {label.shape}; this run '
        f'needs {expected}'
      )
    return {**params, 'label': jnp.asarray(label)}, constants

  return parameterization._replace(init=init)


Stored: TypeAlias = tuple[dict[str, PyTree], dict[str, PyTree]]
"""`(params, constants)`."""


class Images(NamedTuple):
  """A parameterization of images alone.

  Attributes:
    init: `(key, source) -> (params, constants)`, two dicts.
    decode: `(params, constants) -> image [k * per_class, h, w, c]`.
  """

  init: Callable[[Key, Source], Stored]
  decode: Callable[[PyTree, PyTree], jax.Array]


def labelled(
  images: Images, num_classes: int, per_class: int, labels: Labels
) -> Parameterization:
  """Gives every decoded image a label of its own."""

  def one_hot(dtype: jnp.dtype) -> jax.Array:
    return jnp.repeat(jnp.eye(num_classes, dtype=dtype), per_class, 0)

  def init(key: Key, source: Source) -> tuple[PyTree, PyTree]:
    params, constants = images.init(key, source)
    if labels.learned:
      dtype = jax.eval_shape(images.decode, params, constants).dtype
      params = {**params, 'label': labels.first(one_hot(dtype))}
    return params, constants

  def decode(params: PyTree, constants: PyTree) -> LabeledData:
    image = images.decode(params, constants)
    if labels.learned:
      return LabeledData(image, labels.decode(params['label']))
    return LabeledData(image, labels.encode(one_hot(image.dtype)))

  return Parameterization(init, decode, project=labels.project)
