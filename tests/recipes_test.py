"""Every recipe file builds, for every number of images that it is meant for."""

import importlib
import pathlib

import pytest

from dd_jax.recipes import FOLDER, names
from dd_jax.run import parts
from dd_jax.run.fields import flat
from dd_jax.types import UserError

FILES = [FOLDER / f'{name}.py' for name in names()]
SHAPES = {
  'digits': ((8, 8, 1), 10),
  'mnist': ((28, 28, 1), 10),
  'fashion_mnist': ((28, 28, 1), 10),
  'svhn_cropped': ((32, 32, 3), 10),
  'cifar10': ((32, 32, 3), 10),
  'cifar100': ((32, 32, 3), 100),
}


def name(path):
  return path.relative_to(FOLDER).with_suffix('').as_posix()


def module(path):
  return importlib.import_module(
    f'dd_jax.recipes.{name(path).replace("/", ".")}'
  )


PUBLISHED = [p for p in FILES if p.parent.name == 'published']
RECIPES = [(p, {}) for p in FILES] + [
  (p, {'dataset': dataset}) for p in PUBLISHED for dataset in module(p).DATASETS
]


@pytest.mark.parametrize('path', FILES, ids=name)
def test_tells_its_command(path):
  assert 'dd-jax distill' in module(path).__doc__


@pytest.mark.parametrize(
  ('path', 'named'),
  RECIPES,
  ids=lambda x: name(x) if isinstance(x, pathlib.Path) else ''.join(x.values()),
)
def test_builds(path, named):
  for ipc in ({}, {'ipc': 1}, {'ipc': 10}, {'ipc': 50}):
    arguments = {**named, **ipc}
    try:
      config = module(path).get_config(**arguments).to_dict()
    except UserError as error:
      assert ipc and 'published are' in str(error)
      continue
    assert config == {**config, **arguments}
    shape, classes = SHAPES.get(config['dataset'], ((64, 64, 3), 200))
    parts.build(config, parts.Setting(shape, classes))


# What the authors' code has, where it is easily taken for something else.
SETTINGS = [
  ('rcig:cifar100,10', {'method.flip': True}),
  ('rcig:cifar100,50', {'method.flip': False}),
  ('rat_bptt:cifar10,10', {'parameterization.labels': 'fixed'}),
  (
    'rat_bptt:cifar100,10',
    {
      'parameterization.labels': 'nonnegative',
      'optimizer.learning_rate': 1e-3,
      'method.augment_real': True,
    },
  ),
  (
    'rat_bptt:cifar100,1',
    {'optimizer.learning_rate': 3e-4, 'method.augment_real': True},
  ),
  (
    'rat_bptt:tiny_imagenet,10',
    {
      'method.batch_size': 2000,
      'method.window': 90,
      'method.inner_steps': 270,
      'method.augment_real': True,
      'evaluation.protocol': 'rat',
    },
  ),
  ('datm:cifar10,10', {'evaluation.protocol': 'datm'}),
  ('idm:cifar10,1', {'method.batch_size': 5000, 'method.queue_interval': 5}),
  ('idm:cifar100,1', {'method.batch_size': 500, 'method.queue_interval': 5}),
  (
    'idm:tiny_imagenet,1',
    {'method.batch_size': 256, 'method.queue_interval': 30},
  ),
  ('bptt:cifar10,1', {'preprocessing': 'kip', 'method.batch_size': 640}),
  ('rtp:cifar10,1', {'method.inner_batch_size': 320, 'method.batch_size': 640}),
  ('haba:cifar10,10', {'method.step_size_momentum': 0.9}),
  # 0.005 for pixels of 0 to 1, which are divided by .2023, .1994, .2010.
  (
    'idc:cifar10,10',
    {'preprocessing': 'field', 'optimizer.learning_rate': 0.005 / 0.2009**2},
  ),
]


@pytest.mark.parametrize('told, settings', SETTINGS, ids=lambda x: str(x)[:24])
def test_as_published(told, settings):
  file, _, arguments = told.partition(':')
  dataset, ipc = arguments.split(',')
  path = FOLDER / 'published' / f'{file}.py'
  found = flat(module(path).get_config(dataset, int(ipc)).to_dict())
  assert {k: found[k] for k in settings} == settings


@pytest.mark.parametrize('path', PUBLISHED, ids=name)
def test_published_are_for_the_sets_that_they_name(path):
  published = module(path)
  assert f'--config={name(path)}:' in published.__doc__
  assert all(dataset in published.__doc__ for dataset in published.DATASETS)
  with pytest.raises(UserError, match=r"^dataset='cifar': unknown"):
    published.get_config('cifar')
