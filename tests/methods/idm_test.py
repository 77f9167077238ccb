"""The queue of networks in training, and the weight of their word."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from dd_jax.methods.idm import idm

KEY = jax.random.key(0)
STEP = jnp.int32(0)


def queue_of(toys, **settings):
  sizes = {'queue_size': 5, 'queue_start': 4, 'queue_interval': 3}
  sizes |= {'train_steps': 2, 'train_batch_size': 6}
  return toys.make(idm, toys.convnet(depth=1), **{**sizes, **settings})


def kernels(models):
  """One row of weights for each member of the queue."""
  leaf = models.members.variables['params']['head']['kernel']
  return np.asarray(leaf).reshape(len(leaf), -1)


def test_the_queue_trains_members_that_were_not_picked(toys):
  method = queue_of(toys, trained=2)
  state = method.init(KEY, toys.source())
  update = jax.jit(method.update)
  batch = method.sample(KEY, STEP, toys.source())
  picked_apart = 0
  for seed in range(6):
    key = jax.random.key(seed)
    after, _ = update(key, STEP, state, batch)
    changed = np.flatnonzero(
      np.any(kernels(after.models) != kernels(state.models), 1)
    )
    assert len(changed) == 2 and max(changed) < 4
    ages = np.asarray(after.models.members.age)
    np.testing.assert_array_equal(ages[changed], [2, 2])
    assert ages.sum() == 4
    # The one that was matched on is drawn apart from those that train.
    alone = update(key, STEP, marked(state, changed), batch)[1]
    picked_apart += int(alone['model_age'] == 0)
  assert picked_apart > 0


def marked(state, slots):
  """The state, those members of another age."""
  members = state.models.members
  aged = members._replace(age=members.age.at[slots].set(9))
  return state._replace(models=state.models._replace(members=aged))


def test_the_queue_grows_and_then_drops_its_oldest(toys):
  method = queue_of(toys, trained=0, queue_interval=2)
  state = method.init(KEY, toys.source())
  update = jax.jit(method.update)
  batch = method.sample(KEY, STEP, toys.source())
  replaced = []
  for t in range(8):
    after, _ = update(jax.random.key(t), STEP, state, batch)
    moved = np.any(kernels(after.models) != kernels(state.models), 1)
    replaced.append(list(np.flatnonzero(moved)))
    state = after
  # Every second step: first the free slot, then the oldest, then the next.
  assert replaced == [[], [4], [], [0], [], [1], [], [2]]
  assert state.models.live == 5


def test_members_that_do_not_live_yet_are_never_used(toys):
  method = queue_of(toys, queue_start=2, trained=2)
  state = method.init(KEY, toys.source())
  update = jax.jit(method.update)
  batch = method.sample(KEY, STEP, toys.source())
  marked_state = marked(state, np.array([2, 3, 4]))
  for seed in range(8):
    after, metrics = update(jax.random.key(seed), STEP, marked_state, batch)
    assert metrics['model_age'] == 0
    ages = np.asarray(after.models.members.age)
    np.testing.assert_array_equal(ages, [2, 2, 9, 9, 9])


def test_the_class_term_is_weighted_by_accuracy_in_percent(toys):
  method = queue_of(toys, class_weight=0.25)
  state = method.init(KEY, toys.source())
  batch = method.sample(KEY, STEP, toys.source())
  plain = queue_of(toys, class_weight=0.0)
  members = state.models.members
  knows = lambda accuracy: state._replace(
    models=state.models._replace(
      members=members._replace(aux=jnp.full_like(members.aux, accuracy))
    )
  )
  update = jax.jit(method.update)
  loss = lambda update, s: float(update(KEY, STEP, s, batch)[1]['loss'])
  base = loss(jax.jit(plain.update), knows(1.0))
  assert loss(update, knows(0.0)) == pytest.approx(base, rel=1e-5)
  half, full = (loss(update, knows(a)) - base for a in (0.5, 1.0))
  assert full == pytest.approx(2 * half, rel=1e-3)
  # An untrained network of 3 classes: about log 3 for each of 3 classes.
  assert full == pytest.approx(0.25 * 100 * 3 * np.log(3), rel=0.3)


def test_training_a_member_measures_its_accuracy(toys):
  method = queue_of(
    toys, trained=1, train_steps=40, inner_optimizer=optax.adam(1e-2)
  )
  state, _, after, _ = toys.step(method)
  assert not np.any(state.models.members.aux)
  measured = np.asarray(after.models.members.aux)
  assert np.count_nonzero(measured) == 1 and measured.max() > 0.6
