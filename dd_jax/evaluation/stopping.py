"""Learners that stop where they are best on held-out images."""

import dataclasses
import functools
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from dd_jax.data.source import HostSource, ResidentSource, Source, resident
from dd_jax.data.subset import head
from dd_jax.evaluation.learners import (
  Recipe,
  Support,
  course,
  logits_of,
  test_each,
)
from dd_jax.evaluation.tester import Tester, source_accuracy
from dd_jax.training import Model
from dd_jax.types import Key, PyTree

_MOST = 5000  # held-out images that are looked at


def stopped_test(
  recipe: Recipe, stops: Sequence[int], held_out: Source
) -> Tester:
  """A test of fresh learners, each after the number of steps that suits it.

  Each depends on its own key alone, and so does when it stops.

  Args:
    recipe: how learners are trained; its number of steps is the last of
      `stops`.
    stops: numbers of steps, ascending, of which the best is taken; of equal
      ones the first.
    held_out: real images to choose by, of which at most 5,000 are used.

  Returns:
    As `learners.learner_test`.
  """
  spans = np.stack([(0, *stops[:-1]), stops], 1)
  chosen_by = _on_device(head(held_out, _MOST))

  answer = logits_of(recipe.network)

  def fit(key: Key, data: tuple[Support, ResidentSource]) -> PyTree:
    support, real = data
    fresh, advance = course(recipe, key, support)

    def go_on(
      carry: tuple[Model, _Best], span: jax.Array
    ) -> tuple[tuple[Model, _Best], None]:
      model, best = advance(carry[0], span[0], span[1]), carry[1]
      says = functools.partial(answer, model.variables)
      found = _Best(source_accuracy(says, real), model.variables)
      better = found.accuracy > best.accuracy
      kept = lambda new, old: jnp.where(better, new, old)
      return (model, jax.tree.map(kept, found, best)), None

    nothing = _Best(jnp.full((), -1.0), fresh.variables)
    (_, best), _ = jax.lax.scan(go_on, (fresh, nothing), jnp.asarray(spans))
    return best.variables

  made = test_each(fit, answer, recipe.network, recipe.mesh)
  return dataclasses.replace(
    made, fit=lambda keys, data: made.fit(keys, (data, chosen_by))
  )


class _Best(NamedTuple):
  """A learner where it was best so far, and how good that was."""

  accuracy: jax.Array
  variables: PyTree


def _on_device(source: Source) -> ResidentSource:
  """What is chosen by is read inside compiled code, wherever it was."""
  if isinstance(source, ResidentSource):
    return source
  assert isinstance(source, HostSource)
  return resident(
    source.image, source.label, source.num_classes, source.preprocessing
  )
