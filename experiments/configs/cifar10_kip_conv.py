"""KIP on CIFAR-10 with the NTK of KIP's ConvNet, whitened, learned labels.

    python -m experiments.distill \
        --config=experiments/configs/cifar10_kip_conv.py:1

Reaches 49.4 % at 1 image per class in 48 minutes of one core, in batches of
100. Published, with batches of thousands: 64.7 (arXiv 2107.13034).
"""

from ml_collections import ConfigDict

from dd_jax import recipe


def get_config(ipc: int = 1) -> ConfigDict:
  changes = {
    'dataset': 'cifar10',
    'ipc': ipc,
    'num_steps': 680,
    'validate_every': 100,
    'preprocessing': 'kip',
    'kernel': {'name': 'conv', 'architecture': 'convnet'},
    'parameterization': {'start': 'kmeans'},
    'method': {'batch_size': 100},
    'optimizer': {'learning_rate': 4e-2, 'schedule': 'cosine', 'final': 0.01},
    'augment': 'flip',
    'evaluation': {'validation_examples': 1000, 'baselines': ()},
  }
  return ConfigDict(recipe.update(recipe.default('kip'), changes))
