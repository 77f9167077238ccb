import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dd_jax.data import fitting, labels, load, preprocess
from dd_jax.types import UserError

ZCA = ('kip', 'rfad', 'frepo', 'kornia')


def _images(n=300, shape=(4, 5, 3), seed=0):
  """uint8 images whose pixels are correlated, as real ones are."""
  rng = np.random.RandomState(seed)
  d = int(np.prod(shape))
  x = rng.randn(n, d) @ rng.randn(d, d) * 8 + 128
  return np.clip(x, 0, 255).astype(np.uint8).reshape(n, *shape)


def _by_hand(name, image, unit_norm=False):
  """The recipes once more, in float64, whole matrices and SVD.

  Returns model space `[n, d]` and what multiplies each principal direction.
  """
  x = image / 255.0
  n, d = len(x), x[0].size
  if name != 'kornia':
    ddof = 1 if name == 'rfad' else 0
    x = (x - x.mean((0, 1, 2))) / x.std((0, 1, 2), ddof=ddof)
  x = x.reshape(n, d)
  if name == 'kip' or unit_norm:
    x = x - x.mean(1, keepdims=True)
    x = x / np.linalg.norm(x, axis=1, keepdims=True)
  if name in ('frepo', 'kornia'):
    x = x - x.mean(0)
  cov = x.T @ x / (n - 1 if name == 'kornia' else n)
  ridge = 0.1 if name == 'kornia' else 0.1 * np.trace(cov) / d
  u, s, _ = np.linalg.svd(cov + ridge * np.eye(d))
  scale = s**-0.5
  if name in ('kip', 'frepo'):
    scale[n:] = 1
  return x @ (u * scale) @ u.T, cov, ridge


def _apply(p, image):
  return np.asarray(p.apply(jnp.asarray(image)), np.float64)


@pytest.mark.parametrize('name', ZCA)
@pytest.mark.parametrize('n', [300, 40])
def test_zca_recipes_match_brute_force(name, n):
  image = _images(n)
  got = _apply(fitting.fit(name, image), image).reshape(n, -1)
  want, _, _ = _by_hand(name, image)
  np.testing.assert_allclose(got, want, atol=2e-5 * np.abs(want).max())


@pytest.mark.parametrize('name', ZCA)
def test_few_large_images_are_whitened_by_their_products(name, monkeypatch):
  image = _images(40)
  plain = fitting.fit(name, image)
  monkeypatch.setattr(fitting, '_GRAM_VALUES', 1)
  got = fitting.fit(name, image)
  want, _, _ = _by_hand(name, image)
  own = _apply(got, image).reshape(len(image), -1)
  np.testing.assert_allclose(own, want, atol=2e-5 * np.abs(want).max())
  other = _images(300)[40:]
  ours, theirs = (_apply(p, other) for p in (got, plain))
  # The direction of the images' own mean, where it is taken off, is no image's:
  # one way calls it spanned, with an eigenvalue of zero, the other does not.
  if name in ('kip', 'rfad'):
    np.testing.assert_allclose(ours, theirs, atol=2e-5 * np.abs(theirs).max())
  back = np.asarray(got.zca.invert(got.zca.apply(jnp.asarray(other, float))))
  np.testing.assert_allclose(back, other, atol=2e-3 * np.abs(other).max())


def test_a_fit_says_how_long_it_takes():
  assert fitting.seconds('standardise', (50_000, 96, 96, 3)) == 0
  assert fitting.seconds('frepo', (50_000, 28, 28, 1)) == 0
  small = fitting.seconds('frepo', (50_000, 32, 32, 3))
  many = fitting.seconds('frepo', (50_000, 64, 64, 3))
  assert many > 60 > small
  assert fitting.seconds('frepo', (1_000, 64, 64, 3)) < many / 5


@pytest.mark.parametrize('name', ZCA)
def test_the_whitened_covariance_is_what_the_recipe_says(name):
  image = _images()
  got = _apply(fitting.fit(name, image), image).reshape(len(image), -1)
  _, cov, ridge = _by_hand(name, image)
  ddof = 1 if name == 'kornia' else 0
  value, basis = np.linalg.eigh(cov)
  want = (basis * (value / (value + ridge))) @ basis.T
  np.testing.assert_allclose(got.T @ got / (len(got) - ddof), want, atol=2e-5)


def test_rfad_takes_norms_away_from_svhn_only():
  image = _images()
  plain = fitting.fit('rfad', image, dataset='cifar10')
  svhn = fitting.fit('rfad', image, dataset='svhn_cropped')
  assert not plain.unit_norm and svhn.unit_norm and svhn.note
  want, _, _ = _by_hand('rfad', image, unit_norm=True)
  got = _apply(svhn, image).reshape(want.shape)
  np.testing.assert_allclose(got, want, atol=2e-5 * np.abs(want).max())


