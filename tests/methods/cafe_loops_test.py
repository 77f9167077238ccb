"""CAFE's two loops, on scripted accuracies.

The network is nothing but the number of its epochs.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dd_jax.methods.cafe_loops import Loops, inner_loop, outer_step, window
from dd_jax.training import Model

LOOPS = Loops(readings=3, settled=0.04, moved=0.03, outer_cap=6, inner_cap=5)


def newborn():
  zero = jnp.zeros((), jnp.int32)
  return Model(zero, (), zero, LOOPS.start())


def epoch(model, index):
  del index
  return model._replace(variables=model.variables + 1)


def scripted(script):
  """The accuracy after so many epochs; the last one goes on."""
  values = jnp.asarray(script, jnp.float32)
  return lambda model: values[jnp.minimum(model.variables, len(script) - 1)]


def test_a_window_spreads_only_once_it_is_full():
  seen = window(3)
  spreads = []
  for reading in (0.5, 0.7, 0.6, 0.6, 0.6):
    seen = seen.push(jnp.float32(reading))
    spreads.append(float(seen.spread()))
  assert np.isnan(spreads[0]) and np.isnan(spreads[1])
  np.testing.assert_allclose(spreads[2:], [0.2, 0.1, 0.0], atol=1e-6)


@pytest.mark.parametrize(
  'script, taken',
  [
    # Readings come after epochs 1, 2, ...: the first full window is 1 to 3.
    ([0.1, 0.1, 0.2, 0.2], 3),
    ([0.1, 0.1, 0.1, 0.1, 0.2], 4),
    # Slow progress: 0.02 an epoch is 0.04 over a window of three.
    ([0.0, 0.02, 0.04, 0.06], 3),
    # Never more than 0.03: the cap.
    ([0.0, 0.01, 0.02, 0.03, 0.04, 0.05, 0.06, 0.07], 5),
    ([0.5], 5),
  ],
)
def test_the_inner_loop_ends_once_accuracy_has_moved(script, taken):
  run = jax.jit(lambda model: inner_loop(LOOPS, scripted(script), epoch, model))
  model, count = run(newborn())
  assert (int(count), int(model.variables)) == (taken, taken)


def live(script, steps):
  """`(ages, epochs, over)` after each step of the support set."""
  step = jax.jit(lambda m: outer_step(LOOPS, scripted(script), epoch, m))
  model, story = newborn(), []
  for _ in range(steps):
    model = step(model)
    story.append((int(model.age), int(model.aux.epochs), bool(model.aux.over)))
  return story


def test_the_outer_loop_ends_once_accuracy_has_settled():
  # Inner loops of three epochs each, until the outer loop, which reads after
  # 0, 3, 6, ... epochs, has seen 0.5, 0.52, 0.53.
  script = [0.0, 0.1, 0.2, 0.3, 0.3, 0.4, 0.5, 0.6, 0.5, 0.52, 0.6, 0.5, 0.53]
  story = live(script, 5)
  assert story == [
    (1, 3, False),
    (2, 6, False),
    (3, 9, False),
    (4, 12, False),
    (5, 12, True),  # settled: no inner loop any more
  ]


def test_the_outer_loop_has_a_cap():
  rising = list(np.arange(0, 4, 0.05))
  assert [over for _, _, over in live(rising, 6)] == [False] * 5 + [True]


def test_both_loops_are_capped_on_a_dead_network():
  """Nothing ever moves: the inner loop by its cap, the outer as it settles."""
  assert live([0.1], 3) == [(1, 5, False), (2, 10, False), (3, 10, True)]
