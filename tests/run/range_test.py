"""Pixels kept in the range of real ones, over a whole run."""

import numpy as np
import pytest

from dd_jax.data.dataset import from_arrays
from dd_jax.run import pipeline, recipe
from dd_jax.types import UserError


def toy():
  """Three classes, told by the row that is lit."""
  rng = np.random.default_rng(0)
  label = np.arange(180) % 3
  image = rng.integers(0, 120, (180, 8, 8, 1))
  image[np.arange(180), label, :] += 100
  image = image.astype(np.uint8)
  return from_arrays(image[:120], label[:120], image[120:], label[120:])


def run(**changes):
  small = {
    'ipc': 2,
    'num_steps': 4,
    'validate_every': 2,
    'method': {'batch_size': 32},
    'evaluation': {'baselines': ()},
  }
  config = recipe.update(recipe.default('kip'), small)
  return pipeline.run(recipe.update(config, changes), dataset=toy())


@pytest.mark.parametrize('preprocessing', ['standardise', 'kornia'])
def test_pixels_stay_in_range_where_that_is_asked(preprocessing):
  """At a step size that takes them out of it."""
  changes = {
    'preprocessing': preprocessing,
    'optimizer': {'learning_rate': 1.0},
  }
  for where, outside in (('free', True), ('data', False)):
    part = {'range': where}
    made, result = run(**changes, parameterization=part)
    found = result['pixels']
    assert (found['clipped'] > 0.1) == outside
    if not outside:
      assert found['clipped'] == 0 and found['low'] >= -1e-4
      assert found['high'] <= 1 + 1e-4
    stated = result['config']['parameterization'].get('range')
    assert stated == (None if outside else 'data')
    assert made.pixels._asdict() == found


def test_a_range_that_the_preprocessing_threw_away_is_refused():
  changes = {'preprocessing': 'kip', 'parameterization': {'range': 'data'}}
  with pytest.raises(UserError) as error:
    run(**changes)
  words = "parameterization.range='data': preprocessing='kip' throws away"
  assert str(error.value).startswith(words)
  assert "allowed is 'free'" in str(error.value)
