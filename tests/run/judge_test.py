"""The protocol of a run: what it is handed, and what its name tells."""

import numpy as np
import pytest

from dd_jax import from_arrays
from dd_jax.cache import Cache
from dd_jax.data.prepare import prepare
from dd_jax.run import judge, recipe
from dd_jax.run.scoring import Scorer
from dd_jax.types import UserError


@pytest.fixture(scope='module')
def scorer():
  rng = np.random.default_rng(0)
  image, label = rng.uniform(0, 1, (60, 6, 6)), np.arange(60) % 3
  dataset = from_arrays(image[:45], label[:45], image[45:], label[45:])
  config = recipe.default('rat_bptt')
  small = {'name': 'mlp', 'width': 4, 'depth': 1}
  recipe.update(config, {'ipc': 2, 'evaluation': {'network': small}})
  return Scorer(config, prepare(dataset), Cache())


def test_a_protocol_that_chooses_is_given_the_held_out_images(
  scorer, monkeypatch
):
  handed = []
  own = judge.protocol
  monkeypatch.setattr(
    judge,
    'protocol',
    lambda name, setting: handed.append(setting) or own(name, setting),
  )
  made = scorer.protocol('rat', 'one-hot', 0)
  assert made.name == 'rat (mlp width=4 depth=1)' and made.steps(None) == 3000
  (setting,) = handed
  assert setting.held_out is scorer.prepared.validation
  stated = scorer.protocol('rat', 'one-hot', 7)
  assert '7 steps' in stated.name and stated.steps(None) == 7


def test_without_held_out_images_it_is_refused(scorer):
  with pytest.raises(UserError, match=r'hold some out \(validation\)'):
    judge.protocol_of(
      judge.Asked('rat', 'one-hot', 0), scorer.config, scorer.setting
    )
