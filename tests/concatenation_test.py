"""Joining sets: what each image says of the other's classes, and refusals."""

import jax.numpy as jnp
import numpy as np
import pytest

import dd_jax
from dd_jax import artifact
from dd_jax.artifact import Artifact
from dd_jax.data import fitting
from dd_jax.types import DistilledData, UserError

RNG = np.random.default_rng(0)
REAL = RNG.integers(0, 256, (60, 4, 4, 3), np.uint8)


def made(names, encoding='centred', preprocessing='standardise', **data):
  k, fitted = len(names), fitting.fit(preprocessing, REAL)
  image = RNG.normal(size=(2 * k, 4, 4, 3)).astype(np.float32)
  label = np.repeat(np.eye(k, dtype=np.float32), 2, 0)
  label = label - (encoding == 'centred') / k
  metadata = {'class_names': list(names), 'label_encoding': encoding}
  start = np.asarray(fitted.display(jnp.asarray(image)))
  return Artifact(DistilledData(image, label, **data), fitted, start, metadata)


@pytest.mark.parametrize('encoding', ['one-hot', 'centred'])
@pytest.mark.parametrize('preprocessing', ['standardise', 'kip'])
def test_two_sets_are_one_of_all_their_classes(
  encoding, preprocessing, tmp_path
):
  a = made('xy', encoding, preprocessing)
  b = made('abc', encoding, preprocessing)
  artifact.save(tmp_path / 'a.npz', a)  # b is new, a was stored: as in use
  both = dd_jax.concatenate(artifact.load(tmp_path / 'a.npz'), b)
  assert both.class_names == tuple('xyabc')
  np.testing.assert_array_equal(
    both.data.image, np.concatenate([a.data.image, b.data.image])
  )
  expected = np.repeat(np.eye(5), 2, 0) - (encoding == 'centred') / 5
  np.testing.assert_allclose(both.data.label, expected, atol=1e-6)
  np.testing.assert_array_equal(
    both.targets('classes'), [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
  )
  assert len(both.start_image) == 10
  artifact.save(tmp_path / 'both.npz', both)
  held = artifact.load(tmp_path / 'both.npz')
  np.testing.assert_array_equal(held.data.label, both.data.label)
  assert [s['class_names'] for s in held.metadata['sets']] == [
    list('xy'), list('abc')
  ]  # fmt: skip


def test_learned_labels_keep_what_they_say_of_their_own_classes():
  a, b = made('xy'), made('abc')
  label = RNG.normal(size=b.data.label.shape).astype(np.float32)
  both = dd_jax.concatenate(a, b._replace(data=b.data._replace(label=label)))
  own = both.data.label[4:, 2:] + 1 / 5
  np.testing.assert_allclose(own, label + 1 / 3, atol=1e-6)
  np.testing.assert_allclose(both.data.label[4:, :2], -1 / 5, atol=1e-6)


def other_fit():
  a = made('xy')
  fitted = fitting.fit('standardise', REAL // 2)
  return a._replace(preprocessing=fitted)


REFUSED = {
  'a class twice': (lambda: made('yz'), {}, "'y' comes twice"),
  'names': (lambda: made('yz'), {'class_names': 'ab'}, '2 are given'),
  'encoding': (lambda: made('ab', 'one-hot'), {}, "'centred' and 'one-hot'"),
  'recipe': (
    lambda: made('ab', preprocessing='none'), {}, "'standardise' and 'none'"
  ),
  'fit': (other_fit, {'class_names': 'abcd'}, '--config.preprocessing='),
  'step size': (
    lambda: made('ab', step_size=np.float32(0.1)), {}, 'step_size: belongs'
  ),
}  # fmt: skip


@pytest.mark.parametrize('case', REFUSED)
def test_what_does_not_join_is_one_line(case):
  other, arguments, words = REFUSED[case]
  with pytest.raises(UserError) as error:
    dd_jax.concatenate(made('xy'), other(), **arguments)
  assert words in str(error.value) and '\n' not in str(error.value)


def test_images_of_another_size():
  b = made('ab')
  small = b._replace(data=b.data._replace(image=b.data.image[:, :2]))
  with pytest.raises(UserError, match='image size'):
    dd_jax.concatenate(made('xy'), small)


def chosen(image, label, **config):
  """Two random real images of each class: a run that learns nothing."""
  settings = {
    'evaluation': {'protocol': 'krr-ntk', 'baselines': (), 'learners': 1},
    'validate_every': 0,
    **config,
  }
  return dd_jax.distill(
    image, label, method='random', ipc=2, config=settings, progress=False
  )


def test_a_second_run_takes_the_preprocessing_of_the_first(
  tmp_path, monkeypatch
):
  monkeypatch.setenv('DD_JAX_CACHE', str(tmp_path / 'cache'))
  label = np.arange(60) % 2
  first = chosen(REAL, label)
  path = str(tmp_path / 'first.npz')
  dd_jax.save(path, first.artifact)
  second = chosen(REAL // 2, label, preprocessing=path)
  p, q = first.artifact.preprocessing, second.artifact.preprocessing
  np.testing.assert_array_equal(p.mean, q.mean)
  assert second.result['preprocessing'] == 'standardise'
  assert second.result['config']['preprocessing'] == 'first.npz'
  names = ['a', 'b', 'c', 'd']
  both = dd_jax.concatenate(first.artifact, second.artifact, names)
  assert both.class_names == tuple(names) and len(both.data.image) == 8
  with pytest.raises(UserError, match='3 channels'):
    chosen(REAL[..., :1], label, preprocessing=path)
  with pytest.raises(UserError, match=r'no\.npz: there is no such artefact'):
    chosen(REAL, label, preprocessing='no.npz')
