"""A learner behind two functions, whatever library wrote it."""

from collections.abc import Callable
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from dd_jax.platform import Platform, here
from dd_jax.types import Key, PyTree, UserError


class Outputs(NamedTuple):
  """What one forward pass gives.

  Attributes:
    logits: `[n, k]`.
    features: `[n, d]`, the input of the last dense layer.
    taps: the activations of every block, first to last; those that nobody
      reads cost nothing once compiled.
  """

  logits: jax.Array
  features: jax.Array
  taps: tuple[jax.Array, ...]


class Logits(NamedTuple):
  """What one forward pass gives of a network that gives nothing else.

  Attributes:
    logits: `[n, k]`.
  """

  logits: jax.Array

  @property
  def features(self) -> jax.Array:
    """Refused: a `UserError`."""
    raise UserError(_LACKS.format('features'))

  @property
  def taps(self) -> tuple[jax.Array, ...]:
    """Refused: a `UserError`."""
    raise UserError(_LACKS.format('taps'))


_LACKS = (
  'network: it returns logits alone, and {} are asked of it here; return '
  'dd_jax.networks.Outputs(logits, features, taps)'
)
_RNG = 'rng'  # a collection beside 'params': what layers draw from in training


class Network(NamedTuple):
  """A learner.

  Attributes:
    init: `(key) -> variables`, a dict with 'params' and, with batch norm,
      'batch_stats'; with dropout 'rng', from which its masks are drawn.
    apply: `(variables, image [n, h, w, c], train=False) -> (Outputs,
      variables)`; the returned variables carry new statistics when training,
      and a new 'rng'.
    platform: what it is to run on; by default what JAX's default devices are.
  """

  init: Callable[[Key], PyTree]
  apply: Callable[..., tuple[Outputs, PyTree]]
  platform: Platform | None = None

  @property
  def runs_on(self) -> Platform:
    """The platform that was named, or that at hand."""
    return self.platform or here()


def activations(out: Outputs | Logits) -> PyTree:
  """What a forward pass keeps, as far as the network shows it."""
  return out.logits if isinstance(out, Logits) else out.taps


def from_flax(
  module: nn.Module,
  image_shape: tuple[int, int, int],
  *,
  dropout: bool = False,
) -> Network:
  """Wraps a Flax module whose call is `(image, train) -> Outputs`.

  Args:
    module: the module.
    image_shape: `(h, w, c)`.
    dropout: it draws from the stream 'dropout' in training. The key is one of
      the variables, so each learner has its own, and each step.
  """

  def init(key: Key) -> PyTree:
    variables = module.init(key, jnp.zeros((1, *image_shape)), train=False)
    if not dropout:
      return variables
    drawn = jax.random.key_data(jax.random.fold_in(key, 1))
    return {**variables, _RNG: {'dropout': drawn}}

  def apply(
    variables: PyTree, image: jax.Array, train: bool = False
  ) -> tuple[Outputs, PyTree]:
    shown = {k: v for k, v in variables.items() if k != _RNG}
    statistics = [name for name in shown if name != 'params']
    rngs, moved = _next(variables) if train else ({}, {})
    if not (train and statistics):
      out: Any = module.apply(shown, image, train=train, rngs=rngs)
      return out, {**variables, **moved} if moved else variables
    out, new = module.apply(
      shown, image, train=True, mutable=statistics, rngs=rngs
    )
    held = {name: variables[name] for name in new}
    # Float64 images would make float64 statistics of float32 ones.
    kept = jax.tree.map(lambda a, b: a.astype(b.dtype), new, held)
    return out, {**variables, **kept, **moved}

  return Network(init, apply)


def _next(variables: PyTree) -> tuple[dict[str, Key], PyTree]:
  """`(keys of this step, the collection for the next)`."""
  if _RNG not in variables:
    return {}, {}
  key = jax.random.wrap_key_data(variables[_RNG]['dropout'])
  now, later = jax.random.split(key)
  return {'dropout': now}, {_RNG: {'dropout': jax.random.key_data(later)}}
