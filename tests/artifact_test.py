"""The portable file: exact, deterministic, and suspicious of damage."""

import hashlib
import json
import pickle

import jax
import numpy as np
import pytest

from dd_jax import artifact, report
from dd_jax.artifact import Artifact
from dd_jax.data import fitting, packing
from dd_jax.parameterization import generator, multi_formation
from dd_jax.types import DistilledData, UserError

METADATA = {
  'method': 'kip',
  'dataset': {'name': 'toy', 'counts': {'train': 9}, 'sha256': 'ab'},
  'class_names': ['zero', 'one'],
  'label_encoding': 'centred',
  'ipc': 2,
  'config': {'optimizer': {'learning_rate': 0.1}, 'names': ['a']},
  'seed': 0,
}


def made(preprocessing='standardise', channels=3, **data):
  rng = np.random.default_rng(0)
  real = rng.integers(0, 256, (40, 4, 4, channels), np.uint8)
  image = rng.normal(size=(4, 4, 4, channels)).astype(np.float32)
  label = rng.normal(size=(4, 2)).astype(np.float32)
  start = rng.integers(0, 256, image.shape, np.uint8)
  return Artifact(
    DistilledData(image, label, **data),
    fitting.fit(preprocessing, real, dataset='svhn'),
    start,
    METADATA,
  )


@pytest.fixture
def path(tmp_path):
  return tmp_path / 'distilled.npz'


def same(a, b):
  for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True):
    x, y = np.asarray(x), np.asarray(y)
    assert x.dtype == y.dtype
    np.testing.assert_array_equal(x, y)
  assert jax.tree.structure(a) == jax.tree.structure(b)


@pytest.mark.parametrize('channels', [1, 3])
@pytest.mark.parametrize('name', fitting.MEASURED)
def test_round_trip(name, channels, path):
  """Bit for bit, preprocessing and all, but for the 16 bits of a whitening."""
  before = made(name, channels)
  artifact.save(path, before)
  after = artifact.load(path)
  same(after.data, before.data)
  same(after.preprocessing, packing.unpack(packing.pack(before.preprocessing)))
  np.testing.assert_array_equal(after.start_image, before.start_image)
  assert after.metadata == METADATA
  assert after.class_names == ('zero', 'one')
  with np.load(path) as file:
    np.testing.assert_array_equal(after.image_uint8, file['image_uint8'])
  far = after.image_uint8.astype(int) - before.image_uint8
  assert np.abs(far).max() <= (before.preprocessing.zca is not None)
  whole = path.read_bytes()
  artifact.save(path, after)
  assert path.read_bytes() == whole


def test_a_whitening_as_earlier_versions_stored_it(path):
  """Whole matrices in float32, and nothing derived in the metadata."""
  before = made('kip')
  artifact.save(path, before)

  def change(arrays):
    for name in ('whiten_steps', 'whiten_step'):
      del arrays[f'preprocess_{name}']
    zca = before.preprocessing.zca
    arrays['preprocess_whiten'] = np.asarray(zca.whiten)
    arrays['preprocess_unwhiten'] = np.asarray(zca.unwhiten)
    del arrays['metadata']
    digest = hashlib.sha256()
    for name in sorted(arrays):
      array = np.ascontiguousarray(arrays[name])
      digest.update(f'{name} {array.dtype.str} {array.shape}'.encode())
      digest.update(array.tobytes())
    held = {**METADATA, 'format': 'dd_jax/1', 'sha256': digest.hexdigest()}
    arrays['metadata'] = np.asarray(json.dumps(held))

  rewritten(path, change)
  after = artifact.load(path)
  same(after.preprocessing, before.preprocessing)
  assert after.metadata == METADATA and after.loss == 'squared error'


def held_metadata(path):
  with np.load(path, allow_pickle=False) as file:
    return json.loads(str(file['metadata']))


