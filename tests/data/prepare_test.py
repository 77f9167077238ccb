import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dd_jax.cache import Cache
from dd_jax.data import (
  dataset,
  fitting,
  load,
  prepare,
  preprocess,
  source,
)


@pytest.fixture(scope='module')
def colour():
  rng = np.random.RandomState(0)
  image = rng.randint(0, 256, (120, 4, 5, 3)).astype(np.uint8)
  return dataset.from_arrays(image, np.arange(120) % 4, name='svhn_tiny')


def _all(src):
  return src.take(jnp.arange(len(src)))


@pytest.mark.parametrize('name', fitting.MEASURED)
@pytest.mark.parametrize('floats', [False, True])
def test_sources_hold_preprocessed_splits(name, floats, colour):
  data = colour
  if floats:
    data = data._replace(
      **{
        s: getattr(data, s)._replace(
          image=getattr(data, s).image.astype(np.float32) / 255
        )
        for s in ('train', 'validation', 'test')
      }
    )
  made = prepare.prepare(data, name)
  for split in ('train', 'validation', 'test'):
    src, arrays = getattr(made, split), getattr(data, split)
    assert isinstance(src, source.ResidentSource)
    taken = _all(src)
    want = made.preprocessing.apply(jnp.asarray(arrays.image))
    np.testing.assert_allclose(taken.image, want, atol=1e-5)
    assert taken.image.dtype == jnp.float32
    np.testing.assert_array_equal(taken.label.argmax(1), arrays.label)


def test_only_the_training_split_is_fitted(colour):
  fitted = prepare.prepare(colour, 'standardise').preprocessing
  want = colour.train.image.reshape(-1, 3).mean(0) / 255
  np.testing.assert_allclose(fitted.mean, want, rtol=1e-6)


def test_per_channel_data_stay_uint8_and_whitened_do_not(colour):
  plain = prepare.prepare(colour, 'standardise')
  white = prepare.prepare(colour, 'frepo')
  assert plain.train.image.dtype == jnp.uint8
  assert white.train.image.dtype == jnp.float32
  assert white.train.preprocessing is None
  pixels = 120 * 60
  sizes = [
    prepare.resident_bytes(colour, p.preprocessing) for p in (plain, white)
  ]
  assert sizes[1] - sizes[0] == 3 * pixels
  assert pixels <= sizes[0] < pixels + 120 * 20


@pytest.mark.parametrize('name', ['standardise', 'frepo', 'kip'])
def test_what_does_not_fit_stays_on_the_host_and_is_the_same(name, colour):
  device = prepare.prepare(colour, name)
  host = prepare.prepare(colour, name, budget_bytes=1000)
  for split in ('train', 'validation', 'test'):
    src = getattr(host, split)
    assert isinstance(src, source.HostSource)
    assert src.image.dtype == np.uint8
    a, b = _all(src), _all(getattr(device, split))
    np.testing.assert_allclose(a.image, b.image, atol=1e-5)
    np.testing.assert_array_equal(a.label, b.label)


def test_the_budget_is_kept_to_the_byte(colour):
  p = fitting.fit('frepo', colour.train.image)
  size = prepare.resident_bytes(colour, p)
  for budget, kind in (
    (size, source.ResidentSource),
    (size - 1, source.HostSource),
  ):
    made = prepare.prepare(colour, 'frepo', budget_bytes=budget)
    assert isinstance(made.train, kind)


def test_chunks_change_nothing(colour, monkeypatch):
  p = fitting.fit('kip', colour.train.image)
  whole = prepare.apply_in_chunks(p, colour.train.image)
  monkeypatch.setattr(prepare, '_CHUNK_BYTES', 60 * 4 * 7)
  chunked = prepare.apply_in_chunks(p, colour.train.image)
  np.testing.assert_allclose(whole, chunked, atol=1e-5)


def test_an_empty_validation_split_is_possible():
  made = prepare.prepare(load.load('digits', validation=0))
  assert len(made.validation) == 0
  assert made.train.image_shape == (8, 8, 1) and made.train.num_classes == 10


def test_prepared_sources_pass_through_jit():
  made = prepare.prepare(load.load('digits'), 'kornia')

  @jax.jit
  def run(src, i):
    return src.take(i)

  taken = run(made.train, jnp.arange(5))
  np.testing.assert_allclose(taken.image, _all(made.train).image[:5], atol=1e-6)


def test_whitening_is_fitted_once(colour, tmp_path, monkeypatch):
  cache = Cache(tmp_path)
  first = prepare.prepare(colour, 'kip', cache=cache)
  monkeypatch.setattr(fitting, 'fit', None)
  again = prepare.prepare(colour, 'kip', cache=cache)
  want = preprocess.to_arrays(first.preprocessing)
  found = preprocess.to_arrays(again.preprocessing)
  assert found.keys() == want.keys()
  for name, array in want.items():
    np.testing.assert_array_equal(found[name], array)
  np.testing.assert_array_equal(_all(first.test).image, _all(again.test).image)


def test_a_damaged_or_other_fit_is_made_anew(colour, tmp_path):
  cache = Cache(tmp_path)
  first = prepare.prepare(colour, 'kip', cache=cache)
  (file,) = tmp_path.iterdir()
  file.write_bytes(file.read_bytes()[:100])
  again = prepare.prepare(colour, 'kip', cache=cache)
  np.testing.assert_array_equal(_all(first.test).image, _all(again.test).image)
  prepare.prepare(colour, 'standardise', cache=cache)
  prepare.prepare(colour, 'kornia', cache=cache)
  assert len(list(tmp_path.iterdir())) == 2  # only whitening is kept
