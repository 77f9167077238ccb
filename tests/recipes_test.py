"""Every recipe file builds, for every number of images that it is meant for."""

import importlib
import pathlib

import pytest

from dd_jax.recipes import FOLDER, names
from dd_jax.run import parts
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


@pytest.mark.parametrize('path', PUBLISHED, ids=name)
def test_published_are_for_the_sets_that_they_name(path):
  published = module(path)
  assert f'--config={name(path)}:' in published.__doc__
  assert all(dataset in published.__doc__ for dataset in published.DATASETS)
  with pytest.raises(UserError, match=r"^dataset='cifar': unknown"):
    published.get_config('cifar')
