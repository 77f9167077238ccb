"""Students: the memory of their training, their learned step size."""

import jax
import jax.numpy as jnp
import optax
import pytest
from trajectories import (
  CLASSES,
  NETWORK,
  build,
  matching,
  source,
  updated,
)

from dd_jax.methods.student import StepSize, Student, train_student
from dd_jax.networks import NETWORKS
from dd_jax.types import LabeledData
from dd_jax.unroll import estimate_memory


def test_memory_grows_by_the_parameters_alone():
  """Four times the steps: at most as many more carries, and no activations."""
  network = NETWORKS['convnet']((16, 16, 1), CLASSES, width=8, depth=2)
  params = network.init(jax.random.key(0))['params']
  size = sum(a.nbytes for a in jax.tree.leaves(params))

  def needed(num_steps):
    def loss(image):
      data = LabeledData(image, jnp.eye(CLASSES))
      student = Student(network, num_steps)
      end = train_student(
        student, jax.random.key(0), params, data, jnp.float32(0.1)
      )
      return optax.tree.norm(end)

    return estimate_memory(jax.grad(loss), jnp.zeros((CLASSES, 16, 16, 1)))

  assert needed(48) - needed(12) <= 1.5 * 36 * size


def test_the_step_size_is_learned_as_published_at_the_start():
  """One step moves it by `-rate * gradient`, up to second order."""
  still, moved = build(step_size_rate=0.0), build(step_size_rate=1e-6)
  batch = moved.sample(jax.random.key(1), jnp.int32(0), source())
  state = moved.init(jax.random.key(0), source())
  data = LabeledData(*moved.distilled(state)[:2])
  loss = lambda r: matching(data.image, r, data, batch, Student(NETWORK, 3))
  slope = float(jax.grad(loss)(jnp.float32(0.1)))
  after = moved.distilled(updated(moved)[0]).step_size
  assert float(after) - 0.1 == pytest.approx(-1e-6 * slope, rel=0.05)
  kept = still.distilled(updated(still)[0]).step_size
  assert float(kept) == pytest.approx(0.1, rel=1e-6)


@pytest.mark.parametrize('momentum', [0.5, 0.9])
def test_the_momentum_of_the_step_size(momentum):
  """Of its logarithm: the second of two like steps goes on with the first."""
  optimizer = StepSize(0.1, 1e-3, momentum).optimizer()
  state, moves = optimizer.init(jnp.zeros(())), []
  for _ in range(2):
    moved, state = optimizer.update(jnp.ones(()), state)
    moves.append(float(moved))
  assert moves == pytest.approx([-0.1, -0.1 * (1 + momentum)], rel=1e-5)


def test_the_step_size_stays_positive():
  state, metrics = updated(build(step_size_rate=1e-2), 3)
  assert metrics['step_size'] > 0
  assert build().distilled(state).step_size > 0
