"""Named protocols: what all of them have in common."""

import jax
import numpy as np
import pytest

from dd_jax import augment
from dd_jax.data.source import resident
from dd_jax.evaluation.protocols import PROTOCOLS, Setting, protocol, rcig
from dd_jax.evaluation.score import evaluate
from dd_jax.types import DistilledData, UserError


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


@pytest.mark.parametrize(
  ('name', 'channels', 'mirrors'),
  [
    ('dsa', 3, True),
    ('mtt', 1, True),
    ('datm', 3, True),
    ('rat', 1, True),
    ('idc', 3, True),
    ('frepo', 3, True),
    ('frepo', 1, False),
  ],
)
def test_mirror_images_may_be_left_out(name, channels, mirrors, monkeypatch):
  """Learners see none then; a protocol that has none keeps its name."""
  drawn = []
  for strategy in ('dsa', 'idc', 'frepo'):
    note = lambda text, **_: drawn.append(text)
    monkeypatch.setattr(augment, strategy, note)
  plain = Setting((8, 8, channels), 3, steps=1)
  names = [
    protocol(name, plain._replace(mirrors=asked)).name
    for asked in (True, False)
  ]
  assert ['flip' in text for text in drawn] == [mirrors, False]
  assert names == [name, f'{name} (no flips)' if mirrors else name]


def test_rcig_doubles_a_set_only_where_it_may(monkeypatch, key):
  seen = []
  flips = lambda data: seen.append(len(data.image)) or data
  monkeypatch.setattr(rcig, 'with_flips', flips)
  image, label = np.zeros((3, 8, 8, 3), np.float32), np.eye(3, dtype=np.float32)
  real = resident(image, np.arange(3, dtype=np.int32), 3, None)
  for asked in (True, False):
    setting = Setting((8, 8, 3), 3, steps=1, mirrors=asked)
    made = protocol('rcig', setting)
    made.score(key[None], DistilledData(image, label), real)
    assert made.name == ('rcig' if asked else 'rcig (no flips)')
    assert len(seen) == 1  # of the first