def test_the_file_says_how_its_labels_are_used(path):
  label = np.eye(2, dtype=np.float32)[[0, 0, 1, 1]]
  for encoding, loss in (
    ('one-hot', 'cross-entropy'),
    ('centred', 'squared error'),
  ):
    before = made()._replace(metadata={**METADATA, 'label_encoding': encoding})
    coded = label - (encoding == 'centred') / 2
    artifact.save(path, before._replace(data=before.data._replace(label=coded)))
    assert held_metadata(path)['loss'] == loss
    after = artifact.load(path)
    np.testing.assert_array_equal(after.targets('regression'), label - 0.5)
    np.testing.assert_array_equal(after.targets('probabilities'), label)
    np.testing.assert_array_equal(after.targets('classes'), [0, 0, 1, 1])


def test_the_file_says_what_its_pictures_clip(path):
  """In units of the data: here from -1 to 3, half of it clipped."""
  before = made('standardise', 1)
  pixel = np.array([-1, 0, 1, 3], np.float32).reshape(4, 1, 1, 1)
  image = np.broadcast_to(pixel, before.data.image.shape)
  p = before.preprocessing
  image = np.asarray((image - p.mean) / p.std)
  artifact.save(path, before._replace(data=before.data._replace(image=image)))
  found = held_metadata(path)['pixels']
  assert found.pop('rescaled') is False
  expected = {'low': -1, 'high': 3, 'clipped': 0.5}
  assert found == pytest.approx(expected, abs=1e-3)
  artifact.save(path, made('kip'))
  found = held_metadata(path)['pixels']
  assert found['rescaled'] is True and found['clipped'] == 0


EMPTY = {'label': np.zeros((0, 2)), 'image': np.zeros((0, 4, 4, 3))}


@pytest.mark.parametrize(
  'change', [{'label': np.arange(4)}, {'label': np.eye(2)}, EMPTY]
)
def test_labels_that_are_not_those_of_the_images(change, path):
  before = made()
  with pytest.raises(UserError, match=r'labels of shape .* \[n, k\]'):
    artifact.save(path, before._replace(data=before.data._replace(**change)))
  assert not path.exists()


def test_labels_without_an_encoding_ask_for_it(path):
  before = made()._replace(metadata={})
  artifact.save(path, before)
  with pytest.raises(UserError, match="'one-hot' and 'centred'"):
    artifact.load(path).targets('classes')
  assert 'loss' not in held_metadata(path)


@pytest.mark.parametrize('step_size', [np.float32(0.02), np.arange(3.0)])
def test_what_a_learner_must_also_know(step_size, path):
  before = made(step_size=step_size, temperature=np.float32(2.5))
  artifact.save(path, before)
  after = artifact.load(path)
  np.testing.assert_array_equal(after.data.step_size, step_size)
  assert after.data.temperature == np.float32(2.5)
  artifact.save(path, made()._replace(start_image=None))
  without = artifact.load(path)
  assert without.data.step_size is None and without.data.temperature is None
  assert without.start_image is None


def test_equal_content_gives_equal_bytes(tmp_path):
  for folder in ('a', 'elsewhere'):
    (tmp_path / folder).mkdir()
    artifact.save(tmp_path / folder / f'{folder}.npz', made())
  first = (tmp_path / 'a' / 'a.npz').read_bytes()
  second = (tmp_path / 'elsewhere' / 'elsewhere.npz').read_bytes()
  assert first == second
  artifact.save(tmp_path / 'a' / 'a.npz', made(temperature=np.float32(1)))
  assert (tmp_path / 'a' / 'a.npz').read_bytes() != second
  assert str(tmp_path).encode() not in second


