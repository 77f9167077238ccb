r"""KIP on MNIST with addressable memory: the same storage, more images.

    dd-jax distill \
        --config=mnist_kip_memory:1

Accuracy under `krr-ntk` measured at the storage of 1 image per class, percent,
in seconds of distilling on one CPU core; plain pixels: 89.9 in 9 s.

| `--config.parameterization.name=` | decoded | accuracy | distilled in |
|---|---|---|---|
| `memory` | 180 | 96.3 | 21 s |
| `frequency` | 130 | 96.0 | 13 s |
| `multi_formation`, 2,000 steps | 40 | 95.1 | 13 s |
| `hallucinator`, 2, `downsample=2`, 1,500 steps | 40 | 94.0 | 8 s |
| `generator`, 700 steps at 0.01 | 220 | 92.0 | 68 s |
"""

from ml_collections import ConfigDict

from dd_jax.run import recipe


def get_config(ipc: int = 1) -> ConfigDict:
  changes = {
    'dataset': 'mnist',
    'ipc': ipc,
    'num_steps': 1000,
    'validate_every': 250,
    'method': {'batch_size': 2000},
    'parameterization': {'name': 'memory'},
    'optimizer': {'learning_rate': 4e-2, 'schedule': 'cosine', 'final': 0.01},
  }
  return ConfigDict(recipe.update(recipe.default('kip'), changes))
