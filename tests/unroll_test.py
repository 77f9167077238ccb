"""The differentiable inner loop: one gradient, whatever the memory plan."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from dd_jax.losses import soft_cross_entropy
from dd_jax.networks import Network, convnet, mlp
from dd_jax.training import Batch, fresh_model, train, train_step
from dd_jax.types import LabeledData, UserError
from dd_jax.unroll import PLANS, choose_plan, estimate_memory, unroll

SHAPE, CLASSES, IMAGES = (8, 8, 1), 3, 6


def in_double(network):
  cast = functools.partial(jax.tree.map, lambda a: a.astype(jnp.float64))
  return Network(lambda key: cast(network.init(key)), network.apply)


def support(dtype):
  draw = np.random.default_rng(0)
  image = jnp.asarray(draw.normal(size=(IMAGES, *SHAPE)), dtype)
  label = jnp.asarray(draw.dirichlet(np.ones(CLASSES), IMAGES), dtype)
  return LabeledData(image, label)


def problem(network, optimizer, num_steps):
  """`(plan, learned, offset=0) -> loss` of a network trained on `learned`.

  Every step sees two images, has its own step size, and starts from learned
  parameters: all that a gradient can be asked for.
  """
  start = network.init(jax.random.key(1))['params']
  held_out = support(jax.tree.leaves(start)[0].dtype)
  held_out = held_out._replace(image=held_out.image[::-1])

  def loss(plan, learned, offset=0):
    data, step_size = learned['data'], learned['step_size']
    inner = optimizer(lambda count: jax.nn.softplus(step_size)[count % 5])
    model = fresh_model(network, inner, jax.random.key(0))
    variables = {**model.variables, 'params': learned['params']}
    model = model._replace(variables=variables)

    def step(i, model):
      rows = (2 * i + jnp.arange(2)) % IMAGES
      batch = jax.tree.map(lambda a: a[rows], data)
      batch = Batch(batch, jnp.ones(2, data.image.dtype))
      return train_step(network, inner, soft_cross_entropy, model, batch)

    model = unroll(step, model, num_steps, plan=plan, offset=offset)
    logits = network.apply(model.variables, held_out.image)[0].logits
    return jnp.mean(soft_cross_entropy(logits, held_out.label))

  dtype = held_out.image.dtype
  learned = {
    'data': support(dtype),
    'step_size': jnp.linspace(-3.0, -2.0, 5, dtype=dtype),
    'params': start,
  }
  return loss, learned


def gradients(loss, learned):
  return [jax.jit(jax.grad(functools.partial(loss, p)))(learned) for p in PLANS]


def spread(trees):
  """Largest difference from the first tree, relative to its largest entry."""
  pairs = [
    (np.abs(a - b).max(), np.abs(a).max())
    for tree in trees[1:]
    for a, b in zip(
      jax.tree.leaves(trees[0]), jax.tree.leaves(tree), strict=True
    )
  ]
  return max(d for d, _ in pairs) / max(s for _, s in pairs)


OPTIMIZERS = {
  'sgd': optax.sgd,
  'momentum': functools.partial(optax.sgd, momentum=0.9),
  'adam': functools.partial(optax.adam, eps_root=1e-12),
}


def test_plans_agree_in_float32():
  network = convnet(SHAPE, CLASSES, width=4, depth=1)
  found = gradients(*problem(network, OPTIMIZERS['momentum'], 20))
  assert spread(found) <= 1e-5


@pytest.mark.parametrize(
  'name',
  [
    pytest.param(n, marks=[] if n == 'adam' else pytest.mark.slow)
    for n in OPTIMIZERS
  ],
)
def test_plans_agree_in_float64_over_200_steps(name, x64):
  network = in_double(mlp(SHAPE, CLASSES, width=6, depth=1))
  found = gradients(*problem(network, OPTIMIZERS[name], 200))
  assert spread(found) <= 1e-9
  assert all(np.abs(x).max() > 0 for x in jax.tree.leaves(found[0]))


@pytest.mark.parametrize('plan', PLANS)
def test_finite_differences(plan, x64):
  """Along a random direction in everything that is learned, at once."""
  network = in_double(convnet(SHAPE, CLASSES, width=3, depth=1))
  loss, learned = problem(network, OPTIMIZERS['momentum'], 10)
  keys = iter(jax.random.split(jax.random.key(3), 100))
  along = jax.tree.map(
    lambda a: jax.random.normal(next(keys), a.shape, a.dtype), learned
  )
  value = jax.jit(functools.partial(loss, plan))
  at = lambda h: value(jax.tree.map(lambda a, d: a + h * d, learned, along))
  h = 1e-6
  measured = (at(h) - at(-h)) / (2 * h)
  slope = jax.tree.map(jnp.vdot, jax.jit(jax.grad(value))(learned), along)
  np.testing.assert_allclose(
    sum(jax.tree.leaves(slope)), measured, rtol=1e-6, atol=1e-9
  )


@pytest.mark.parametrize('plan', PLANS)
def test_equals_training_and_one_program_serves_every_offset(plan):
  step = lambda i, x: x * 0.5 + i
  traces = []

  @jax.jit
  def run(offset):
    traces.append(plan)
    return unroll(step, jnp.float32(1), 7, plan=plan, offset=offset)

  for offset in (0, 3, 11):
    x = 1.0
    for i in range(offset, offset + 7):
      x = 0.5 * x + i
    assert float(run(jnp.int32(offset))) == pytest.approx(x)
  assert traces == [plan]
  assert float(unroll(step, jnp.float32(2), 0, plan=plan)) == 2


def test_a_window_after_training_is_the_end_of_the_whole_run(x64):
  """Steps without gradient, then the unroll: the state goes on unbroken."""
  network = in_double(mlp(SHAPE, CLASSES, width=4, depth=1))
  optimizer, data = OPTIMIZERS['adam'](1e-2), support(jnp.float64)
  model = fresh_model(network, optimizer, jax.random.key(0))
  batch = Batch(data, jnp.ones(IMAGES))
  once = lambda m, b: train_step(network, optimizer, soft_cross_entropy, m, b)
  batches = lambda i: batch._replace(weight=batch.weight.at[i % IMAGES].set(3))
  whole = train(once, model, batches, 12)
  begun = train(once, model, batches, 8)
  ended = unroll(lambda i, m: once(m, batches(i)), begun, 4, offset=8)
  for a, b in zip(jax.tree.leaves(whole), jax.tree.leaves(ended), strict=True):
    np.testing.assert_allclose(a, b, rtol=1e-12)


def memory(plan, num_steps):
  network = mlp(SHAPE, CLASSES, width=32, depth=2)
  loss, learned = problem(network, OPTIMIZERS['sgd'], num_steps)
  return estimate_memory(jax.grad(functools.partial(loss, plan)), learned)


def test_memory_is_known_and_grows_as_the_plan_says():
  grown = {p: memory(p, 64) - memory(p, 16) for p in PLANS}
  assert grown['plain'] > grown['products'] > grown['remat']
  assert grown['plain'] > 1.5 * grown['remat'] > 4.5 * grown['nested'] > 0


def test_auto_takes_the_first_plan_that_fits():
  loss, learned = problem(
    mlp(SHAPE, CLASSES, width=8, depth=1), OPTIMIZERS['sgd'], 64
  )
  program = lambda plan: jax.grad(functools.partial(loss, plan))
  sizes = {p: estimate_memory(program(p), learned) for p in PLANS}
  assert sizes['plain'] > sizes['remat'] > sizes['nested']
  for plan, size in sizes.items():
    assert choose_plan(program, (learned,), size) == plan
  with pytest.raises(UserError, match=r'no plan .*plain .*nested [\d,]+ MiB'):
    choose_plan(program, (learned,), 100)


def test_auto_may_be_chosen_while_tracing():
  """As a method does, whose arguments are tracers."""

  @jax.jit
  def run(x):
    program = lambda plan: jax.grad(
      lambda x: unroll(lambda i, y: jnp.sin(y * x), x, 8, plan=plan)
    )
    return choose_plan(program, (x,), 1e9) == 'plain', x

  assert run(jnp.float32(1))[0]


def test_refuses_an_unknown_plan():
  with pytest.raises(
    UserError, match="plan='fast': unknown; allowed are plain, products"
  ):
    unroll(lambda i, x: x, 0.0, 3, plan='fast')
