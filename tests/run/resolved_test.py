"""What is left to a rule is told, and nothing else."""

import types

import pytest

from dd_jax.data.prepare import Prepared
from dd_jax.run import recipe
from dd_jax.run.resolved import resolved


@pytest.fixture
def prepared():
  dataset = types.SimpleNamespace(image_shape=(8, 6, 1))
  return Prepared(range(1000), range(120), range(60), None, dataset, '')


def test_a_sweep_and_the_splits_are_counted(prepared):
  config = recipe.update(recipe.default('label_solve'), {'num_steps': -1})
  found = resolved(config, prepared, 32)
  assert found['num_steps'] == 32 and found['validation'] == 120
  assert found['evaluation.validation_examples'] == 120
  assert found['image_size'] == 'as they are: 8 x 6'


def test_what_was_given_is_no_rule(prepared):
  changes = {
    'validation': 0.2,
    'image_size': 32,
    'evaluation': {'steps': 70, 'network': {'name': 'mlp'}},
  }
  found = resolved(recipe.update(recipe.default(), changes), prepared, 5)
  left = {'validation', 'image_size', 'evaluation.steps', 'num_steps'}
  assert not left & set(found) and 'evaluation.network.name' not in found
  assert found['evaluation.validation_steps'] == 70


def test_experts_are_told_where_they_are_read(prepared):
  config = recipe.default('mtt')
  found = resolved(config, prepared, 5)
  assert found['experts.epochs'] == recipe.expert_epochs(config)
  assert found['experts.epoch_steps'] == 4  # 1,000 in batches of 256
  assert 'method.support_batch' in found  # None to its factory
  assert 'experts.epochs' not in resolved(recipe.default(), prepared, 5)
