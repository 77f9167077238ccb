"""A learner behind two functions, whatever library wrote it."""

from collections.abc import Callable
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from dd_jax.platform import Platform, here
from dd_jax.types import Key, PyTree


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


class Network(NamedTuple):
  """A learner.

  Attributes:
    init: `(key) -> variables`, a dict with 'params' and, with batch norm,
      'batch_stats'.
    apply: `(variables, image [n, h, w, c], train=False) -> (Outputs,
      variables)`; the returned variables carry new statistics when training.
    platform: what it is to run on; by default what JAX's default devices are.
  """

  init: Callable[[Key], PyTree]
  apply: Callable[..., tuple[Outputs, PyTree]]
  platform: Platform | None = None

  @property
  def runs_on(self) -> Platform:
    """The platform that was named, or that at hand."""
    return self.platform or here()


def from_flax(module: nn.Module, image_shape: tuple[int, int, int]) -> Network:
  """Wraps a Flax module whose call is `(image, train) -> Outputs`."""

  def init(key: Key) -> PyTree:
    return module.init(key, jnp.zeros((1, *image_shape)), train=False)

  def apply(
    variables: PyTree, image: jax.Array, train: bool = False
  ) -> tuple[Outputs, PyTree]:
    statistics = [name for name in variables if name != 'params']
    if not (train and statistics):
      out: Any = module.apply(variables, image, train=train)
      return out, variables
    out, new = module.apply(variables, image, train=True, mutable=statistics)
    return out, {**variables, **new}

  return Network(init, apply)
