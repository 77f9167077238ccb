"""Training at the largest stable step size, read off the empirical NTK.

As KIP trains finite networks on its sets (arXiv 2107.13034).
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax

from dd_jax.data.source import ResidentSource, Source
from dd_jax.evaluation.learners import Recipe, source_accuracy, trained
from dd_jax.losses import squared_error
from dd_jax.networks import Network
from dd_jax.training import train_many
from dd_jax.types import Key, LabeledData, PyTree

_MOMENTUM = 0.9
_DECAY = 1e-3
_BATCH = 100
_MOST_IMAGES = 50
_ITERATIONS = 30


def largest_step_size(
  network: Network,
  variables: PyTree,
  image: jax.Array,
  *,
  key: Key,
  momentum: float = _MOMENTUM,
) -> jax.Array:
  r"""Where gradient descent on half the mean squared error stops converging.

  .. math:: \eta = 2 (1 + \beta) \, n k / \lambda_{max}(J J^T)

  with J the Jacobian of the `n k` logits in the parameters; its largest
  eigenvalue comes from power iterations, without forming the NTK.

  Args:
    network: learner.
    variables: its own.
    image: `[n, h, w, c]`.
    key: starts the iteration.
    momentum: of the descent.

  Returns:
    A scalar.
  """
  params = variables['params']

  def logits(params: PyTree) -> jax.Array:
    return network.apply({**variables, 'params': params}, image)[0].logits

  out, pull = jax.vjp(logits, params)

  def step(vector: jax.Array, _: None) -> tuple[jax.Array, jax.Array]:
    moved = jax.jvp(logits, (params,), pull(vector))[1]
    size = jnp.linalg.norm(moved)
    return moved / size, size

  start = jax.random.normal(key, out.shape, out.dtype)
  start = start / jnp.linalg.norm(start)
  _, sizes = jax.lax.scan(step, start, None, length=_ITERATIONS)
  return 2 * (1 + momentum) * out.size / sizes[-1]


def tangent_test(
  network: Network,
  num_steps: int,
  mesh: jax.sharding.Mesh | None = None,
) -> Callable[[Key, LabeledData, Source], jax.Array]:
  """A test of networks trained at their largest stable step size.

  SGD with momentum 0.9, weight decay 1e-3 and a cosine down to 0; batches of
  100; half the squared error, a mean over examples and classes. The step size
  is that of the first 50 distilled images.

  Returns:
    As `learners.learner_test`.
  """

  def loss(logits: jax.Array, label: jax.Array) -> jax.Array:
    return squared_error(logits, label) / label.shape[-1]

  def one(key: Key, data: LabeledData, test: Source) -> jax.Array:
    k_init, _ = jax.random.split(key)  # as `trained` does
    rate = largest_step_size(
      network,
      network.init(k_init),
      data.image[:_MOST_IMAGES],
      key=jax.random.fold_in(k_init, 1),
    )
    schedule = optax.cosine_decay_schedule(1.0, num_steps)
    optimizer = optax.chain(
      optax.add_decayed_weights(_DECAY),
      optax.sgd(lambda count: rate * schedule(count), _MOMENTUM),
    )
    recipe = Recipe(network, optimizer, loss, num_steps, _BATCH)
    variables = trained(recipe, key, data)
    return source_accuracy(
      lambda x: network.apply(variables, x)[0].logits, test
    )

  @jax.jit
  def on_device(keys: Key, data: LabeledData, test: Source) -> jax.Array:
    return train_many(lambda k: one(k, data, test), keys, mesh=mesh)

  def run(keys: Key, data: LabeledData, test: Source) -> jax.Array:
    if isinstance(test, ResidentSource):
      return on_device(keys, data, test)
    return jnp.stack([one(k, data, test) for k in keys])

  return run