@pytest.mark.parametrize('name', ['rfad', 'frepo'])
def test_grey_images_are_only_standardised(name):
  image = _images(shape=(5, 6, 1))
  p = fitting.fit(name, image)
  assert p.zca is None
  x = image / 255.0
  want = (x - x.mean()) / x.std(ddof=name == 'rfad')
  np.testing.assert_allclose(_apply(p, image), want, atol=1e-5)


def test_standardise_and_none():
  image = _images(shape=(5, 6, 3))
  got = _apply(fitting.fit('standardise', image), image)
  np.testing.assert_allclose(got.mean((0, 1, 2)), 0, atol=1e-5)
  np.testing.assert_allclose(got.std((0, 1, 2)), 1, atol=1e-5)
  plain = _apply(fitting.fit('none', image), image)
  np.testing.assert_allclose(plain, image / 255.0, atol=1e-7)


def test_floats_and_bytes_agree():
  image = _images()
  for name in fitting.NAMES:
    as_bytes = fitting.fit(name, image)
    as_floats = fitting.fit(name, (image / 255).astype(np.float32))
    got = _apply(as_floats, (image / 255).astype(np.float32))
    np.testing.assert_allclose(
      got, _apply(as_bytes, image), rtol=1e-3, atol=1e-4
    )


@pytest.mark.parametrize('name', ['none', 'standardise', 'rfad', 'frepo',
                                  'kornia'])  # fmt: skip
@pytest.mark.parametrize('shape', [(4, 5, 3), (5, 4, 1)])
def test_the_inverse_is_exact(name, shape):
  image = _images(shape=shape)
  p = fitting.fit(name, image)
  back = np.asarray(p.invert(p.apply(jnp.asarray(image))), np.float64)
  assert np.abs(back - image / 255.0).max() < 1e-5
  np.testing.assert_array_equal(p.display(p.apply(jnp.asarray(image))), image)
  assert not p.note


@pytest.mark.parametrize('shape', [(4, 5, 3), (5, 4, 1)])
def test_a_unit_norm_recipe_inverts_its_linear_part(shape):
  image = _images(shape=shape)
  p = fitting.fit('kip', image)
  assert p.unit_norm and 'rescaled' in p.note
  back = np.asarray(p.invert(p.apply(jnp.asarray(image))), np.float64)
  # What comes back differs from the standardised image by a scale and a shift.
  std = (image / 255.0 - np.asarray(p.mean)) / np.asarray(p.std)
  got = (back - np.asarray(p.mean)) / np.asarray(p.std)
  for a, b in zip(std[:20], got[:20], strict=True):
    correlation = np.corrcoef(a.ravel(), b.ravel())[0, 1]
    assert 1 - correlation < 1e-6
  # The mean norm of training images stands in for their own.
  axes = (1, 2, 3)
  spread = got.std(axes).mean() / std.std(axes).mean()
  assert abs(spread - 1) < 1e-3
  shown = np.asarray(p.display(p.apply(jnp.asarray(image))))
  assert (shown.min(axes) == 0).all() and (shown.max(axes) == 255).all()


def test_display_clips_and_leading_axes_are_free():
  image = _images(24).reshape(2, 3, 4, 4, 5, 3)
  for name in fitting.NAMES:
    p = fitting.fit(name, _images())
    x = p.apply(jnp.asarray(image))
    assert x.shape == image.shape == p.invert(x).shape
    assert p.display(x * 100).dtype == jnp.uint8
    one = p.apply(jnp.asarray(image[1, 2, 3]))
    np.testing.assert_allclose(one, x[1, 2, 3], atol=1e-4)


@pytest.mark.parametrize('name', fitting.NAMES)
def test_constant_images_and_channels_stay_finite(name):
  image = _images()
  image[..., 1] = 7
  image[3] = 0
  p = fitting.fit(name, image)
  assert np.isfinite(_apply(p, image)).all()
  flat = np.full_like(image, 9)
  assert np.isfinite(_apply(fitting.fit(name, flat), flat)).all()
  assert np.isfinite(np.asarray(p.display(jnp.zeros((2, 4, 5, 3))))).all()


@pytest.mark.parametrize('name', fitting.NAMES)
def test_arrays_round_trip_bit_for_bit(name, tmp_path):
  p = fitting.fit(name, _images())
  path = tmp_path / 'p.npz'
  np.savez(path, **preprocess.to_arrays(p))
  with np.load(path, allow_pickle=False) as z:
    q = preprocess.from_arrays(dict(z))
  assert jax.tree.structure(p) == jax.tree.structure(q)
  for a, b in zip(jax.tree.leaves(p), jax.tree.leaves(q), strict=True):
    assert a.dtype == b.dtype
    np.testing.assert_array_equal(a, b)


def test_it_is_a_pytree_and_jits_once():
  image = _images()
  calls = []

  @jax.jit
  def run(p, x):
    calls.append(1)
    return p.invert(p.apply(x))

  for seed in (0, 1):
    run(fitting.fit('frepo', _images(seed=seed)), jnp.asarray(image))
  assert len(calls) == 1


