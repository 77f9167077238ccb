"""Label distillation: its step, its ridge regression, its restart rule."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from dd_jax.data.source import resident
from dd_jax.evaluation.protocols import Setting, protocol
from dd_jax.methods.label_distillation import (
  Progress,
  finished,
  label_distillation,
  label_distillation_ridge,
  noted,
)
from dd_jax.networks import Network, mlp
from dd_jax.parameterization import pixels
from dd_jax.training import Model
from dd_jax.types import UserError

pytestmark = pytest.mark.usefixtures('quick_compiler')

SHAPE, CLASSES = (2, 2, 1), 3
VARIANTS = [label_distillation, label_distillation_ridge]


def source(dtype=np.float32):
  draw = np.random.default_rng(1)
  label = np.arange(90) % CLASSES
  image = draw.normal(size=(90, *SHAPE)) + label[:, None, None, None]
  return resident(image.astype(dtype), label, CLASSES, None)


def in_double(network):
  cast = functools.partial(jax.tree.map, lambda a: a.astype(jnp.float64))
  return Network(lambda key: cast(network.init(key)), network.apply)


def at_start(method):
  """`(state, batch)` in float64."""
  real = source(np.float64)
  state = method.init(jax.random.key(0), real)
  return state, method.sample(jax.random.key(1), jnp.int32(0), real)


def made(method, labels='simplex', **settings):
  network = mlp(SHAPE, CLASSES, width=8, depth=1)
  if jax.config.jax_enable_x64:
    network = in_double(network)
  return method(
    pixels(2, learn_images=False, labels=labels),
    network,
    optax.adam(0.02),
    batch_size=60,
    **settings,
  )


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


def test_the_gradient_goes_through_the_inner_step(x64):
  """Against finite differences of one step and the loss after it, in NumPy."""
  step_size = 0.4
  method = made(label_distillation, 'free', inner_step_size=step_size)
  state, batch = at_start(method)
  params = jax.device_get(state.models.model.variables['params'])
  image = np.asarray(method.distilled(state).image).reshape(6, -1)

  def loss(label):
    w = [params['Dense_0']['kernel'], params['Dense_0']['bias']]
    w += [params['head']['kernel'], params['head']['bias']]
    z = image @ w[0] + w[1]
    h = np.maximum(z, 0)
    logits = h @ w[2] + w[3]
    r = (softmax(logits) * label.sum(1, keepdims=True) - label) / len(label)
    back = (r @ w[2].T) * (z > 0)
    slopes = [image.T @ back, back.sum(0), h.T @ r, r.sum(0)]
    w = [a - step_size * g for a, g in zip(w, slopes, strict=True)]
    x = np.asarray(batch.image).reshape(60, -1)
    out = np.maximum(x @ w[0] + w[1], 0) @ w[2] + w[3]
    return -np.mean(np.sum(np.asarray(batch.label) * log_softmax(out), 1))

  label = np.asarray(method.distilled(state).label)
  measured = np.zeros_like(label)
  for i in np.ndindex(label.shape):
    shift = np.zeros_like(label)
    shift[i] = 1e-6
    measured[i] = (loss(label + shift) - loss(label - shift)) / 2e-6
  _, metrics = jax.jit(method.update)(
    jax.random.key(2), jnp.int32(0), state, batch
  )
  assert float(metrics['loss']) == pytest.approx(loss(label), rel=1e-9)
  norm = np.sqrt((measured**2).sum())
  assert float(metrics['grad_norm']) == pytest.approx(norm, rel=1e-5)


def softmax(z):
  e = np.exp(z - z.max(-1, keepdims=True))
  return e / e.sum(-1, keepdims=True)


def log_softmax(z):
  return np.log(softmax(z))


def test_the_ridge_variant_is_ridge_regression(x64):
  method = made(label_distillation_ridge, 'free', ridge=0.7)
  state, batch = at_start(method)
  layer = jax.device_get(state.models.model.variables['params'])['Dense_0']

  def features(image):
    x = np.asarray(image).reshape(len(image), -1)
    h = np.maximum(x @ layer['kernel'] + layer['bias'], 0)
    return np.concatenate([h, np.ones((len(h), 1))], 1)

  data = method.distilled(state)
  f = features(data.image)
  gram = f @ f.T + 0.7 * np.eye(6)
  weights = f.T @ np.linalg.solve(gram, np.asarray(data.label))
  logits = features(batch.image) @ weights
  expected = -np.mean(np.sum(np.asarray(batch.label) * log_softmax(logits), 1))
  _, metrics = method.update(jax.random.key(2), jnp.int32(0), state, batch)
  assert float(metrics['loss']) == pytest.approx(expected, rel=1e-9)


def test_the_restart_rule_on_scripted_losses():
  """Looks back on 3 losses; ends 3 steps after the mean was lowest."""
  zero = jnp.zeros((), jnp.int32)
  progress = Progress(
    Model({}, (), zero),
    jnp.zeros(3),
    jnp.float32(1e9),
    zero,
    jnp.zeros(3, jnp.int32),
  )
  over = []
  for age, value in enumerate([9, 8, 7, 6, 5, 6, 7, 8, 9], start=1):
    model = progress.model._replace(age=jnp.int32(age))
    progress = noted(progress._replace(model=model), jnp.float32(value))
    over.append(bool(finished(progress)))
  # Means from age 3 on: 8, 7, 6, 5.67, 6, 7, 8: the lowest at age 6.
  assert int(progress.best_age) == 6
  assert over.index(True) == 8


def test_its_protocol_takes_the_number_of_steps_from_the_set():
  method = made(label_distillation)
  data = method.distilled(method.init(jax.random.key(0), source()))
  network = mlp(SHAPE, CLASSES, width=8, depth=1)
  setting = Setting('made', SHAPE, CLASSES, network=network)
  keys = jax.random.split(jax.random.key(3), 4)

  def score(steps, setting=setting):
    taken = None if steps is None else jnp.int32(steps)
    chosen = protocol('ld', setting)
    return chosen.score(keys, data._replace(num_steps=taken), source()).tolist()

  assert score(1) != score(200)
  assert score(None) == score(300)
  assert score(1, setting._replace(steps=200)) == score(200)


@pytest.mark.parametrize(
  'method, settings, words',
  [
    (label_distillation, {'inner_step_size': 0.0}, 'inner_step_size=0.0'),
    (label_distillation, {'gap': 0}, 'gap=0'),
    (label_distillation, {'inner_batch_size': 0}, 'inner_batch_size=0'),
    (label_distillation_ridge, {'ridge': 0.0}, 'ridge=0.0'),
  ],
)
def test_refused_before_any_compute(method, settings, words):
  with pytest.raises(UserError) as error:
    made(method, **settings)
  assert words in str(error.value) and '\n' not in str(error.value)
