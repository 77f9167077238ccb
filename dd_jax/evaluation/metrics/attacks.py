"""Accuracy on images that were changed on purpose, within a budget.

The budget is the largest change of any pixel, in units of the pixel range
[0, 1]. Attacks move pixels, not what learners see: the gradient goes through
the preprocessing, and pixels stay in [0, 1]. They climb the cross-entropy of
what a learner answers with the right class, whatever it was trained by.
"""

import jax
import jax.numpy as jnp

from dd_jax.evaluation.metrics import changed
from dd_jax.evaluation.metrics.base import Case, Measure, one_hot
from dd_jax.evaluation.metrics.changed import Chunk
from dd_jax.evaluation.tester import Answer
from dd_jax.losses import soft_cross_entropy

STEPS, STEP = 10, 0.25  # of PGD; the second in budgets


def fgsm(case: Case) -> Measure:
  """Accuracy under one step of the gradient's sign (arXiv 1412.6572)."""
  about = f'Linf {_told(case)}, one step'
  return changed.accuracy(case, one_step, (case.budget,), about)


def pgd(case: Case) -> Measure:
  """Accuracy under projected gradient ascent (Madry et al., arXiv 1706.06083).

  Ten steps of a quarter of the budget from a random place within it.
  """
  about = f'Linf {_told(case)}, {STEPS} steps of {STEP:g} of it, random start'
  return changed.accuracy(case, several_steps, (case.budget,), about)


def one_step(answer: Answer, chunk: Chunk) -> jax.Array:
  """Every pixel by the whole budget, the way that raises the loss."""
  return _within(chunk, chunk.pixel + chunk.level * _uphill(answer, chunk))


def several_steps(answer: Answer, chunk: Chunk) -> jax.Array:
  """Short steps uphill, back into the budget after each."""
  noise = jax.random.uniform(
    chunk.key, chunk.pixel.shape, minval=-1.0, maxval=1.0
  )
  start = _within(chunk, chunk.pixel + chunk.level * noise)

  def step(_: int, pixel: jax.Array) -> jax.Array:
    slope = _uphill(answer, chunk._replace(pixel=pixel))
    return _within(chunk, pixel + STEP * chunk.level * slope)

  return jax.lax.fori_loop(0, STEPS, step, start)


def _uphill(answer: Answer, chunk: Chunk) -> jax.Array:
  """The sign of the loss's gradient in each pixel."""

  def loss(pixel: jax.Array) -> jax.Array:
    said = answer(pixel)
    return jnp.sum(soft_cross_entropy(said, one_hot(chunk.label, said)))

  return jnp.sign(jax.grad(loss)(chunk.pixel))


def _within(chunk: Chunk, moved: jax.Array) -> jax.Array:
  """The nearest image in the budget around `chunk.pixel`, and in [0, 1]."""
  low, high = chunk.pixel - chunk.level, chunk.pixel + chunk.level
  return jnp.clip(jnp.clip(moved, low, high), 0, 1)


def _told(case: Case) -> str:
  return f'{255 * case.budget:.3g}/255'
