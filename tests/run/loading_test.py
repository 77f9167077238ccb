"""The data that a configuration names, and what is said of them."""

import numpy as np
import pytest
from PIL import Image

from dd_jax.data.dataset import from_arrays
from dd_jax.data.prepare import prepare
from dd_jax.run import loading, pipeline, recipe
from dd_jax.run.workdir import Workdir
from dd_jax.types import UserError


def config(**changes):
  return recipe.update(recipe.default('kip'), changes)


def few(counts=(9, 4, 3), channels=1, **settings):
  """Unequal classes, of which a seventh and more is held out."""
  rng = np.random.default_rng(0)
  label = np.repeat(np.arange(3), counts)
  image = rng.integers(0, 4000, (len(label), 6, 6, channels)).astype(np.uint16)
  names = ('ant', 'bee', 'cat')
  return from_arrays(image, label, class_names=names, **settings)


@pytest.mark.parametrize('given', [('0', '4095'), (0, 4095)])
def test_a_stated_range(given):
  assert loading.value_range(config(range=given)) == (0, 4095)
  assert loading.value_range(config()) is None


@pytest.mark.parametrize('given', [('1',), ('1', '2', '3'), ('a', 'b')])
def test_no_range(given):
  with pytest.raises(UserError, match=r'--range=.*must be two numbers'):
    loading.value_range(config(range=given))


def test_records_of_other_runs_have_no_fields_of_own_data():
  plain = loading.portable(config())
  left_out = {'range', 'classes', 'minutes', 'counts', 'total'}
  assert set(recipe.COMMON) - set(plain) == left_out
  stated = loading.portable(config(range=('0', '9'), classes=('a', 'b')))
  assert stated == {**plain, 'range': ['0', '9'], 'classes': ['a', 'b']}
  assert recipe.update(recipe.default('kip'), stated)['classes'] == ('a', 'b')


@pytest.mark.parametrize('ending', ['npz', 'csv', 'parquet', 'h5'])
def test_a_record_names_no_folder(ending):
  held = loading.portable(config(dataset=f'/home/me/a.{ending}'))
  assert held['dataset'] == f'a.{ending}'


NOTES = {
  'real': ({}, ['copies', 'selections']),
  'noise': ({'parameterization': {'start': 'noise'}}, ['selections']),
  'alone': ({'evaluation': {'baselines': ()}}, ['copies']),
  'enough': ({'ipc': 1}, []),
}


@pytest.mark.parametrize('case', NOTES)
def test_classes_with_fewer_images_are_named(case):
  changes, words = NOTES[case]
  settings = config(**{'ipc': 3, **changes})
  notes = loading.notes(settings, prepare(few()))
  assert len(notes) == bool(words)
  for note in notes:
    assert "3 images per class: only 2 of 'bee', 1 of 'cat' to train on" in note
    found = [w for w in ('copies', 'selections') if w in note]
    assert found == words


def test_nothing_to_validate_on():
  data = few((2, 2, 2))
  assert data.provenance['counts'] == {'train': 3, 'validation': 0, 'test': 3}
  with pytest.raises(UserError, match=r'validate_every=0$') as error:
    pipeline.run(config(ipc=1), dataset=data)
  assert '\n' not in str(error.value)


def test_own_data_from_end_to_end(tmp_path):
  """Four channels of 12 bits, and more images than there are."""
  settings = config(
    ipc=5,
    num_steps=1,
    validate_every=1,
    evaluation={'features': 'pixels', 'baselines': ('random',)},
  )
  made, result = pipeline.run(
    settings, dataset=few(channels=4), workdir=Workdir(tmp_path / 'w')
  )
  assert made.image_uint8.shape == (15, 6, 6, 4)
  assert Image.open(tmp_path / 'w' / 'distilled.png').mode == 'RGB'
  said = '\n'.join(result['notes'])
  for words in ('has 4 channels', '4095 white', "of 'cat' to train on"):
    assert words in said
  assert made.metadata['dataset']['range'] == [0, 4095]


@pytest.mark.parametrize(
  ('given', 'words'),
  [
    (3.0, 'validation=3: taken as a count, 3 held out'),
    (0.25, 'validation=0.25: taken as a share of the 16 training images, 4'),
    (0.0, ''),
  ],
)
def test_how_a_stated_validation_split_was_taken(given, words):
  stated = config(validation=given, ipc=1)
  data = few((9, 7, 3), validation=given or None)
  said = loading.notes(stated, prepare(data))
  assert [line.startswith(words) for line in said] == [True] * bool(words)