def test_fitting_in_chunks_changes_nothing(monkeypatch):
  image = _images()
  whole = fitting.fit('kip', image)
  monkeypatch.setattr(fitting, '_CHUNK_VALUES', 7 * 60)
  chunked = fitting.fit('kip', image)
  for a, b in zip(
    jax.tree.leaves(whole), jax.tree.leaves(chunked), strict=True
  ):
    np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4)


def test_unknown_recipe_and_too_large_images():
  with pytest.raises(UserError, match=r'did you mean frepo.*allowed are none'):
    fitting.fit('frpo', _images())
  with pytest.raises(UserError, match='too large to whiten'):
    fitting.fit('kornia', np.zeros((2, 128, 128, 3), np.uint8))


def test_label_encodings():
  one_hot = np.eye(4, dtype=np.float32)[[0, 2]]
  plain = labels.label_encoding('one-hot')
  centred = labels.label_encoding('centred')
  np.testing.assert_array_equal(plain.encode(one_hot), one_hot)
  np.testing.assert_allclose(centred.encode(one_hot)[0], [0.75] + [-0.25] * 3)
  np.testing.assert_allclose(centred.decode(centred.encode(one_hot)), one_hot)
  with pytest.raises(UserError, match='label_encoding='):
    labels.label_encoding('center')


def test_digits_display_back_to_sixteenths():
  image = load.load('digits').train.image[:50]
  for name in ('none', 'standardise', 'kornia'):
    p = fitting.fit(name, image)
    shown = np.asarray(p.display(p.apply(jnp.asarray(image))))
    np.testing.assert_array_equal(np.round(shown / 255 * 16), image * 16)


def test_real_mnist_kornia_inverse(real_data):
  image = real_data('mnist')['x_train'][:5000]
  p = fitting.fit('kornia', image)
  x = jnp.asarray(image[:200])
  np.testing.assert_array_equal(p.display(p.apply(x)), image[:200])
  want, _, _ = _by_hand('kornia', image)
  got = _apply(p, image[:200]).reshape(200, -1)
  np.testing.assert_allclose(got, want[:200], atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize('name', ZCA)
def test_real_cifar10_whitening(name, real_data):
  """All 50,000 images: about a minute each on two cores."""
  image = real_data('cifar10')['x_train']
  p = fitting.fit(name, image)
  back = np.asarray(p.invert(p.apply(jnp.asarray(image[:500]))))
  if not p.unit_norm:
    assert np.abs(back - image[:500] / 255).max() < 1e-5
  # Independent of the fit: eigenvalues of the whitened covariance are
  # s / (s + ridge), so they lie in [0, 1) and most are far from both ends.
  x = np.concatenate(
    [_apply(p, image[i : i + 5000]).astype(np.float32)
     for i in range(0, 50_000, 5000)])  # fmt: skip
  value = np.linalg.eigvalsh((x.reshape(50_000, -1).T @ x.reshape(50_000, -1)
                              / 50_000).astype(np.float64))  # fmt: skip
  assert -1e-5 < value.min() and value.max() < 1.0001 + 1e-3


@pytest.mark.parametrize('name', ['none', 'standardise', 'rfad', 'kornia'])
@pytest.mark.parametrize('held', ['inverse', 'solved for'])
def test_brought_into_the_range_of_pixels(name, held):
  """Undone, clipped, done again; by hand in float64."""
  image = _images()
  p = fitting.fit(name, image)
  far = 2 * np.asarray(p.apply(jnp.asarray(image[:20]))) + 0.5
  if held == 'solved for' and p.zca:
    p = dataclasses.replace(p, zca=p.zca._replace(unwhiten=None))
    p = preprocess.with_inverse(p)
  x = far.reshape(20, -1).astype(np.float64)
  whiten = np.asarray(p.zca.whiten, np.float64) if p.zca else np.eye(60)
  centre = np.asarray(p.zca.centre, np.float64) if p.zca else 0
  mean, std = (np.tile(np.asarray(a, np.float64), 20) for a in (p.mean, p.std))
  pixel = (np.linalg.solve(whiten, x.T).T + centre) * std + mean
  assert np.mean((pixel < 0) | (pixel > 1)) > 0.1
  clipped = ((np.clip(pixel, 0, 1) - mean) / std - centre) @ whiten
  found = np.asarray(p.into_range(jnp.asarray(far)))
  np.testing.assert_allclose(found.reshape(20, -1), clipped, atol=2e-4)
  again = np.asarray(p.into_range(jnp.asarray(found)))
  np.testing.assert_allclose(again, found, atol=1e-5)


@pytest.mark.parametrize('name', ['standardise', 'frepo'])
def test_real_images_are_in_their_range(name):
  p = fitting.fit(name, _images())
  image = p.apply(jnp.asarray(_images()[:50]))
  np.testing.assert_allclose(p.into_range(image), image, atol=1e-5)
