"""Plain Flax classifiers, `linen` or `nnx`, as learners.

A classifier maps images `[n, h, w, c]` to logits `[n, k]`, or to `Outputs`. Its
call may take `train`, `training` or `deterministic`; an `nnx` module is told by
its own `train()` and `eval()`.
"""

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax import nnx
from flax.errors import InvalidRngError

from dd_jax.networks.network import Logits, Network, Outputs, from_flax
from dd_jax.types import Key, PyTree, UserError

_MODES = {'train': True, 'training': True, 'deterministic': False}


def learner(
  factory: Callable[..., Any],
  image_shape: tuple[int, int, int],
  num_classes: int,
  settings: Mapping[str, Any],
) -> Network:
  """The learner that a factory makes, whatever it returns.

  Args:
    factory: `(image_shape, num_classes, ...)`, which returns a `Network` or an
      `nn.Module`; or `(image_shape, num_classes, rngs, ...)`, which returns an
      `nnx.Module`.
    image_shape: `(h, w, c)`.
    num_classes: logits.
    settings: the other arguments of the factory.

  Raises:
    UserError: it returns something else, or another number of logits.
  """
  make = functools.partial(
    factory, image_shape=image_shape, num_classes=num_classes, **settings
  )
  if 'rngs' in inspect.signature(factory).parameters:
    return _checked(_from_nnx(make), image_shape, num_classes)
  made = make()
  if isinstance(made, Network):
    return made
  if isinstance(made, nn.Module):
    return _checked(_from_linen(made, image_shape), image_shape, num_classes)
  advice = (
    ' made by a factory with a parameter rngs'
    if isinstance(made, nnx.Module)
    else ''
  )
  raise UserError(
    f'network: its factory returned {type(made).__name__}; allowed are a '
    f'Network, a flax.linen.Module and a flax.nnx.Module{advice}'
  )


class Classifier(nn.Module):
  """A classifier of any call as one of `(image, train) -> Outputs | Logits`."""

  module: nn.Module

  @nn.compact
  def __call__(self, x: jax.Array, train: bool = False) -> Outputs | Logits:
    """Maps `[n, h, w, c]` to what the classifier gives."""
    return _outputs(self.module(x, **_modes(self.module, train)))


def _from_linen(
  module: nn.Module, image_shape: tuple[int, int, int]
) -> Network:
  plain = Classifier(module)
  image = jnp.zeros((2, *image_shape))

  def trained(key: Key) -> PyTree:
    variables = plain.init(key, image)
    mutable = [name for name in variables if name != 'params']
    return plain.apply(variables, image, train=True, mutable=mutable)

  try:
    jax.eval_shape(trained, jax.random.key(0))
  except InvalidRngError:
    return from_flax(plain, image_shape, dropout=True)
  return from_flax(plain, image_shape)


def _from_nnx(make: Callable[..., nnx.Module]) -> Network:
  """Parameters and the rest of an `nnx` module as plain nested dicts."""

  def split(key: Key) -> tuple[Any, Any, Any]:
    made: Any = nnx.split(make(rngs=nnx.Rngs(key)), nnx.Param, ...)
    return made

  @functools.cache
  def shapes() -> tuple[Any, Any, Any]:
    return nnx.eval_shape(lambda: split(jax.random.key(0)))

  def variables(params: Any, rest: Any) -> PyTree:
    others = jax.tree.map(_as_data, nnx.to_pure_dict(rest))
    held = {'params': nnx.to_pure_dict(params)}
    return {**held, 'state': others} if others else held

  def init(key: Key) -> PyTree:
    return variables(*split(key)[1:])

  def apply(
    held: PyTree, image: jax.Array, train: bool = False
  ) -> tuple[Any, PyTree]:
    graph, params, rest = jax.tree.map(lambda a: a, shapes())
    others = jax.tree.map(
      _as_made, nnx.to_pure_dict(rest), held.get('state', {})
    )
    nnx.replace_by_pure_dict(params, held['params'])
    nnx.replace_by_pure_dict(rest, others)
    model: Any = nnx.merge(graph, params, rest)
    (model.train if train else model.eval)()
    out = _outputs(model(image, **_modes(model, train)))
    if not train:
      return out, held
    after = variables(*nnx.split(model, nnx.Param, ...)[1:])
    kept = jax.tree.map(lambda a, b: a.astype(b.dtype), after, held)
    return out, {**kept, 'params': held['params']}

  return Network(init, apply)


def _as_data(x: jax.Array) -> jax.Array:
  """A key as numbers: variables are checkpointed and selected from."""
  is_key = jnp.issubdtype(x.dtype, jax.dtypes.prng_key)
  return jax.random.key_data(x) if is_key else x


def _as_made(shape: Any, x: jax.Array) -> jax.Array:
  is_key = jnp.issubdtype(shape.dtype, jax.dtypes.prng_key)
  return jax.random.wrap_key_data(x) if is_key else x


def _modes(module: Any, train: bool) -> dict[str, bool]:
  """The argument, if any, that tells the module whether it is trained."""
  known = inspect.signature(type(module).__call__).parameters
  return {k: train == on for k, on in _MODES.items() if k in known}


def _outputs(out: Any) -> Outputs | Logits:
  return out if isinstance(out, Outputs) else Logits(out)


def _checked(
  network: Network, image_shape: tuple[int, int, int], num_classes: int
) -> Network:
  """Refuses what does not map images to that many logits."""
  image = jnp.zeros((2, *image_shape))
  run = lambda key: network.apply(network.init(key), image)[0].logits
  logits = jax.eval_shape(run, jax.random.key(0))
  seen = getattr(logits, 'shape', type(logits).__name__)
  if seen != (2, num_classes):
    raise UserError(
      f'network: of 2 images it gives {seen}; allowed are logits '
      f'(2, {num_classes})'
    )
  return network
