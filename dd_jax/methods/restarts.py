"""When a network in training makes way for another (arXiv 2006.08572).

Once the mean of its last losses has not fallen for as many steps, the age at
which it was lowest is recorded; the mean of the last three such ages is how
long a learner is to train.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from dd_jax.training import Model

_KEPT = 3  # ages whose mean a learner is to reach


class Progress(NamedTuple):
  """The network in use, and how the restart rule stands.

  Attributes:
    model: the network.
    losses: of the last `gap` steps, `[gap]`, the newest at `age % gap`.
    best: the lowest mean of them that this network had.
    best_age: when.
    ages: `best_age` of the networks before, newest first, `[3]`; 0 for none.
  """

  model: Model
  losses: jax.Array
  best: jax.Array
  best_age: jax.Array
  ages: jax.Array


def no_ages() -> jax.Array:
  """Before there are any: `[3]`."""
  return jnp.zeros(_KEPT, jnp.int32)


def newborn(model: Model, gap: int, ages: jax.Array) -> Progress:
  """An untrained network, which looks back on `gap` losses."""
  return Progress(
    model,
    jnp.zeros(gap, jnp.float32),
    jnp.asarray(jnp.finfo(jnp.float32).max, jnp.float32),
    jnp.zeros((), jnp.int32),
    ages,
  )


def with_loss(progress: Progress, value: jax.Array) -> Progress:
  """After one more loss, a scalar."""
  age, gap = progress.model.age, len(progress.losses)
  losses = progress.losses.at[age % gap].set(value.astype(jnp.float32))
  mean = jnp.mean(losses)
  better = (age >= gap) & (mean < progress.best)
  return progress._replace(
    losses=losses,
    best=jnp.where(better, mean, progress.best),
    best_age=jnp.where(better, age, progress.best_age),
  )


def finished(progress: Progress) -> jax.Array:
  """Whether the mean loss has not fallen for as long as it looks back."""
  age, gap = progress.model.age, len(progress.losses)
  return (age >= gap) & (age - progress.best_age >= gap)


def ages_after(progress: Progress) -> jax.Array:
  """The ages, with that of this network in front."""
  return jnp.concatenate([progress.best_age[None], progress.ages[:-1]])


def num_steps(progress: Progress) -> jax.Array:
  """The mean of the ages; before there are any, how old the network is."""
  ages, known = progress.ages, progress.ages > 0
  mean = jnp.sum(ages) // jnp.maximum(jnp.sum(known), 1)
  return jnp.where(known[0], mean, jnp.maximum(progress.model.age, 1))