def test_numpy_alone_reads_it(path):
  before = made('kip')
  artifact.save(path, before)
  with np.load(path, allow_pickle=False) as file:
    found = dict(file)
  assert found['image'].dtype == found['label'].dtype == np.float32
  assert found['image_uint8'].dtype == np.uint8
  np.testing.assert_array_equal(found['image'], before.data.image)
  metadata = json.loads(str(found['metadata']))
  assert metadata['format'] == 'dd_jax/1'
  assert {k: metadata[k] for k in METADATA} == METADATA
  # The arrays of the preprocessing are enough to look at the images.
  d = found['image'][0].size
  whiten = np.zeros((d, d))
  whiten[np.tril_indices(d)] = found['preprocess_whiten_steps']
  whiten = whiten + np.tril(whiten, -1).T
  whiten = whiten * found['preprocess_whiten_step']
  flat = np.linalg.solve(whiten, found['image'].reshape(4, -1).T).T
  flat = flat + found['preprocess_centre']
  pixels = flat.reshape(found['image'].shape) * found['preprocess_norm']
  pixels = pixels * found['preprocess_std'] + found['preprocess_mean']
  expected = artifact.load(path).preprocessing.invert(before.data.image)
  np.testing.assert_allclose(pixels, expected, atol=1e-4)


# Factorised sets.


def factorised(**decoder):
  made_by = multi_formation(1, (4, 4, 3), 2, labels='free')
  rng = np.random.default_rng(1)
  params = {
    'image': rng.normal(size=(2, 4, 4, 3)).astype(np.float32),
    'label': np.eye(2, dtype=np.float32),
  }
  image, label = map(np.asarray, made_by.decode(params, {}))
  data = DistilledData(
    image, label, factors={'params': params, 'constants': {}}
  )
  held = {'name': 'multi_formation', 'ipc': 1, 'settings': {'factor': 2}}
  metadata = {**METADATA, 'decoder': {**held, **decoder}}
  return made()._replace(data=data, start_image=None, metadata=metadata)


def test_factors_round_trip(path):
  before = factorised()
  artifact.save(path, before)
  after = artifact.load(path)
  same(after.data, before.data)
  assert after.metadata == before.metadata
  np.testing.assert_allclose(
    artifact.decode(after), before.data.image, atol=1e-6
  )
  with np.load(path, allow_pickle=False) as file:
    assert file['factor/params/image'].shape == (2, 4, 4, 3)
    assert json.loads(str(file['metadata']))['decoder']['settings'] == {
      'factor': 2
    }


def test_factors_whose_number_depends_on_the_labels(path):
  """The budget holds fewer images where labels are stored beside them."""
  settings = {'width': 2, 'size': 3}
  made_by = generator(4, (8, 8, 1), 3, labels='free', **settings)
  params, constants = made_by.init(jax.random.key(0), None)
  image, label = map(np.asarray, made_by.decode(params, constants))
  factors = {'params': params, 'constants': constants}
  held = {'name': 'generator', 'ipc': 4, 'settings': {'images': 0, **settings}}
  data = DistilledData(image, label, factors=factors)
  metadata = {**METADATA, 'decoder': held, 'class_names': ['a', 'b', 'c']}
  before = made(channels=1)._replace(data=data, start_image=None)
  artifact.save(path, before._replace(metadata=metadata))
  decoded = artifact.decode(artifact.load(path))
  np.testing.assert_allclose(decoded, image, atol=1e-6)


def test_factors_of_any_depth(path):
  """Of a decoder of one's own there is a name, and nothing to check."""
  own = {
    'params': {'code': np.ones(3)},
    'constants': [np.zeros(2), {'a': np.ones(1)}],
  }
  before = factorised()
  before = before._replace(
    data=before.data._replace(factors=own), metadata=METADATA
  )
  artifact.save(path, before)
  found = artifact.load(path).data.factors
  assert set(found) == {'params', 'constants'}
  np.testing.assert_array_equal(found['constants']['1']['a'], np.ones(1))


@pytest.mark.parametrize(
  'decoder, words',
  [
    ({'settings': {'factor': 1}}, 'not what its factors decode to'),
    ({'settings': {'factor': 9}}, 'factor=9'),
    ({'settings': {'tiles': 2}}, 'do not decode'),
    ({'name': 'wavelets'}, "decoder 'wavelets': this version has pixels"),
    ({'name': 'memory', 'settings': {'images': 4}}, 'do not decode'),
  ],
)
def test_factors_that_are_not_the_images(path, decoder, words):
  artifact.save(path, factorised(**decoder))
  assert words in refused(path)


