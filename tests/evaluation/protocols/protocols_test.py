"""Named protocols: what all of them have in common."""

import jax
import numpy as np
import pytest

from dd_jax.evaluation.protocols import PROTOCOLS, protocol
from dd_jax.evaluation.score import evaluate
from dd_jax.types import UserError


@pytest.fixture
def quick(setting):
  return {
    name: protocol(name, setting(steps=20, label_encoding='centred'))
    for name in PROTOCOLS
  }


@pytest.mark.parametrize('name', PROTOCOLS)
def test_a_score(name, quick, key, distilled, real):
  score = evaluate(
    quick[name], key, distilled('centred'), real(), num_learners=3
  )
  assert score.protocol == name
  exact = name in ('krr-ntk', 'krr-nngp')
  assert len(score.values) == (1 if exact else 3)
  assert (score.std is None) == exact
  assert all(0 <= v <= 100 for v in score.values)
  # Percent of 45 examples.
  hits = np.array(score.values) * 45 / 100
  np.testing.assert_allclose(hits, np.round(hits), atol=1e-2)


@pytest.mark.parametrize('name', ['krr-ntk', 'krr-nngp'])
def test_kernels_separate_these_classes(name, quick, key, distilled, real):
  score = evaluate(quick[name], key, distilled('centred'), real())
  assert score.mean > 90


@pytest.mark.parametrize('name', ['krr-ntk', 'krr-feature', 'frepo'])
def test_one_hot_labels_are_centred(name, setting, key, distilled, real):
  """A one-hot set scores as the same set with centred labels."""
  scores = [
    evaluate(
      protocol(name, setting(steps=5, label_encoding=encoding)),
      key,
      distilled(encoding),
      real(),
      num_learners=2,
    )
    for encoding in ('one-hot', 'centred')
  ]
  assert scores[0] == scores[1]


def test_the_same_key_gives_the_same_score(quick, distilled, real):
  score = lambda seed: evaluate(
    quick['dc'], jax.random.key(seed), distilled('centred'), real(500)
  )
  assert score(0) == score(0)
  assert score(0).values != score(1).values


def test_an_unknown_protocol(setting):
  with pytest.raises(UserError, match=r"'krr-nkt'.*did you mean krr-n"):
    protocol('krr-nkt', setting())


@pytest.mark.parametrize('name', ['dc', 'mtt', 'frepo', 'krr-feature', 'rcig'])
def test_images_too_small_for_its_network_are_refused_at_once(name, setting):
  with pytest.raises(UserError, match='1 x 1'):
    protocol(name, setting(network=None, image_shape=(1, 1, 1)))
