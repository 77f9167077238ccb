"""Labels as a learner wants them: against plain arithmetic in float64."""

import numpy as np
import pytest

from dd_jax.data.targets import USES, loss, targets
from dd_jax.types import UserError

SOFT = np.array([[0.7, 0.2, 0.1], [0.0, 0.0, 1.0], [0.5, 0.3, 0.2]], np.float32)
FREE = np.array([[1.4, -0.6, 0.1], [-2.0, 0.5, 0.0]], np.float32)


def encoded(probability, encoding):
  shift = {'one-hot': 0, 'centred': 1 / probability.shape[1]}[encoding]
  return (probability.astype(np.float64) - shift).astype(np.float32)


@pytest.mark.parametrize('encoding', ['one-hot', 'centred'])
def test_probabilities_become_each_use(encoding):
  label = encoded(SOFT, encoding)
  expected = {
    'probabilities': SOFT,
    'classes': np.array([0, 2, 0]),
    'regression': SOFT - 1 / 3,
  }
  assert set(expected) == set(USES)
  for use, value in expected.items():
    found = targets(label, encoding, use)
    assert found.dtype == (np.int64 if use == 'classes' else np.float32)
    np.testing.assert_allclose(found, value, atol=1e-6)
  shares = targets(label, encoding, 'probabilities')
  assert shares.min() >= 0  # log(0) is a matter of the learner, not of rounding


def test_labels_of_regression_stay_as_they_are():
  found = targets(FREE, 'centred', 'regression')
  np.testing.assert_array_equal(found, FREE)
  np.testing.assert_array_equal(targets(FREE, 'centred', 'classes'), [0, 1])


REFUSED = {
  'free': (FREE, 'centred', 'probabilities', 'image 0 has entries from -0.267'),
  'free one-hot': (FREE, 'one-hot', 'probabilities', 'sums to 0.9'),
  'the wrong code': (SOFT, 'centred', 'probabilities', 'sums to 2'),
  'a tie': (np.ones((2, 3)), 'one-hot', 'classes', 'image 0 belongs to sev'),
  'use': (SOFT, 'one-hot', 'class', 'did you mean classes'),
  'encoding': (SOFT, 'one_hot', 'classes', 'did you mean one-hot'),
}


@pytest.mark.parametrize('case', REFUSED)
def test_what_cannot_be_converted_is_one_line(case):
  label, encoding, use, words = REFUSED[case]
  with pytest.raises(UserError) as error:
    targets(label, encoding, use)
  assert words in str(error.value) and '\n' not in str(error.value)


def test_the_loss_is_one_that_has_a_lower_bound():
  """Of cross-entropy: no label may be below 0."""
  assert loss(SOFT, 'one-hot') == 'cross-entropy'
  centred = encoded(SOFT, 'centred')
  for label, encoding in ((FREE, 'one-hot'), (centred, 'centred')):
    assert loss(label, encoding) == 'squared error'
  with pytest.raises(UserError, match='did you mean one-hot'):
    loss(SOFT, 'one_hot')
