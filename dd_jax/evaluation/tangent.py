"""Training at the largest stable step size, read off the empirical NTK.

As KIP trains finite networks on its sets (arXiv 2107.13034).
"""

import jax
import jax.numpy as jnp
import optax

from dd_jax.evaluation.learners import (
  Recipe,
  logits_of,
  test_each,
  trained,
)
from dd_jax.evaluation.tester import Tester
from dd_jax.losses import squared_error
from dd_jax.networks import Network
from dd_jax.types import Key, LabeledData, PyTree

_MOMENTUM = 0.9
_DECAY = 1e-3
_BATCH = 100
_MOST_IMAGES = 50
_ITERATIONS = 30
_SHARE = 0.25
_PROBE = 100
_FALL = 0.8
_SMALLEST = 2.0**-12


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
) -> Tester:
  """A test of networks trained at their largest stable step size.

  SGD with momentum 0.9, weight decay 1e-3 and a cosine down to 0; batches of
  100; half the squared error, a mean over examples and classes.

  The step size is a quarter of `largest_step_size` of 50 distilled images,
  spread over the set. All of it is stable for the linearised network alone:
  large labels make the network itself blow up or die. From there it is halved,
  ten times at most, until the first 100 steps take a fifth off the loss of
  those images. The paper has `2 k n / lambda` on 50 validation images, and
  searches factors of it.

  Returns:
    As `learners.learner_test`.
  """

  def recipe(rate: jax.Array, steps: int) -> Recipe:
    schedule = optax.cosine_decay_schedule(1.0, num_steps)
    optimizer = optax.chain(
      optax.add_decayed_weights(_DECAY),
      optax.sgd(lambda count: rate * schedule(count), _MOMENTUM),
    )
    return Recipe(network, optimizer, _error, steps, _BATCH)

  def fit(key: Key, data: LabeledData) -> PyTree:
    k_init, _ = jax.random.split(key)  # as `trained` does
    first = network.init(k_init)
    every = -(-len(data.image) // _MOST_IMAGES)
    few = jax.tree.map(lambda a: a[::every], data)
    largest = largest_step_size(
      network, first, few.image, key=jax.random.fold_in(k_init, 1)
    )

    def error(variables: PyTree) -> jax.Array:
      logits = network.apply(variables, few.image)[0].logits
      return jnp.mean(_error(logits, few.label))

    def fails(rate: jax.Array) -> jax.Array:
      found = error(trained(recipe(rate, min(_PROBE, num_steps)), key, data))
      return ~(found < _FALL * error(first))  # where it is no number, too

    rate = jax.lax.while_loop(
      lambda rate: (rate > _SMALLEST * largest) & fails(rate),
      lambda rate: rate / 2,
      _SHARE * largest,
    )
    return trained(recipe(rate, num_steps), key, data)

  return test_each(fit, logits_of(network), network, mesh)


def _error(logits: jax.Array, label: jax.Array) -> jax.Array:
  return squared_error(logits, label) / label.shape[-1]
