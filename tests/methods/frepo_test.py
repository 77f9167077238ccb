"""FRePo against NumPy, and the life of its pool."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from dd_jax.data.labels import LabelEncoding
from dd_jax.data.source import resident
from dd_jax.kernels import Ridge
from dd_jax.losses import label_margin, squared_error
from dd_jax.methods.frepo import feature_regression, frepo
from dd_jax.networks import NETWORKS, Network, Outputs
from dd_jax.parameterization import STARTS, pixels
from dd_jax.platform import CPU
from dd_jax.training import epochs, train_step
from dd_jax.types import LabeledData

CLASSES, IPC, SHAPE = 3, 2, (4, 4, 1)
CENTRED = LabelEncoding('centred')
POOL, MAX_AGE = 3, 6
KEY = jax.random.key(0)


def toy(size=40, dtype=np.float32):
  rng = np.random.default_rng(0)
  label = np.arange(size) % CLASSES
  image = rng.normal(size=(size, *SHAPE)) + label[:, None, None, None]
  return resident(image.astype(dtype), label.astype(np.int32), CLASSES, None)


@functools.cache
def network():
  """An MLP: cheap to compile; in the dtype that is switched on."""
  plain = NETWORKS['mlp'](SHAPE, CLASSES, width=24)

  def init(key):
    cast = lambda a: a.astype(jnp.zeros(()).dtype)
    return jax.tree.map(cast, plain.init(key))

  return Network(init, plain.apply)


def make(optimizer=None, learner=None, labels=None, **settings):
  defaults = {
    'batch_size': 12,
    'ridge': Ridge(1e-2),
    'pool_size': POOL,
    'max_age': MAX_AGE,
    'inner_optimizer': optax.sgd(0.1),
  }
  return frepo(
    pixels(IPC, encoding=CENTRED, label_rule='frepo', **(labels or {})),
    learner or network(),
    optimizer or optax.sgd(1.0),
    **{**defaults, **settings},
  )


def step(method, state, key=KEY, source=None):
  batch = method.sample(KEY, jnp.int32(0), source or toy())
  return *jax.jit(method.update)(key, jnp.int32(0), state, batch), batch


def member(state, slot):
  return jax.tree.map(lambda a: a[slot], state.models)


def picked(before, after):
  """The slot whose age changed."""
  moved = np.flatnonzero(before.models.age != after.models.age)
  assert len(moved) == 1
  return int(moved[0])


def expected_loss(phi, support, label, image, target, margin, flip, ridge):
  """The published loss, in NumPy; `phi` gives features."""
  capped = np.sort(label, 1)[:, -1] - np.sort(label, 1)[:, -2]
  gap = -np.mean(np.minimum(capped, 1 / CLASSES))
  if flip:
    support = np.concatenate([support, support[:, :, ::-1]])
    label = np.concatenate([label, label])
  phi_s, phi_t = phi(support), phi(image)
  k = phi_s @ phi_s.T
  system = k + ridge * np.trace(k) / len(k) * np.eye(len(k))
  prediction = phi_t @ phi_s.T @ np.linalg.solve(system, label)
  error = 0.5 * np.mean(np.sum((prediction - target) ** 2, 1))
  return error + margin * gap


@pytest.mark.parametrize('flip', [False, True])
@pytest.mark.parametrize('margin', [0.0, 1.0])
def test_loss_is_the_papers(flip, margin):
  with jax.enable_x64(True):
    method = make(flip=flip, margin=margin)
    state = method.init(KEY, toy(dtype=np.float64))
    label = np.random.default_rng(1).normal(size=(IPC * CLASSES, CLASSES))
    state.params['data']['label'] = jnp.asarray(label)
    after, metrics, batch = step(method, state, source=toy(dtype=np.float64))
    model = member(state, picked(state, after))
    phi = lambda x: np.asarray(
      network().apply(model.variables, jnp.asarray(x))[0].features
    )
    expected = expected_loss(
      phi,
      np.asarray(state.params['data']['image']),
      label,
      np.asarray(batch.image),
      np.asarray(batch.label) - 1 / CLASSES,
      margin,
      flip,
      1e-2,
    )
  np.testing.assert_allclose(metrics['loss'], expected, rtol=1e-8)
  assert metrics['model_age'] == model.age


def test_gradient_is_the_losss_with_target_features_held():
  with jax.enable_x64(True):
    method = make(margin=1.0, flip=True)
    state = method.init(KEY, toy(dtype=np.float64))
    after, _, batch = step(method, state, source=toy(dtype=np.float64))
    model = member(state, picked(state, after))
    before = {k: np.asarray(v) for k, v in state.params['data'].items()}
    gradient = jax.tree.map(
      lambda a, b: a - np.asarray(b), before, after.params['data']
    )
    rng = np.random.default_rng(2)
    direction = {k: rng.normal(size=v.shape) for k, v in before.items()}
    phi = lambda x: np.asarray(
      network().apply(model.variables, jnp.asarray(x))[0].features
    )

    def along(h):
      return expected_loss(
        phi,
        before['image'] + h * direction['image'],
        before['label'] + h * direction['label'],
        np.asarray(batch.image),
        np.asarray(batch.label) - 1 / CLASSES,
        1.0,
        True,
        1e-2,
      )

    slope = sum(np.vdot(gradient[k], direction[k]) for k in gradient)
    h = 1e-6
    expected = (along(h) - along(-h)) / (2 * h)
  np.testing.assert_allclose(slope, expected, rtol=1e-6)


def test_no_gradient_to_the_target_features():
  support = LabeledData(
    jax.random.normal(KEY, (6, *SHAPE)), jnp.eye(6)[:, :CLASSES]
  )

  def total(image, scale):
    def network(x):
      features = scale * x.reshape(len(x), -1)
      return Outputs(features, features, ())

    return feature_regression(network, support, image, Ridge(1e-2), CPU)[
      0
    ].sum()

  target = jax.random.normal(jax.random.key(1), (5, *SHAPE))
  to_image, to_scale = jax.grad(total, (0, 1))(target, 1.0)
  assert not np.any(to_image)
  # Through the support set's features alone, a scale s gives P ~ 1 / s.
  value = total(target, 1.0)
  np.testing.assert_allclose(to_scale, -value, rtol=1e-3)


def test_margin_term():
  label = jnp.array([[0.9, 0.1, 0.0], [0.3, 0.2, 0.5], [0.2, 0.2, 0.2]])
  # Gaps 0.8 (capped at 1/3), 0.2 and 0.
  expected = -(1 / 3 + 0.2 + 0) / 3
  np.testing.assert_allclose(label_margin(label), expected, rtol=1e-6)


def test_labels_are_scaled_and_centred():
  label = np.asarray(make().distilled(make().init(KEY, toy())).label)
  one_hot = np.repeat(np.eye(CLASSES), IPC, 0)
  expected = (one_hot - 1 / CLASSES) / np.sqrt(CLASSES / 10)
  np.testing.assert_allclose(label, expected, rtol=1e-6)


def test_targets_are_not_scaled():
  """With the support set as the batch and no ridge, P is y_s itself."""
  method = make(ridge=Ridge(1e-7), margin=0.0, optimizer=optax.sgd(0.0))
  state = method.init(KEY, toy())
  data = method.distilled(state)
  one_hot = jnp.repeat(jnp.eye(CLASSES), IPC, axis=0)
  batch = LabeledData(data.image, one_hot)
  _, metrics = jax.jit(method.update)(KEY, jnp.int32(0), state, batch)
  residual = np.asarray(data.label) - (one_hot - 1 / CLASSES)
  expected = 0.5 * np.mean(np.sum(np.asarray(residual) ** 2, 1))
  np.testing.assert_allclose(metrics['loss'], expected, rtol=1e-2)


# The pool.


def test_members_have_the_ages_that_they_claim():
  method = make()
  state = method.init(KEY, toy())
  np.testing.assert_array_equal(state.models.age, [0, 2, 4])
  # A member of age a is, on the whole starting set, a plain network after a
  # steps, from the initial weights of a pool that nobody has trained.
  untrained = make(inner_optimizer=optax.sgd(0.0)).init(KEY, toy())
  data = LabeledData(*method.distilled(state)[:2])
  batches, _ = epochs(KEY, data, 1000)
  for slot, age in enumerate([0, 2, 4]):
    model = member(untrained, slot)
    for i in range(age):
      model = train_step(
        network(), optax.sgd(0.1), squared_error, model, batches(i)
      )
    expected = jax.tree.leaves(model.variables)
    found = jax.tree.leaves(member(state, slot).variables)
    for a, b in zip(expected, found, strict=True):
      np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
  different = np.abs(
    np.asarray(jax.tree.leaves(untrained.models.variables)[1][2])
    - np.asarray(jax.tree.leaves(state.models.variables)[1][2])
  )
  assert different.max() > 1e-4


def test_the_pool_is_told_of_as_it_grows():
  """In steps, up to all of them; nothing is told of what is only traced."""
  told, source, start = [], toy(), {'start': STARTS['noise']}
  report = lambda done, total: told.append((done, total))
  method = make(labels=start, report=report)
  state = method.init(KEY, source)
  ages = np.asarray(state.models.age)
  assert told == [(n, ages.sum()) for n in np.cumsum(ages)]
  jax.eval_shape(lambda: method.init(KEY, source))
  method.structure(KEY, source)  # what a checkpoint is read into: nobody trains
  assert len(told) == POOL
  silent = make(labels=start).init(KEY, source)
  jax.tree.map(np.testing.assert_array_equal, state, silent)


@pytest.mark.parametrize('inner_steps', [1, 3])
def test_advance_is_one_step_on_the_moved_support_set(inner_steps):
  method = make(optimizer=optax.sgd(0.5), inner_steps=inner_steps)
  state = method.init(KEY, toy())
  after, _, _ = step(method, state)
  slot = picked(state, after)
  model = member(state, slot)
  data = LabeledData(*method.distilled(after)[:2])
  batches, _ = epochs(KEY, data, 1000)
  for i in range(inner_steps):
    model = train_step(
      network(), optax.sgd(0.1), squared_error, model, batches(i)
    )
  for a, b in zip(
    jax.tree.leaves(model), jax.tree.leaves(member(after, slot)), strict=True
  ):
    np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)
  assert after.models.age[slot] == state.models.age[slot] + inner_steps
  others = [i for i in range(POOL) if i != slot]
  for a, b in zip(
    jax.tree.leaves(state.models), jax.tree.leaves(after.models), strict=True
  ):
    np.testing.assert_array_equal(a[np.array(others)], b[np.array(others)])


def test_advance_leaves_batch_statistics_of_training():
  """Batch norm trains in train mode and is used in eval mode."""
  learner = NETWORKS['frepo_convnet']((8, 8, 1), CLASSES, width=4, depth=2)
  rng = np.random.default_rng(0)
  image = rng.normal(size=(30, 8, 8, 1)).astype(np.float32) + 3
  source = resident(image, np.arange(30, dtype=np.int32) % 3, CLASSES, None)
  method = make(learner=learner, pool_size=1)
  state = method.init(KEY, source)
  before = state.models.variables['batch_stats']
  after, _, _ = step(method, state, source=source)
  moved = jax.tree.map(
    lambda a, b: bool(np.any(a != b)),
    before,
    after.models.variables['batch_stats'],
  )
  assert all(jax.tree.leaves(moved))


def test_a_member_of_the_largest_age_is_replaced_by_an_untrained_one():
  method = make(pool_size=1)
  state = method.init(KEY, toy())
  update = jax.jit(method.update)
  batch = method.sample(KEY, jnp.int32(0), toy())
  ages, first = [], np.asarray(jax.tree.leaves(state.models.variables)[1])
  for t in range(2 * (MAX_AGE + 1)):
    used = int(state.models.age[0])
    state, metrics = update(jax.random.key(t), jnp.int32(t), state, batch)
    assert metrics['model_age'] == used
    ages.append(int(state.models.age[0]))
  # Used once at every age; the last time it takes no step any more.
  life = [*range(1, MAX_AGE + 1), 0]
  assert ages == life + life
  # And it is another network than the first.
  replaced = np.asarray(jax.tree.leaves(state.models.variables)[1])
  assert np.abs(replaced - first).max() > 0.1


def test_every_member_is_drawn():
  method = make()
  state = method.init(KEY, toy())
  update = jax.jit(method.update)
  batch = method.sample(KEY, jnp.int32(0), toy())
  slots = [
    picked(state, update(jax.random.key(t), jnp.int32(0), state, batch)[0])
    for t in range(60)
  ]
  assert min(np.bincount(slots, minlength=POOL)) >= 10


def test_a_small_inner_batch_trains_on_part_of_the_set():
  """Each step draws its own minibatch of the support set."""
  whole, part = make(), make(inner_batch_size=2)
  after = [step(m, m.init(KEY, toy()))[0] for m in (whole, part)]
  leaves = [jax.tree.leaves(s.models.variables) for s in after]
  assert any(np.any(a != b) for a, b in zip(*leaves, strict=True))


def test_published_settings():
  from dd_jax.run import recipe

  config = recipe.default('frepo')
  published = {
    'batch_size': 1024,
    'ridge': 1e-6,
    'margin': 1.0,
    'pool_size': 10,
    'max_age': 100,
    'inner_batch_size': 1000,
    'inner_steps': 1,
  }
  method = config['method']
  assert {k: method[k] for k in published} == published
  assert config['num_steps'] == 500_000
  lamb = {
    'name': 'lamb',
    'learning_rate': 3e-4,
    'schedule': 'cosine',
    'final': 0.1,
    'momentum': 0.0,
    'weight_decay': 0.0,
  }
  assert config['optimizer'] == lamb
  assert config['inner_optimizer']['name'] == 'adam'
  assert config['inner_optimizer']['learning_rate'] == 3e-4
  assert config['inner_optimizer']['schedule'] == 'constant'
