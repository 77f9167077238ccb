"""`ipc`, `total` and `counts`: how many images of each class a run makes."""

import json

import numpy as np
import pytest

from dd_jax.data.dataset import from_arrays
from dd_jax.run import counts, pipeline, recipe
from dd_jax.types import UserError

NAMES = ('cat', 'a, b', 'x=y')


def config(name='kip', **changes):
  return recipe.update(recipe.default(name), changes)


@pytest.mark.parametrize('total', range(3, 12))
def test_a_total_is_spread_evenly(total):
  made = counts.decided(config(total=total), NAMES)
  each = counts.per_class(made)
  each = (each,) * 3 if isinstance(each, int) else each
  assert sum(each) == total
  assert max(each) - min(each) <= 1
  assert list(each) == sorted(each, reverse=True)
  assert counts.decided(made, NAMES) == made  # as a resumed run decides it
  assert (counts.ipc(made) is None) == bool(total % 3)


@pytest.mark.parametrize('file', ['n.json', 'n.csv', 'header.csv'])
def test_numbers_of_a_file_go_to_their_classes(file, tmp_path):
  """In the order of the classes, whatever that of the file."""
  wanted = {'x=y': 4, 'cat': 1, 'a, b': 2}
  rows = ''.join(f'"{k}", {v}\n' for k, v in wanted.items())
  text = {'n.json': json.dumps(wanted), 'n.csv': rows}
  (tmp_path / file).write_text(text.get(file, 'class,images\n' + rows))
  given = config(counts=counts.read(str(tmp_path / file)))
  made = counts.decided(given, NAMES)
  assert counts.per_class(made) == (1, 2, 4)
  assert counts.by_class(made) == {'images_by_class': [1, 2, 4]}
  assert counts.told(made) == '7 images, 4 of x=y; 2 of a, b; 1 of cat'


@pytest.mark.parametrize(
  'text', ['{"cat": "many"}', '[1, 2]', '{"cat": 1.5}', '{', '{"cat": -1}']
)
def test_a_file_of_something_else_is_refused(text, tmp_path):
  path = tmp_path / 'n.json'
  path.write_text(text)
  with pytest.raises(UserError, match=r'number|NUMBER'):
    counts.decided(config(counts=counts.read(str(path))), NAMES)


WRONG = {
  'few': ({'total': 2}, '--total=2: allowed are 3 and more'),
  'no class': ({'counts': ('dog=1',)}, "counts='dog': unknown"),
  'missing': ({'counts': ('cat=1',)}, "no number for the class 'a, b'"),
  'none': ({'counts': ('cat=0',)}, "counts='cat=0': must be NAME=NUMBER"),
  'two numbers': (
    {'counts': ('cat=1', 'a, b=2', 'x=y=1', 'cat=3')},
    "counts: the class 'cat' has more than one number",
  ),
  'no name': ({'counts': ('3',)}, "counts='3': must be NAME=NUMBER"),
}


@pytest.mark.parametrize('what', sorted(WRONG))
def test_other_numbers_are_refused(what):
  changes, words = WRONG[what]
  with pytest.raises(UserError) as error:
    counts.decided(config(**changes), NAMES)
  assert words in str(error.value)


@pytest.mark.parametrize('method', ['dc', 'dsa', 'datm'])
def test_methods_that_need_as_many_refuse_by_name(method):
  with pytest.raises(UserError) as error:
    counts.decided(config(method, total=4), NAMES)
  assert str(error.value).startswith(f'{method}: makes as many images')
  assert counts.decided(config(method, total=6), NAMES)['ipc'] == 2


def toy():
  label = np.arange(120) % 3
  image = np.random.default_rng(0).integers(0, 120, (120, 8, 8, 1))
  image[np.arange(120), label] += 100
  image = image.astype(np.uint8)
  return from_arrays(image[:90], label[:90], image[90:], label[90:])


def test_a_run_of_unequal_classes(tmp_path):
  """Its set, its baselines and its record hold what was asked for."""
  small = {'num_steps': 3, 'method': {'batch_size': 32}}
  scored = {'baselines': ('random', 'kmeans'), 'whole': 'no'}
  asked = config(total=7, **small, evaluation=scored)
  lines = []
  made, result = pipeline.run(asked, dataset=toy(), writers=[Lines(lines)])
  assert made.data.image.shape[0] == 7
  np.testing.assert_array_equal(
    made.data.label.argmax(1), [0, 0, 0, 1, 1, 2, 2]
  )
  assert result['images_by_class'] == [3, 2, 2]
  assert result['images_per_class'] is None and made.metadata['ipc'] is None
  assert set(result['baselines']) == {'random', 'kmeans'}
  assert any('7 images, 3 of 0; 2 of 1, 2' in line for line in lines)


def test_what_compares_classes_refuses_before_it_starts():
  with pytest.raises(UserError, match=r'--total.* with dm: .*needs as many'):
    pipeline.run(config('dm', total=7), dataset=toy())


class Lines:
  """A writer that keeps messages."""

  def __init__(self, lines):
    self.message = lines.append

  def __getattr__(self, name):
    return lambda *args: None
