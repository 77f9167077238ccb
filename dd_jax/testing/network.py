"""The laws of `dd_jax.networks.Network`."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from dd_jax.networks import Network
from dd_jax.testing.cases import bits, difference, is_weak, require, spread
from dd_jax.types import Key, PyTree

_COUNT = 4
_ROUNDING = 1e-4  # of float32, chunk by chunk
_PLATFORMS = ('cpu', 'cuda', 'tpu')


def check_network(
  make: Callable[[], Network],
  image_shape: tuple[int, int, int] = (8, 8, 1),
) -> None:
  """Holds a learner against every law.

  `init` is pure and draws from its key; outputs have the shapes that `Outputs`
  says; in evaluation each image is treated alone; training keeps the variables'
  kinds, in float64 as well; what it computes can be differentiated twice, takes
  part in a `vmap` over members, and lowers for cpu, cuda and tpu.

  Args:
    make: makes the learner, anew at each call.
    image_shape: `(h, w, c)` of what it takes.

  Raises:
    AssertionError: names the first law that is broken and what was seen.
  """
  image = jax.random.normal(jax.random.key(1), (_COUNT, *image_shape))
  network = make()
  _init(make)
  _outputs(network, image)
  _alone(network, image)
  _trains(network, image)
  with jax.enable_x64(True):
    _trains(make(), image.astype(jnp.float64))
  _twice(network, image)
  _members(network, image)
  _lowers(network, image)


def _init(make: Callable[[], Network]) -> None:
  first, again = (make().init(jax.random.key(0)) for _ in range(2))
  require('params' in first, 'init', f'variables {[*first]} have no params')
  seen = difference(first, again)
  require(not seen, 'init', f'of the same key twice: {seen}')
  varies = bits(make().init(jax.random.key(1))) != bits(first)
  require(varies, 'init', 'the same variables for every key')
  weak = [x.dtype for x in jax.tree.leaves(first) if is_weak(x)]
  require(not weak, 'init', f'variables are weakly typed: {weak}')


def _outputs(network: Network, image: jax.Array) -> None:
  variables = network.init(jax.random.key(0))
  out, after = network.apply(variables, image)
  seen = difference(variables, after)
  require(not seen, 'outputs', f'evaluation changed variables: {seen}')
  require(out.logits.ndim == 2, 'outputs', f'logits {out.logits.shape}')
  require(out.features.ndim == 2, 'outputs', f'features {out.features.shape}')
  sizes = [x.shape[0] for x in jax.tree.leaves(out)]
  alike = set(sizes) == {_COUNT} and bool(out.taps)
  require(alike, 'outputs', f'for {_COUNT} images, leaves of {sizes}')
  again = network.apply(variables, image)
  require(bits(again) == bits((out, after)), 'outputs', 'differ in two calls')


def _alone(network: Network, image: jax.Array) -> None:
  """In evaluation, an image's outputs do not depend on the others."""
  apply = lambda x: network.apply(network.init(jax.random.key(0)), x)[0]
  each = [apply(image[i : i + 1]) for i in range(_COUNT)]
  together = jax.tree.map(lambda *x: jnp.concatenate(x), *each)
  gap = spread(apply(image), together)
  require(gap <= _ROUNDING, 'alone', f'an image alone differs by {gap:.1e}')


def _trains(network: Network, image: jax.Array) -> None:
  variables = network.init(jax.random.key(0))
  train = functools.partial(network.apply, train=True)
  after = jax.eval_shape(lambda v, x: train(v, x)[1], variables, image)
  seen = difference(jax.eval_shape(lambda: variables), after)
  require(not seen, 'trains', f'on {image.dtype} images, {seen}')


def _twice(network: Network, image: jax.Array) -> None:
  """The gradient in the images of a gradient in the weights is finite."""
  variables = network.init(jax.random.key(0))

  def loss(params: PyTree, image: jax.Array) -> jax.Array:
    out, _ = network.apply({**variables, 'params': params}, image)
    return jnp.sum(out.logits**2)

  def size(image: jax.Array) -> jax.Array:
    gradient = jax.grad(loss)(variables['params'], image)
    return optax.tree.norm(gradient, squared=True)

  slope = np.asarray(jax.jit(jax.grad(size))(image))
  require(bool(np.all(np.isfinite(slope))), 'twice', 'it is not finite')
  require(bool(np.any(slope)), 'twice', 'it is zero everywhere')


def _members(network: Network, image: jax.Array) -> None:
  keys = jax.random.split(jax.random.key(0), 2)
  run = lambda key: network.apply(network.init(key), image)[0].logits
  alone = jnp.stack([run(key) for key in keys])
  gap = spread(alone, jax.jit(jax.vmap(run))(keys))
  require(gap <= _ROUNDING, 'members', f'under vmap they differ by {gap:.1e}')


def _lowers(network: Network, image: jax.Array) -> None:
  def run(key_data: Key, image: jax.Array) -> Any:
    variables = network.init(jax.random.wrap_key_data(key_data))
    return network.apply(variables, image)[0].logits

  key_data = jax.random.key_data(jax.random.key(0))
  exported = jax.export.export(jax.jit(run), platforms=_PLATFORMS)
  found = exported(key_data, image).platforms
  require(found == _PLATFORMS, 'lowers', f'for {found} alone')
