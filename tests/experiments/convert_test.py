"""Sets of others become artefacts that are scored as they are."""

import json

import numpy as np
import pytest
from PIL import Image

from dd_jax import artifact


@pytest.fixture
def made(call, small_npz, tiny):
  """A distilled set of `small.npz`, and its own score."""
  got = call('--workdir=w', f'--dataset={small_npz()}', *tiny)
  assert got.status == 0, got
  return artifact.load('w/distilled.npz')


def scored(call, name):
  flags = (f'--artifact={name}', '--protocols=krr-ntk', '--output=s.json')
  got = call(*flags, '--dataset=small.npz', command='evaluate')
  assert got.status == 0, got
  with open('s.json') as file:
    return json.load(file)['test_accuracy']['mean']


def test_images_and_labels_of_an_archive(call, made):
  """Channels first, in model space, the labels as they were learned."""
  image = made.data.image.transpose(0, 3, 1, 2)
  np.savez('theirs.npz', images=image, labels=made.data.label)
  got = call(
    '--file=theirs.npz', '--dataset=small.npz', '--method=kip', '--to=o.npz',
    '--space=standardise', f'--labels={kind(made)}', command='convert',
  )  # fmt: skip
  assert got.status == 0, got
  assert 'images, 1 of each class' in got.out
  held = artifact.load('o.npz')
  np.testing.assert_allclose(held.data.image, made.data.image, atol=1e-6)
  assert held.metadata['released']['file'] == 'theirs.npz'
  assert held.label_encoding == made.label_encoding
  own, theirs = (scored(call, n) for n in ('w/distilled.npz', 'o.npz'))
  assert abs(own - theirs) <= 5  # they fitted to what this run held out too


def kind(made):
  return 'centred' if made.label_encoding == 'centred' else 'probabilities'


def test_a_picture_of_tiles(call, made):
  """Its pixels go through the preprocessing of the recipe."""
  tiles = made.image_uint8[..., 0]
  Image.fromarray(np.concatenate(tiles, 1)).save('grid.png')
  got = call(
    '--file=grid.png', '--dataset=small.npz', '--padding=0', '--to=o.npz',
    '--labels=class-major', command='convert',
  )  # fmt: skip
  assert got.status == 0, got
  held = artifact.load('o.npz')
  np.testing.assert_array_equal(held.image_uint8[..., 0], tiles)
  assert scored(call, 'o.npz') > 25


def test_what_a_file_cannot_say_is_asked_for(call, made):
  np.savez('a.npz', images=3 + made.data.image, labels=made.data.label)
  np.savez('odd.npz', x=made.data.image)
  wide = np.zeros((4, 5, 5, 1), np.float32)
  np.savez('wide.npz', images=wide, labels=np.arange(4))
  (data, a), to = ('--dataset=small.npz', '--file=a.npz'), '--to=x.npz'
  soft = f'--labels={kind(made)}'
  cases = [
    ([], '--file: missing'),
    ([a], '--to: missing'),
    ([a, to], '--dataset: missing'),
    ([a, to, data, soft], '--space: missing'),
    ([a, to, data, '--space=standardise'], '--labels: missing'),
    ([a, to, data, soft, '--space=pixels'], 'pixels go from 0 to 1'),
    ([a, to, data, soft, '--space=field'], "no constants for 'small'"),
    (['--file=no.npz', to, data], 'no.npz: there is no such file'),
    (['--file=odd.npz', to, data], 'holds x; expected images and labels'),
    (['--file=wide.npz', to, data], '[4, 5, 5, 1]; those of the data are 8'),
    (['--file=w/distilled.npz', to, data], 'is an artefact already'),
    (['--file=small.txt', to, data], 'small.txt: there is no such file'),
    ([a, '--to=small.npz', data], '--to=small.npz: is there already'),
  ]
  for arguments, words in cases:
    got = call(*arguments, command='convert')
    assert got.status == 2 and words in got.error, (arguments, got)
    assert '\n' not in got.error
