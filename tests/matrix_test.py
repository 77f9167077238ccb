"""Every method on every parameterization, from data to artefact: nightly.

The fast tests run each method on pixels and each parameterization under KIP
(`contract_test.py`); here are all pairs, two outer steps each.
"""

import jax
import numpy as np
import pytest

from dd_jax import artifact
from dd_jax.data.dataset import from_arrays
from dd_jax.parameterization import PARAMETERIZATIONS
from dd_jax.run import pipeline, recipe
from dd_jax.run.workdir import Workdir
from dd_jax.types import UserError

pytestmark = pytest.mark.slow

IPC, CLASSES = 2, 3
# Whatever a method calls its sizes: small here.
SIZES = {
  'batch_size': 12,
  'expert_epochs': 1,
  'frequencies': 16,
  'inner_batch_size': 8,
  'inner_cap': 2,
  'inner_steps': 2,
  'iterations': 3,
  'max_start': 1,
  'networks': 1,
  'outer_cap': 2,
  'pool_size': 2,
  'queue_size': 2,
  'queue_start': 1,
  'reading_size': 4,
  'readings': 2,
  'train_batch_size': 8,
  'train_size': 12,
  'train_steps': 1,
  'trained': 1,
  'window': 1,
}
PARTS = {
  'multi_formation': {'factor': 3},
  'memory': {'bases': 4},
  'hallucinator': {'hallucinators': 2, 'downsample': 2},
  'frequency': {'keep': 4},
  'latent': {'size': 2},
  'generator': {'width': 2, 'size': 3},
}
LEARNING = [m for m in recipe.METHODS if recipe.takes_parameterization(m)]


@pytest.fixture(scope='module', autouse=True)
def cache(tmp_path_factory):
  """Experts are trained once."""
  with pytest.MonkeyPatch.context() as patch:
    patch.setenv('DD_JAX_CACHE', str(tmp_path_factory.mktemp('cache')))
    yield


def toy():
  rng = np.random.default_rng(0)
  label = np.arange(180) % CLASSES
  image = rng.integers(0, 120, (180, 16, 16, 1))
  image[np.arange(180), 4 * label, :] += 100
  image = image.astype(np.uint8)
  return from_arrays(image[:120], label[:120], image[120:], label[120:])


def small(method, parameterization):
  config = recipe.default(method)
  settings = {k: v for k, v in SIZES.items() if k in config['method']}
  network = {'width': 4, 'depth': 2}
  part = {'name': parameterization, **PARTS[parameterization]}
  changes = {
    'ipc': IPC,
    'num_steps': 2,
    'validate_every': 2,
    'method': settings,
    'parameterization': part,
    'network': {k: v for k, v in network.items() if k in config['network']},
    'experts': {'count': 2, 'epochs': 3, 'step_size': 0.1, 'batch_size': 12},
    'evaluation': {
      'protocol': 'krr-ntk',
      'others': (),
      'baselines': (),
      'whole': 'no',
    },
  }
  # A convolutional kernel takes a minute to compile, and is not at stake.
  if config['kernel']['name'] == 'conv':
    changes['kernel'] = {'name': 'dense'}
  return recipe.update(config, changes)


@pytest.mark.parametrize('parameterization', PARTS)
@pytest.mark.parametrize('method', LEARNING)
def test_pair(method, parameterization, tmp_path):
  config = small(method, parameterization)
  made, result = pipeline.run(
    config, dataset=toy(), workdir=Workdir(tmp_path / 'w')
  )
  data = made.data
  per_class, rest = divmod(len(data.image), CLASSES)
  assert rest == 0 and per_class > IPC
  of_class = data.label.reshape(CLASSES, per_class, -1).argmax(-1)
  if method != 'label_solve':  # the best label need not be the image's class
    assert np.all(of_class == np.arange(CLASSES)[:, None])
  assert result['stored_bytes'] < data.image.nbytes
  assert all(np.all(np.isfinite(x)) for x in jax.tree.leaves(data))
  held = artifact.load(tmp_path / 'w' / 'distilled.npz')
  np.testing.assert_allclose(artifact.decode(held), data.image, atol=1e-4)


@pytest.mark.parametrize('parameterization', PARTS)
@pytest.mark.parametrize('method', sorted({*recipe.METHODS} - {*LEARNING}))
def test_refused_pair(method, parameterization):
  config = small(method, parameterization)
  config['evaluation']['protocol'] = 'krr-nngp'  # fixed features have no other
  with pytest.raises(UserError, match='has images of its own') as error:
    pipeline.run(config, dataset=toy())
  assert '\n' not in str(error.value)
  assert method in str(error.value)


def test_nothing_is_left_out():
  assert {*PARTS, 'pixels', 'few'} == set(PARAMETERIZATIONS)
