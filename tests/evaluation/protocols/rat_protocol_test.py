"""RaT-BPTT's protocol: what trains a learner, and what says how long."""

import jax
import numpy as np
import pytest

from dd_jax.evaluation.protocols import protocol, rat
from dd_jax.types import UserError


def test_without_held_out_images_nothing_says_how_long(setting):
  for none in (None, []):
    with pytest.raises(UserError, match='rat: held-out training images choose'):
      protocol('rat', setting(held_out=none))
  assert protocol('rat', setting(steps=7)).steps(None) == 7


def test_learners_are_chosen(monkeypatch, setting, real, distilled, key):
  """Not the last ones, which have unlearned all by then."""
  plain = rat.recipe(setting())
  assert plain.num_steps == 3000 and plain.batch_size == 100
  backwards = lambda logits, label: -plain.loss(logits, label)
  monkeypatch.setattr(rat, 'STOPS', (1, 200))
  monkeypatch.setattr(rat, 'soft_cross_entropy', backwards)
  keys = jax.random.split(key, 4)
  score = lambda **changes: protocol('rat', setting(**changes)).score(
    keys, distilled(), real()
  )
  found, last = score(held_out=real(12)), score(steps=200)
  assert np.all(found >= score(steps=1)) and found.mean() > last.mean() + 0.05


def test_the_adam_of_the_inner_loop(setting):
  gradient, first = {'w': np.ones(2)}, {'w': np.zeros(2)}
  optimizer = rat.recipe(setting()).optimizer
  moved, _ = optimizer.update(gradient, optimizer.init(first), first)
  np.testing.assert_allclose(moved['w'], -1e-3, rtol=1e-4)
