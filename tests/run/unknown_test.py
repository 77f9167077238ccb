"""What a set without a recipe of its own starts from."""

import pytest

from dd_jax.run import parts, recipe
from dd_jax.run.fields import flat
from dd_jax.run.invariances import AUGMENTED
from dd_jax.run.settings import configuration

METHODS = sorted(recipe.METHODS)


def chosen(dataset, method):
  return configuration(None, {'dataset': dataset, 'method': method}, {})


@pytest.mark.parametrize('dataset', ['digits', 'mnist', 'svhn_cropped', 'own'])
@pytest.mark.parametrize('method', METHODS)
def test_no_default_mirrors_digits(dataset, method):
  """Nor what nobody has looked at: `measured` leaves it to the images."""
  found = flat(chosen(dataset, method))
  stated = [found[field] for field in AUGMENTED if field in found]
  assert stated and not any('flip' in text for text in stated)
  assert not found.get('method.flip', False)
  protocols = {found['evaluation.protocol'], *found['evaluation.others']}
  mirroring = protocols & {'mtt', 'frepo', 'rcig'}
  if dataset == 'own' and mirroring:
    assert found['evaluation.mirror'] == 'measured'


@pytest.mark.parametrize('method', METHODS)
def test_pixels_are_kept_in_range_where_there_is_one(method):
  found = chosen('own', method)
  learned = recipe.takes_parameterization(method)
  kept = found['parameterization']['range'] == 'data'
  assert kept == learned


@pytest.mark.parametrize(
  ('dataset', 'method'),
  [('fashion_mnist', 'dc'), ('digits', 'kip'), ('mnist', 'dm')],
)
def test_free_in_recipes(dataset, method):
  assert chosen(dataset, method)['parameterization']['range'] == 'free'


def test_settings_of_papers_are_what_they_were():
  config = configuration('published/dm:cifar10,1', {}, {})
  assert config['parameterization']['range'] == 'free'
  assert 'flip' in config['augment']
  assert recipe.default('dm')['optimizer']['name'] == 'sgd'


@pytest.mark.parametrize('method', METHODS)
def test_steps_of_images_do_not_depend_on_their_size(method):
  """A step of SGD is a gradient's length, which grows and falls with it."""
  config = chosen('own', method)
  if not recipe.takes(method, 'optimizer'):
    return
  assert config['optimizer']['name'] != 'sgd'
  parts.build_optimizer(config['optimizer'], 100)
