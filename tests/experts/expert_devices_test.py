"""Experts split over two devices are those of one.

Run as a script, this file prints the largest difference: devices can only be
chosen before JAX starts.
"""

import pathlib
import tempfile

import jax
import numpy as np
import optax

from dd_jax.data.source import resident
from dd_jax.experts import ExpertStore, Recipe, train_experts
from dd_jax.networks import NETWORKS


def trained(path, mesh):
  rng = np.random.default_rng(0)
  image = rng.normal(size=(40, 8, 8, 1)).astype(np.float32)
  real = resident(image, np.arange(40) % 2, 2, None)
  about = {'recipe': {'count': 3, 'epochs': 2}, 'epochs': [0, 1, 2]}
  store = ExpertStore.start(path, about)
  network = NETWORKS['mlp']((8, 8, 1), 2, width=4, depth=1)
  recipe = Recipe(network, optax.sgd(0.1), 3, 2, batch_size=16)
  train_experts(recipe, store, jax.random.key(0), real, real, mesh=mesh)
  return np.stack([store.read(i) for i in range(3)])


def test_two_devices_train_the_same_experts(on_two_devices):
  assert float(on_two_devices(__file__)) <= 1e-6


if __name__ == '__main__':
  auto = jax.sharding.AxisType.Auto
  two = jax.make_mesh((2,), ('data',), axis_types=(auto,))
  with tempfile.TemporaryDirectory() as folder:
    found = [
      trained(pathlib.Path(folder) / name, mesh)
      for name, mesh in (('one', None), ('two', two))
    ]
  print(np.abs(found[0] - found[1]).max())
