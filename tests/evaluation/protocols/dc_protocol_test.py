"""DC's protocol: its numbers, its augmentation, its labels."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from dd_jax.evaluation import diagnoses
from dd_jax.evaluation.protocols import dc, protocol
from dd_jax.evaluation.score import evaluate


@pytest.mark.parametrize(
  'size, epochs, batch, steps, restart',
  [
    # DC trains epochs 0 to E; the rate falls after epoch E // 2 + 1.
    (100, 300, 256, 301, 152),
    (256, 300, 256, 301, 152),
    (257, 300, 256, 602, 304),
    (500, 1000, 256, 2002, 1004),
    (500, 1000, 128, 4004, 2008),
  ],
)
def test_recipe(
  monkeypatch, setting, images, size, epochs, batch, steps, restart
):
  asked = {}

  def spy(rate, at, **rest):
    asked.update(rate=rate, at=at, **rest)
    return optax.sgd(rate)

  monkeypatch.setattr(dc, 'restarted_sgd', spy)
  transform = None if epochs == 300 else lambda key, image: image
  found = dc.recipe(setting(), transform, dc.Course(batch=batch))
  found.optimizer(images(size))
  assert found.num_steps(images(size)) == steps
  assert found.batch_size == batch and found.augment is transform
  assert asked == {
    'rate': 0.01,
    'at': restart,
    'momentum': 0.9,
    'weight_decay': 5e-4,
  }


@pytest.mark.parametrize(
  'name, steps, mirrors',
  [
    ('dc', 301, False),
    ('dc-mnist', 1001, False),
    ('dsa', 1001, True),
    ('mtt', 1001, True),
    ('datm', 1001, True),
  ],
)
def test_augmentations(monkeypatch, setting, images, key, name, steps, mirrors):
  """With one there are 1,001 epochs; half of a batch is mirrored, or none."""
  found = []
  monkeypatch.setattr(dc, 'learner_test', found.append)
  made = protocol(name, setting())
  (recipe,) = found
  assert made.name == name and recipe.num_steps(images(6)) == steps
  if name == 'dc':
    assert recipe.augment is None
    return
  ramp = jnp.broadcast_to(jnp.arange(8.0)[None, :, None], (1, 8, 8, 1))
  shown = jax.vmap(lambda k: recipe.augment(k, ramp))(jax.random.split(key, 64))
  turned = np.all(shown[:, 0] == ramp[0, :, ::-1], axis=(1, 2, 3))
  assert np.any(turned) == mirrors


@pytest.mark.parametrize('encoding', ['one-hot', 'centred'])
def test_labels(monkeypatch, setting, images, key, real, encoding):
  """Soft labels on the simplex stay; others count by their largest entry."""
  seen = []

  def spy(recipe):
    del recipe
    return lambda keys, data, test: seen.append(data) or jnp.zeros(len(keys))

  monkeypatch.setattr(dc, 'learner_test', spy)
  label = np.array([[0.7, 0.2, 0.1], [0.2, 0.5, 0.3]], np.float32)
  data = images(2)._replace(label=label)
  chosen = protocol('dc', setting(label_encoding=encoding))
  evaluate(chosen, key, data, real(), num_learners=1)
  expected = label if encoding == 'one-hot' else np.eye(3)[[0, 1]]
  np.testing.assert_allclose(seen[0].label, expected)


def test_learners_that_diverge_say_so(setting, distilled, key, real):
  """They are wrong everywhere, and not at chance."""
  data = distilled()._replace(step_size=np.float32(1e30))
  chosen = protocol('mtt', setting(steps=4))
  found = evaluate(chosen, key, data, real(), num_learners=2)
  assert found.mean == 0 and found.undecided == 2 * len(real())
  (line,) = diagnoses.of_score(found, None, tuple('abc'))
  assert 'diverged' in line and f'{found.undecided} answers' in line
