"""What is seen of rows does not depend on how they are cut into chunks."""

import numpy as np
import pytest

from dd_jax.run.watch import Watch, ridge

STEPS = np.arange(1, 41)
ROWS = {
  'loss': np.full(40, 1.0, np.float32),
  'grad_norm': np.where(STEPS < 20, 1.0, 0.0).astype(np.float32),
}


@pytest.mark.parametrize('size', [1, 3, 16, 40])
def test_chunks_do_not_matter(size):
  watch, seen = Watch(), {}
  for start in range(0, 40, size):
    cut = slice(start, start + size)
    seen |= watch.rows(STEPS[cut], {k: v[cut] for k, v in ROWS.items()})
  assert list(seen) == ['gradient']
  line = watch.whole(classes=10)
  assert line is not None and 'in all 40 steps' in line


def test_the_first_raised_ridge_is_told():
  rows = {'ridge_raised': np.array([0, 0, 1e-3, 1e-2])}
  line = ridge(np.arange(5, 9), rows)
  assert line is not None and 'first at step 7 (ridge_raised = 0.001)' in line
  assert ridge(np.arange(5, 9), {'ridge_raised': np.zeros(4)}) is None
