"""KIP and label solve against float64 references written out in NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from dd_jax.data.labels import LabelEncoding
from dd_jax.data.source import resident
from dd_jax.distiller import State
from dd_jax.kernels import Ridge, dense_kernel
from dd_jax.methods.kip import kip
from dd_jax.methods.label_solve import NormalEquations, label_solve
from dd_jax.methods.selection import random, selection
from dd_jax.parameterization import pixels
from dd_jax.types import LabeledData, UserError

CLASSES, IPC, SHAPE = 3, 2, (4, 4, 1)
CENTRED = LabelEncoding('centred')


@pytest.fixture(autouse=True)
def double():
  """Everything here but the accuracy of real digits is float64."""
  with jax.enable_x64(True):
    yield


def toy(size=40, seed=0):
  rng = np.random.default_rng(seed)
  label = np.arange(size) % CLASSES
  image = rng.normal(size=(size, *SHAPE)) + label[:, None, None, None]
  return resident(image, label.astype(np.int32), CLASSES, None)


def ntk(x1, x2, w_std=2**0.5, b_std=0.1):
  """One hidden ReLU layer, entry by entry (Cho and Saul 2009)."""
  out = np.zeros((len(x1), len(x2)))
  affine = lambda k: w_std**2 * k + b_std**2
  for i, a in enumerate(np.reshape(x1, (len(x1), -1))):
    for j, b in enumerate(np.reshape(x2, (len(x2), -1))):
      q1, q2, k = (affine(u @ v / len(u)) for u, v in ((a, a), (b, b), (a, b)))
      angle = np.arccos(np.clip(k / np.sqrt(q1 * q2), -1, 1))
      slope = (np.pi - angle) / (2 * np.pi)
      nngp = np.sqrt(q1 * q2) * np.sin(angle) / (2 * np.pi) + slope * k
      out[i, j] = affine(nngp) + w_std**2 * slope * k
  return out


def objective(support, label, image, one_hot, ridge, loss='squared_error'):
  """`1/2 mean (y_t - p)^2` or the cross-entropy of `10 p`; see below for p."""
  k_ss, k_ts = ntk(support, support), ntk(image, support)
  penalty = ridge * np.trace(k_ss) / len(k_ss)
  weights = np.linalg.solve(k_ss + penalty * np.eye(len(k_ss)), label)
  prediction = k_ts @ weights
  if loss == 'squared_error':
    return 0.5 * np.mean((one_hot - 1 / CLASSES - prediction) ** 2)
  logits = 10 * prediction
  return np.mean(np.log(np.exp(logits).sum(-1)) - (logits * one_hot).sum(-1))


def make(optimizer=None, ridge=1e-2, loss='squared_error', **settings):
  return kip(
    pixels(IPC, encoding=CENTRED, **settings),
    dense_kernel('ntk'),
    optimizer or optax.sgd(1.0),
    batch_size=12,
    ridge=Ridge(ridge),
    loss=loss,
  )


def started(method, seed=0):
  key = jax.random.key(seed)
  source = toy()
  return method.init(key, source), method.sample(key, jnp.int32(0), source)


LOSSES = ('squared_error', 'cross_entropy')


@pytest.mark.parametrize('loss', LOSSES)
@pytest.mark.parametrize('ridge', [1e-6, 1e-2])
def test_loss_is_the_papers(ridge, loss):
  method = make(ridge=ridge, loss=loss)
  state, batch = started(method)
  # Labels that no class could have: the loss must use them as they are.
  label = np.random.default_rng(1).normal(size=(IPC * CLASSES, CLASSES))
  state.params['data']['label'] = jnp.asarray(label)
  _, metrics = jax.jit(method.update)(jax.random.key(0), 0, state, batch)
  expected = objective(
    np.asarray(state.params['data']['image']),
    label,
    np.asarray(batch.image),
    np.asarray(batch.label),
    ridge,
    loss,
  )
  assert metrics['loss'].dtype == np.float64
  np.testing.assert_allclose(metrics['loss'], expected, rtol=1e-8)


@pytest.mark.parametrize('loss', LOSSES)
@pytest.mark.parametrize('part', ['image', 'label'])
def test_gradient_matches_finite_differences(part, loss):
  method = make(loss=loss)
  state, batch = started(method)
  after, _ = jax.jit(method.update)(jax.random.key(0), 0, state, batch)
  before = {k: np.asarray(v) for k, v in state.params['data'].items()}
  # A step of SGD at 1 is minus the gradient.
  gradient = before[part] - np.asarray(after.params['data'][part])
  direction = np.random.default_rng(2).normal(size=gradient.shape)
  real = np.asarray(batch.image), np.asarray(batch.label)

  def along(step):
    moved = {**before, part: before[part] + step * direction}
    return objective(moved['image'], moved['label'], *real, 1e-2, loss)

  step = 1e-5
  expected = (along(step) - along(-step)) / (2 * step)
  np.testing.assert_allclose(np.vdot(gradient, direction), expected, rtol=1e-6)


def test_the_scale_is_learned():
  method = make(loss='cross_entropy')
  state, batch = started(method)
  after, metrics = jax.jit(method.update)(jax.random.key(0), 0, state, batch)
  assert float(metrics['temperature']) == pytest.approx(10)
  moved = np.exp(float(after.params['extra']['log_scale']))
  assert moved != 10 and abs(np.log(moved / 10)) < 0.02
  assert make().init(jax.random.key(0), toy()).params['extra'] == {}


def test_an_unknown_loss_is_refused():
  with pytest.raises(UserError, match=r"^loss='hinge': unknown"):
    make(loss='hinge')


def test_batches_hold_every_class_equally():
  batch = started(make())[1]
  np.testing.assert_array_equal(batch.label.sum(0), [4, 4, 4])


def digits():
  from sklearn.datasets import load_digits

  bunch = load_digits()
  image = ((bunch.images[..., None] - 4.9) / 6).astype(np.float32)
  label = bunch.target.astype(np.int32)
  split = 1300
  return (
    resident(image[:split], label[:split], 10, None),
    (image[split:], label[split:]),
  )


def ridge_accuracy(data, test):
  image, label = test
  k_ss, k_ts = ntk_fast(data.image), ntk_fast(image, data.image)
  system = k_ss + 1e-6 * np.trace(k_ss) / len(k_ss) * np.eye(len(k_ss))
  prediction = k_ts @ np.linalg.solve(system, np.asarray(data.label, float))
  return 100 * np.mean(prediction.argmax(1) == label)


def ntk_fast(x1, x2=None):
  x1 = jnp.asarray(x1, float)
  x2 = None if x2 is None else jnp.asarray(x2, float)
  return np.asarray(dense_kernel('ntk')(x1, x2))


def test_ten_images_beat_random_ones_by_five_points():
  train, test = digits()
  key = jax.random.key(0)
  chosen = selection(random, 1, encoding=CENTRED)
  baseline = [
    ridge_accuracy(chosen.distilled(chosen.init(k, train)), test)
    for k in jax.random.split(key, 5)
  ]
  with jax.enable_x64(False):
    method = kip(
      pixels(1, encoding=CENTRED),
      dense_kernel('ntk'),
      optax.adam(4e-2),
      batch_size=200,
    )

    @jax.jit
    def steps(state, train):
      def one(t, state):
        k_sample, k_update = jax.random.split(jax.random.fold_in(key, t))
        batch = method.sample(k_sample, t, train)
        return method.update(k_update, t, state, batch)[0]

      return jax.lax.fori_loop(0, 300, one, state)

    state = steps(method.init(key, train), train)
    learned = jax.device_get(method.distilled(state))
  assert ridge_accuracy(learned, test) >= np.mean(baseline) + 5


# Label solve.


def solver(batch_size, ridge=1e-3):
  return label_solve(
    pixels(IPC, encoding=CENTRED),
    dense_kernel('ntk'),
    batch_size=batch_size,
    ridge=Ridge(ridge),
    solve_ridge=Ridge(1e-14),
  )


def swept(method, source, steps):
  key = jax.random.key(0)
  state = method.init(key, source)
  update = jax.jit(method.update)
  rows = []
  for t in range(steps):
    batch = method.sample(key, jnp.int32(t), source)
    state, metrics = update(key, jnp.int32(t), state, batch)
    rows.append(metrics)
  return state, rows


def test_label_solve_is_least_squares():
  source = toy()
  state, _ = swept(solver(40), source, 1)
  image = np.asarray(state.constants['image'])
  everything = source.take(jnp.arange(40))
  k_ss = ntk(image, image)
  system = k_ss + 1e-3 * np.trace(k_ss) / len(k_ss) * np.eye(len(k_ss))
  target = np.asarray(everything.label) - 1 / CLASSES
  weights = np.linalg.lstsq(
    ntk(np.asarray(everything.image), image), target, rcond=None
  )[0]
  label = solver(40).distilled(state).label
  np.testing.assert_allclose(label, system @ weights, rtol=1e-5, atol=1e-6)


def test_label_solve_predicts_best():
  """No other labels have a lower loss on the data that they were solved for."""
  source = toy()
  method = solver(40)
  state, _ = swept(method, source, 1)
  everything = source.take(jnp.arange(40))
  image = np.asarray(state.constants['image'])
  real = np.asarray(everything.image), np.asarray(everything.label)
  label = np.asarray(method.distilled(state).label)
  loss = lambda y: objective(image, y, *real, 1e-3)
  rng = np.random.default_rng(0)
  for _ in range(10):
    assert loss(label) < loss(label + 1e-3 * rng.normal(size=label.shape))


@pytest.mark.parametrize('batch_size', [10, 16, 39])
def test_batches_sum_to_one_big_batch(batch_size):
  """Also where the last batch wraps round: nobody counts twice."""
  source = toy()
  once, _ = swept(solver(40), source, 1)
  steps = -(-40 // batch_size)
  several, _ = swept(solver(batch_size), source, steps)
  for a, b in zip(once.models, several.models, strict=True):
    np.testing.assert_allclose(a, b, rtol=1e-10)
  np.testing.assert_allclose(
    once.params['data']['label'], several.params['data']['label'], rtol=1e-4
  )


def test_a_second_sweep_changes_no_label():
  source = toy()
  once, _ = swept(solver(16), source, 3)
  twice, _ = swept(solver(16), source, 6)
  np.testing.assert_allclose(twice.models.gram, 2 * once.models.gram)
  np.testing.assert_allclose(
    once.params['data']['label'], twice.params['data']['label'], rtol=1e-4
  )


def test_metrics_of_a_batch_that_wraps_round():
  """Repeats count neither in the loss nor in the accuracy."""
  source = toy()
  method = solver(39)
  state, rows = swept(method, source, 2)
  last = source.take(jnp.arange(39, 40))
  image = np.asarray(state.constants['image'])
  label = np.asarray(state.params['data']['label'])
  real = np.asarray(last.image), np.asarray(last.label)
  expected = objective(image, label, *real, 1e-3)
  np.testing.assert_allclose(rows[1]['loss'], expected, rtol=1e-5)
  k_ss = ntk(image, image)
  system = k_ss + 1e-3 * np.trace(k_ss) / len(k_ss) * np.eye(len(k_ss))
  guess = ntk(np.asarray(last.image), image) @ np.linalg.solve(system, label)
  hit = float(guess.argmax(1)[0] == np.asarray(last.label).argmax(1)[0])
  assert rows[1]['batch_accuracy'] == hit


def test_label_solve_state():
  state = solver(10).init(jax.random.key(0), toy())
  assert isinstance(state, State)
  assert isinstance(state.models, NormalEquations)
  batch = solver(16).sample(jax.random.key(0), jnp.int32(2), toy())
  assert isinstance(batch.data, LabeledData)
  np.testing.assert_array_equal(batch.weight, [1] * 8 + [0] * 8)
