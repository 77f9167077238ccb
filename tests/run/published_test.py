"""Published figures: read as the recipes tell them, and compared fairly."""

import importlib

import pytest

from dd_jax import recipes
from dd_jax.run import published

NAMES = [n.split('/')[1] for n in recipes.names() if n.startswith('published/')]
# Tables of other things: initial networks, bases, text alone.
WITHOUT = {'dd', 'sldd'}


@pytest.mark.parametrize('name', NAMES)
def test_every_table_is_read(name):
  told = importlib.import_module(f'dd_jax.recipes.published.{name}').__doc__
  found = published.figures(told)
  assert bool(found) == (name not in WITHOUT)
  for accuracies in found.values():
    assert all(1 < a < 100 for a in accuracies.values()) and accuracies


def test_the_first_group_of_columns_and_holes():
  told = """
    data set | NNGP: 1 |   10 | networks: 1 |   10
    mnist    |    96.7 |      |        94.4 | 98.5
  """
  assert published.figures(told) == {'mnist': {1: 96.7}}
  told = """
    data set | 1,000 | 10 | epochs
    cifar10  |  85.5 | 66 | 3/21
  """
  assert published.figures(told) == {'cifar10': {1000: 85.5, 10: 66.0}}


def test_only_under_the_same_protocol():
  same = published.figure('dc', 'cifar10', 10, 'dc')
  assert same == (44.9, 'arXiv 2006.05929')
  assert published.figure('dc', 'cifar10', 10, 'dc (300 steps)') is None
  assert published.figure('dc', 'cifar10', 10, 'mtt') is None
  assert published.figure('dc', 'cifar10', 7, 'dc') is None
  assert published.figure('dc', 'digits', 10, 'dc') is None
  assert published.figure('random', 'cifar10', 10, 'dc') is None
