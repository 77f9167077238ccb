"""Learned labels: where they stay, for how long they are trained on."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from carried import CLASSES, SHAPE, made, source

from dd_jax.evaluation.protocols import Setting, protocol
from dd_jax.methods.label_distillation import label_distillation
from dd_jax.methods.label_distillation_ridge import label_distillation_ridge
from dd_jax.networks import mlp
from dd_jax.types import UserError

VARIANTS = [label_distillation, label_distillation_ridge]


def run(method, steps):
  state = method.init(jax.random.key(0), source())
  update, rows = jax.jit(method.update), []
  for t in range(steps):
    k_sample, k_update = jax.random.split(jax.random.key(t))
    batch = method.sample(k_sample, jnp.int32(t), source())
    state, metrics = update(k_update, jnp.int32(t), state, batch)
    rows.append(jax.device_get(metrics))
  return state, rows


@pytest.mark.parametrize('method', VARIANTS)
def test_labels_stay_on_the_simplex_and_images_where_they_are(method):
  made_one = made(method, gap=5, inner_optimizer=optax.adam(0.05))
  state, rows = run(made_one, 40)
  start = made_one.init(jax.random.key(0), source())
  before, after = made_one.distilled(start), made_one.distilled(state)
  np.testing.assert_array_equal(before.image, after.image)
  label = np.asarray(after.label)
  np.testing.assert_allclose(label.sum(1), 1, rtol=1e-5)
  assert label.min() >= 0 and np.any(label != np.asarray(before.label))
  ages = [int(row['model_age']) for row in rows]
  assert 0 in ages  # a network was replaced
  assert int(after.num_steps) > 0


def test_its_protocol_takes_the_number_of_steps_from_the_set():
  method = made(label_distillation)
  data = method.distilled(method.init(jax.random.key(0), source()))
  network = mlp(SHAPE, CLASSES, width=8, depth=1)
  setting = Setting(SHAPE, CLASSES, network=network)
  keys = jax.random.split(jax.random.key(3), 4)

  def score(steps, setting=setting):
    taken = None if steps is None else jnp.int32(steps)
    chosen = protocol('ld', setting)
    return chosen.score(keys, data._replace(num_steps=taken), source()).tolist()

  assert score(1) != score(200)
  assert score(None) == score(300)
  assert score(1, setting._replace(steps=200)) == score(200)


@pytest.mark.parametrize(
  'settings, words',
  [
    ({'gap': 0}, 'gap=0'),
    ({'inner_batch_size': 0}, 'inner_batch_size=0'),
  ],
)
def test_refused_before_any_compute(settings, words):
  with pytest.raises(UserError) as error:
    made(label_distillation, **settings)
  assert words in str(error.value) and '\n' not in str(error.value)
