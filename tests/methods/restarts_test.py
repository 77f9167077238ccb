"""The restart rule, and how long a learner is to train."""

import jax.numpy as jnp

from dd_jax.methods.restarts import (
  ages_after,
  finished,
  newborn,
  no_ages,
  num_steps,
  with_loss,
)
from dd_jax.training import Model


def untrained():
  return Model({}, (), jnp.zeros((), jnp.int32))


def test_the_restart_rule_on_scripted_losses():
  """Looks back on 3 losses; ends 3 steps after the mean was lowest."""
  progress = newborn(untrained(), 3, no_ages())
  over = []
  for age, value in enumerate([9, 8, 7, 6, 5, 6, 7, 8, 9], start=1):
    model = progress.model._replace(age=jnp.int32(age))
    progress = with_loss(progress._replace(model=model), jnp.float32(value))
    over.append(bool(finished(progress)))
  # Means from age 3 on: 8, 7, 6, 5.67, 6, 7, 8: the lowest at age 6.
  assert int(progress.best_age) == 6
  assert over.index(True) == 8


def test_a_learner_trains_for_the_mean_of_three_ages():
  progress = newborn(untrained(), 3, no_ages())
  model = progress.model._replace(age=jnp.int32(7))
  assert int(num_steps(progress)) == 1
  assert int(num_steps(progress._replace(model=model))) == 7
  means = []
  for age in (10, 20, 60, 40):
    ages = ages_after(progress._replace(best_age=jnp.int32(age)))
    progress = newborn(untrained(), 3, ages)
    means.append(int(num_steps(progress)))
  assert means == [10, 15, 30, 40]
