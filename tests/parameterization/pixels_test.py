"""Pixels and labels: what is learned, and what comes out."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dd_jax.data.labels import LabelEncoding
from dd_jax.data.source import resident
from dd_jax.parameterization import pixels
from dd_jax.types import UserError

KEY = jax.random.key(0)
CLASSES, IPC, SHAPE = 3, 2, (2, 2, 1)
ONE_HOT = np.repeat(np.eye(CLASSES), IPC, 0)
LABELS = ('free', 'nonnegative', 'simplex', 'logits', 'fixed')


def source():
  rng = np.random.default_rng(0)
  image = rng.normal(size=(12, *SHAPE)).astype(np.float32)
  return resident(image, np.arange(12, dtype=np.int32) % 3, CLASSES, None)


def started(**settings):
  made = pixels(IPC, **settings)
  params, constants = made.init(KEY, source())
  return made, params, constants


def expected_labels(labels, encoding, rule):
  shift = 1 / CLASSES if encoding == 'centred' else 0
  scale = np.sqrt(CLASSES / 10) if rule == 'frepo' else 1
  label = ONE_HOT
  if labels == 'logits':
    label = np.exp(5 * ONE_HOT)
    label = label / label.sum(1, keepdims=True)
  return (label - shift) / scale


@pytest.mark.parametrize(
  'labels, encoding, rule',
  [*itertools.product(LABELS, ('one-hot', 'centred'), ('plain', 'frepo'))],
)
def test_first_labels(labels, encoding, rule):
  """Whatever is learned, labels start at the class, encoded and scaled."""
  made, params, constants = started(
    labels=labels, encoding=LabelEncoding(encoding), label_rule=rule
  )
  label = made.decode(params, constants).label
  expected = expected_labels(labels, encoding, rule)
  np.testing.assert_allclose(label, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize('labels', LABELS)
def test_what_is_learned(labels):
  _, params, constants = started(labels=labels)
  learned = {'image'} if labels == 'fixed' else {'image', 'label'}
  assert set(params) == learned
  assert set(constants) == ({'derived'} if labels == 'fixed' else set())


def test_label_only():
  made, params, constants = started(learn_images=False)
  assert set(params) == {'label'} and set(constants) == {'image'}
  data = made.decode(params, constants)
  np.testing.assert_array_equal(data.image, constants['image'])


def test_free_labels_are_used_as_they_are():
  made, params, constants = started(
    encoding=LabelEncoding('centred'), label_rule='frepo'
  )
  label = np.random.default_rng(0).normal(size=ONE_HOT.shape)
  decoded = made.decode({**params, 'label': jnp.asarray(label)}, constants)
  np.testing.assert_allclose(decoded.label, label, rtol=1e-6)


@pytest.mark.parametrize('labels', ['simplex', 'logits'])
def test_labels_stay_on_the_simplex(labels):
  made, params, constants = started(labels=labels)
  label = 3 * jax.random.normal(KEY, ONE_HOT.shape)
  moved = made.project({**params, 'label': label})
  decoded = made.decode(moved, constants).label
  np.testing.assert_allclose(decoded.sum(1), 1, rtol=1e-5)
  assert decoded.min() >= 0


def test_labels_below_zero_are_zero():
  made, params, constants = started(labels='nonnegative')
  label = np.random.default_rng(0).normal(size=ONE_HOT.shape)
  moved = made.project({**params, 'label': jnp.asarray(label)})
  decoded = made.decode(moved, constants)
  np.testing.assert_allclose(decoded.label, np.maximum(label, 0), atol=1e-6)


def test_simplex_clips_and_divides():
  made, params, _ = started(labels='simplex')
  label = np.zeros(ONE_HOT.shape)
  label[0, :2], label[1, :3] = (0.5, 1.5), (1, 3, -2)
  found = np.asarray(
    made.project({**params, 'label': jnp.asarray(label)})['label']
  )
  np.testing.assert_allclose(found[0, :2], (0.25, 0.75), rtol=1e-6)
  np.testing.assert_allclose(found[1, :3], (0.25, 0.75, 0), rtol=1e-6)
  np.testing.assert_allclose(found[2:], 1 / CLASSES, rtol=1e-6)


@pytest.mark.parametrize('labels', ['free', 'nonnegative', 'simplex', 'logits'])
def test_gradient_reaches_the_first_labels(labels):
  """Also at a corner of the simplex, where every label starts."""
  made, params, constants = started(labels=labels)
  weight = jax.random.normal(KEY, ONE_HOT.shape)

  def total(label):
    data = made.decode({**params, 'label': label}, constants)
    return jnp.vdot(data.label, weight)

  gradient = np.asarray(jax.grad(total)(params['label']))
  assert np.all(np.abs(gradient) > 1e-4)
  assert total(params['label'] - 0.5 * gradient) < total(params['label'])


def test_images_stay_where_they_may_be():
  """From the start, and after a step; what labels are given does not change."""
  box = lambda image: jnp.clip(image, -0.5, 0.25)
  free, at_first, _ = started()
  made, params, _ = started(range='data', into_range=box)
  assert made.in_range and not free.in_range
  np.testing.assert_array_equal(params['image'], box(at_first['image']))
  moved = {'image': 3 * at_first['image'], 'label': 3 * at_first['label']}
  found = made.project(moved)
  np.testing.assert_array_equal(found['image'], box(moved['image']))
  np.testing.assert_array_equal(found['label'], moved['label'])
  assert free.project(moved)['image'] is moved['image']
  assert np.any(found['image'] != moved['image'])


REFUSED = {
  'labels': ({'labels': 'soft'}, "labels='soft'"),
  'rule': ({'label_rule': 'krr'}, "label_rule='krr'"),
  'range': ({'range': 'real'}, "range='real'"),
  'no range': ({'range': 'data'}, "range='data': needs into_range"),
  'nothing': ({'labels': 'fixed', 'learn_images': False}, 'learns nothing'),
}


@pytest.mark.parametrize('name', REFUSED)
def test_refused(name):
  settings, words = REFUSED[name]
  with pytest.raises(UserError) as error:
    pixels(IPC, **settings)
  assert words in str(error.value) and '\n' not in str(error.value)


@pytest.mark.parametrize('ipc', [0, -3])
def test_no_images(ipc):
  with pytest.raises(UserError, match=f'ipc={ipc}'):
    pixels(ipc)
