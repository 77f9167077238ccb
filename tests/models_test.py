"""The pool: ages, draws, retirement, and plain state."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from dd_jax.models import ModelPool, fresh, pool
from dd_jax.networks import frepo_convnet, mlp
from dd_jax.training import Model

SIZE, MAX_AGE = 5, 20


def make(size: int = SIZE, max_age: int = MAX_AGE) -> ModelPool:
  network = mlp((2, 2, 1), 3, width=4)
  return pool(network, optax.adam(1e-3), size=size, max_age=max_age)


def start(made: ModelPool, seed: int = 0) -> Model:
  return made.init(jax.random.key(seed), None)


def slot_of(models: Model, slot: int) -> Model:
  return jax.tree.map(lambda a: a[slot], models)


def same(a: Model, b: Model) -> bool:
  return all(
    bool(jnp.all(x == y))
    for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True)
  )


def moved(model: Model, steps: int = 1) -> Model:
  """Something other than what is stored, `steps` older."""
  variables = jax.tree.map(lambda a: a + 1, model.variables)
  return model._replace(variables=variables, age=model.age + steps)


@pytest.mark.parametrize(
  'size, max_age, ages',
  [
    (5, 20, [0, 4, 8, 12, 16]),
    (3, 10, [0, 3, 6]),
    (4, 2, [0, 0, 1, 1]),
    (1, 7, [0]),
    (3, 0, [0, 0, 0]),
  ],
)
def test_ages_are_staggered(size, max_age, ages):
  models = start(make(size, max_age))
  assert list(models.age) == ages and models.age.dtype == jnp.int32


def test_members_differ_and_repeat_with_the_key():
  made = make()
  models = start(made)
  kernels = models.variables['params']['Dense_0']['kernel']
  assert kernels.shape == (SIZE, 4, 4)
  assert len(np.unique(kernels)) == kernels.size
  assert same(models, start(made))
  other = start(made, seed=1).variables['params']['Dense_0']['kernel']
  assert jnp.all(kernels != other)


def test_pick_returns_the_member_in_the_slot_it_names():
  made = make()
  models = start(made)
  for seed in range(4):
    slot, model = made.pick(jax.random.key(seed), models)
    assert same(model, slot_of(models, int(slot)))


def test_members_are_drawn_uniformly():
  made, draws = make(), 5000
  models = start(made)
  keys = jax.random.split(jax.random.key(3), draws)
  slots = jax.jit(jax.vmap(lambda key: made.pick(key, models)[0]))(keys)
  counts = np.bincount(np.asarray(slots), minlength=SIZE)
  assert counts.sum() == draws and len(counts) == SIZE
  expected = draws / SIZE
  statistic = ((counts - expected) ** 2 / expected).sum()
  assert statistic < 18.5  # the 0.1 % point of chi-square with 4 freedoms


def test_put_writes_its_slot_and_no_other():
  made = make()
  models = start(made)
  model = moved(slot_of(models, 2))
  after = made.put(jax.random.key(1), models, 2, model)
  for slot in range(SIZE):
    want = model if slot == 2 else slot_of(models, slot)
    assert same(slot_of(after, slot), want)


def one_step(made: ModelPool, models: Model) -> Model:
  """What a method does with slot 0: a step, or age alone if it retires."""
  picked = slot_of(models, 0)
  retiring = made.retiring(picked)
  model = picked._replace(age=picked.age + 1) if retiring else moved(picked)
  return model


def test_a_member_is_used_at_every_age_up_to_the_last_and_then_replaced():
  made = make(size=1, max_age=3)
  models, ages, retiring, news = start(made), [], [], []
  put = jax.jit(made.put)
  for seed in range(9):
    picked = slot_of(models, 0)
    ages.append(int(picked.age))
    retiring.append(bool(made.retiring(picked)))
    after = put(jax.random.key(seed), models, 0, one_step(made, models))
    kernel = lambda m: m.variables['params']['Dense_0']['kernel']
    # Steps add one; a fresh member is nowhere near.
    news.append(not np.allclose(kernel(after), kernel(models) + 1))
    models = after
  assert ages == [0, 1, 2, 3, 0, 1, 2, 3, 0]
  assert retiring == news == [age == 3 for age in ages]


def test_a_replacement_is_untrained_and_depends_on_the_key():
  made = make()
  models = start(made)
  old = slot_of(models, 1)._replace(age=jnp.asarray(MAX_AGE + 1, jnp.int32))
  put = jax.jit(made.put)
  one, two, again = (
    slot_of(put(jax.random.key(seed), models, 1, old), 1) for seed in (1, 2, 1)
  )
  assert one.age == 0 and one.opt_state[0].count == 0
  assert not same(one, old) and not same(one, two) and same(one, again)


def test_state_keeps_its_types_under_put_and_no_type_is_weak():
  network = frepo_convnet((8, 8, 1), 3, width=2, depth=2)
  made = pool(network, optax.adam(1e-3), size=2, max_age=3)
  models = start(made)

  def step(key, models):
    slot, model = made.pick(key, models)
    return made.put(key, models, slot, model)

  after = jax.eval_shape(step, jax.random.key(0), models)
  assert jax.tree.structure(after) == jax.tree.structure(models)
  for a, b in zip(jax.tree.leaves(models), jax.tree.leaves(after), strict=True):
    assert (a.shape, a.dtype) == (b.shape, b.dtype)
    assert not a.weak_type and not b.weak_type


def test_fresh_networks_depend_on_the_key_alone():
  made = fresh(mlp((2, 2, 1), 3, width=4), optax.sgd(0.1))
  assert made.init(jax.random.key(0), None) == ()
  slot, model = made.pick(jax.random.key(1), ())
  again = made.pick(jax.random.key(1), ())[1]
  other = made.pick(jax.random.key(2), ())[1]
  leaves = lambda m: np.concatenate(
    [np.ravel(x) for x in jax.tree.leaves(m.variables)]
  )
  np.testing.assert_array_equal(leaves(model), leaves(again))
  assert np.any(leaves(model) != leaves(other))
  assert model.age == 0
  assert made.put(jax.random.key(3), (), slot, model) == ()


def test_several_fresh_networks_are_stacked_and_differ():
  _, models = fresh(mlp((2, 2, 1), 3, width=4), optax.sgd(0.1), count=3).pick(
    jax.random.key(1), ()
  )
  kernel = jax.tree.leaves(models.variables)[-1]
  assert models.age.shape == (3,) and kernel.shape[0] == 3
  assert np.any(kernel[0] != kernel[1])
