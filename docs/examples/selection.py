"""A selection: the real images nearest to their class's mean."""

import numpy as np

from dd_jax import register
from dd_jax.data.by_class import class_members, take_images
from dd_jax.data.source import Source
from dd_jax.methods.selection import Features
from dd_jax.types import Key


def central(
  key: Key, source: Source, ipc: int, features: Features
) -> np.ndarray:
  """The `ipc` of each class nearest to its mean feature: int32 `[k, ipc]`."""
  del key
  rows = []
  for members in class_members(source):
    seen = np.asarray(features(take_images(source, members)))
    gap = np.sum((seen - seen.mean(0)) ** 2, 1)
    rows.append(members[np.argsort(gap, kind='stable')[:ipc]])
  return np.stack(rows).astype(np.int32)


register.selection('central', central)
