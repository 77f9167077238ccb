"""Every recipe file builds, for every number of images that it is meant for."""

import importlib
import inspect
import pathlib

import pytest

from dd_jax import recipe
from dd_jax.types import UserError

CONFIGS = pathlib.Path(__file__).parents[2] / 'experiments' / 'configs'
FILES = sorted(p for p in CONFIGS.rglob('*.py') if not p.name.startswith('__'))
SHAPES = {
  'digits': ((8, 8, 1), 10),
  'mnist': ((28, 28, 1), 10),
  'fashion_mnist': ((28, 28, 1), 10),
  'svhn_cropped': ((32, 32, 3), 10),
  'cifar10': ((32, 32, 3), 10),
  'cifar100': ((32, 32, 3), 100),
}


def name(path):
  return path.relative_to(CONFIGS).with_suffix('').as_posix()


@pytest.mark.parametrize('path', FILES, ids=name)
def test_builds(path):
  module = importlib.import_module(
    f'experiments.configs.{name(path).replace("/", ".")}'
  )
  assert 'python -m experiments.distill' in module.__doc__
  counts = (
    (1, 10, 50) if inspect.signature(module.get_config).parameters else ()
  )
  for arguments in [(), *((n,) for n in counts)]:
    try:
      config = module.get_config(*arguments).to_dict()
    except UserError as error:
      assert arguments and 'published are' in str(error)
      continue
    shape, classes = SHAPES.get(config['dataset'], ((64, 64, 3), 200))
    recipe.build(config, recipe.Setting(shape, classes))
