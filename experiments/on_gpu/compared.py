"""How far two results of the same computation are apart."""

import math

import jax
import numpy as np

from dd_jax.types import PyTree
from experiments.benchmarks.measure import Row


def compared(found: PyTree, reference: PyTree, most: float) -> Row:
  """Relative differences over all leaves, and whether they are small.

  A ReLU that rounding flips moves single numbers far: what must stay below
  `most` is the median difference, relative to the median size of what is not
  zero; the norm of the difference and the cosine stand beside it.

  Raises:
    ValueError: everything is zero, or something is not finite: nothing is
      compared by that.
  """
  a, b = _flat(found), _flat(reference)
  if not (np.isfinite(a).all() and np.isfinite(b).all()):
    raise ValueError('numbers to compare are not finite')
  if not b.any():
    raise ValueError('all numbers to compare with are zero')
  used = b != 0
  middle = float(np.median(np.abs(a - b)[used]) / np.median(np.abs(b[used])))
  norm = math.sqrt((a @ a) * (b @ b))
  return {
    'median': float(f'{middle:.2e}'),
    'norm': float(f'{np.linalg.norm(a - b) / np.linalg.norm(b):.2e}'),
    'cosine': round(float(a @ b) / norm, 8) if norm else 0.0,
    'bound': most,
    'right': middle <= most,
  }


def _flat(tree: PyTree) -> np.ndarray:
  leaves = jax.tree.leaves(jax.device_get(tree))
  return np.concatenate([np.ravel(x).astype(np.float64) for x in leaves])