def refused(path):
  with pytest.raises(UserError) as error:
    artifact.load(path)
  text = str(error.value)
  assert str(path) in text and '\n' not in text
  return text


def rewritten(path, change):
  with np.load(path) as file:
    arrays = dict(file)
  change(arrays)
  np.savez(path, **arrays)


def test_missing(path):
  assert 'no such' in refused(path)


@pytest.mark.parametrize('share', [0.0, 0.001, 0.3, 0.9, 0.999])
def test_truncated(path, share):
  artifact.save(path, made())
  whole = path.read_bytes()
  path.write_bytes(whole[: int(share * len(whole))])
  refused(path)


def test_any_flipped_byte_is_noticed(path):
  """A flip that NumPy does not notice must leave the content as it was."""
  artifact.save(path, made('standardise', 1))
  whole, before = path.read_bytes(), artifact.load(path)
  rng = np.random.default_rng(0)
  noticed = 0
  for position in rng.choice(len(whole), 400, replace=False):
    damaged = bytearray(whole)
    damaged[position] ^= int(rng.integers(1, 256))
    path.write_bytes(bytes(damaged))
    try:
      after = artifact.load(path)
    except UserError as error:
      assert '\n' not in str(error)
      noticed += 1
    else:
      same(after.data, before.data)
      same(after.preprocessing, before.preprocessing)
      assert after.metadata == before.metadata
  assert noticed > 200


FOREIGN = {
  'text': (lambda p: p.write_text('hello'), 'is a text file; expected an art'),
  'pickle': (
    lambda p: p.write_bytes(pickle.dumps({'image': 1})),
    'is a pickle, which is never loaded; expected',
  ),
  'picture': (
    lambda p: report.write_png(p, np.zeros((2, 2, 3), np.uint8)),
    'is a PNG image; expected',
  ),
  'empty': (lambda p: p.touch(), 'is an empty file; expected'),
  'array': (
    lambda p: np.save(p.open('wb'), np.ones(3)), 'a single NumPy array'
  ),
  'other npz': (lambda p: np.savez(p, x_train=np.ones(3)), 'not an artefact'),
  'objects': (
    lambda p: np.savez(p, metadata=np.array([{}], object)),
    'Python objects, which are never loaded',
  ),
  'list': (
    lambda p: np.savez(p, metadata=np.asarray('[1]')), 'not an artefact'
  ),
  'version': (
    lambda p: np.savez(p, metadata=np.asarray('{"format": "dd_jax/9"}')),
    "format 'dd_jax/9'",
  ),
  'folder': (lambda p: p.mkdir(), 'is a folder; expected'),
}  # fmt: skip


@pytest.mark.parametrize('kind', FOREIGN)
def test_another_file(kind, path):
  write, words = FOREIGN[kind]
  write(path)
  text = refused(path)
  assert words in text and 'allow_pickle' not in text


@pytest.mark.parametrize('key', ['image', 'label', 'preprocess_mean'])
def test_tampered(path, key):
  artifact.save(path, made())

  def change(arrays):
    arrays[key] = arrays[key] + np.float32(1e-6)

  rewritten(path, change)
  assert 'checksum' in refused(path)


@pytest.mark.parametrize('key', ['image', 'label', 'preprocess_std'])
def test_without_an_array(path, key):
  artifact.save(path, made())
  rewritten(path, lambda arrays: arrays.pop(key))
  assert 'checksum' in refused(path)


def test_a_failed_save_leaves_what_was_there(path):
  artifact.save(path, made())
  before = path.read_bytes()
  bad = made()._replace(metadata={'loss': float('nan')})
  with pytest.raises(ValueError):
    artifact.save(path, bad)
  assert path.read_bytes() == before
  assert [p.name for p in path.parent.iterdir()] == ['distilled.npz']
