"""CutMix: its rectangles and its labels."""

import jax
import jax.numpy as jnp
import numpy as np

from dd_jax import augment
from dd_jax.types import LabeledData


def test_cutmix_mixes_labels_by_the_area_that_it_covers():
  image = np.broadcast_to(np.arange(6.0)[:, None, None, None], (6, 5, 4, 1))
  data = LabeledData(jnp.asarray(image, jnp.float32), jnp.eye(6))
  mix = jax.jit(augment.cutmix)
  covered = []
  for seed in range(12):
    out = mix(jax.random.key(seed), data)
    np.testing.assert_allclose(out.label.sum(-1), 1, rtol=1e-6)
    share = [(np.asarray(out.image) == i).mean((1, 2, 3)) for i in range(6)]
    np.testing.assert_allclose(out.label, np.stack(share, 1), atol=1e-6)
    inside = np.asarray(out.image[0, ..., 0]) != 0
    rows, columns = inside.any(1).sum(), inside.any(0).sum()
    assert inside.sum() == rows * columns  # one rectangle
    covered.append(inside.mean())
  assert 0 < sum(c > 0 for c in covered) < 12  # with probability one half
  never = augment.cutmix(jax.random.key(0), data, 0.0)
  np.testing.assert_array_equal(never.image, data.image)
