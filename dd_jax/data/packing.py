"""A preprocessing as an artefact stores it: whitenings in 16 bits.

A whitening of `d` values is a symmetric matrix and its inverse, 75 MB for
images of CIFAR-10 in float32. Stored is one triangle, in steps of a power of 2
(so that storing it again loses nothing more):

| key | what |
|---|---|
| `whiten_steps` | int16 `[d (d + 1) / 2]`: `whiten[np.tri(d) > 0] / step` |
| `whiten_step` | float32, a scalar |

The inverse is solved for where it is wanted. Entries are off by half a step at
most, a step being at most 2 / 32767 of the largest entry; whitened images of
CIFAR-10 by 0.2 % (`kornia`) to 0.4 % (the others; root mean square). With the
file's compression this takes 4.2 to 4.8 MB. The numbers do not depend on each
other: in fewer bits, or by the first principal directions alone, they lose what
whitening is there to raise, and at 1 MB images are off by 4 % and more.
"""

from collections.abc import Mapping

import numpy as np

from dd_jax.data import preprocess
from dd_jax.data.preprocess import Preprocessing

_LARGEST = np.iinfo(np.int16).max
_DENSE = ('whiten', 'unwhiten')


def pack(preprocessing: Preprocessing) -> dict[str, np.ndarray]:
  """As `preprocess.to_arrays`, with a whitening in 16 bits.

  What was unpacked packs to the same bits.
  """
  arrays = preprocess.to_arrays(preprocessing)
  if 'whiten' not in arrays:
    return arrays
  whiten = arrays['whiten']
  kept = {k: v for k, v in arrays.items() if k not in _DENSE}
  lower = whiten[np.tri(len(whiten), dtype=bool)]
  step = _step(np.abs(lower).max())
  steps = np.round(lower / step).astype(np.int16)
  return {**kept, 'whiten_steps': steps, 'whiten_step': step}


def unpack(arrays: Mapping[str, np.ndarray]) -> Preprocessing:
  """Undoes `pack`, but for the rounding; whole matrices are read too."""
  if 'whiten_steps' not in arrays:
    return preprocess.from_arrays(arrays)
  d = len(arrays['centre'])
  lower = np.zeros((d, d), np.float32)
  lower[np.tri(d, dtype=bool)] = arrays['whiten_steps'] * arrays['whiten_step']
  whiten = lower + np.tril(lower, -1).T
  return preprocess.from_arrays({**arrays, 'whiten': whiten})


def _step(largest: float) -> np.ndarray:
  """The least power of 2 of which `largest` is at most 32,767."""
  _, exponent = np.frexp(largest / _LARGEST)
  return np.asarray(np.ldexp(np.float32(1), int(exponent)), np.float32)
