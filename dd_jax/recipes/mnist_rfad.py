"""RFAD on MNIST, sized for a CPU: narrow networks, learned labels.

    dd-jax distill --dataset=mnist --method=rfad --ipc=1

Scored by the exact kernel of the infinite network: 95.2 % at 1 image per class,
in eleven minutes of one busy CPU core, and 94.4 % by the NTK of KIP's ConvNet.
The published recipe (`published/rfad.py`): 96.7 (arXiv 2210.12067).
"""

from ml_collections import ConfigDict

from dd_jax.recipes import cifar10_rfad
from dd_jax.run import recipe


def get_config(ipc: int = 1) -> ConfigDict:
  changes = {'dataset': 'mnist', 'num_steps': 4000}
  return ConfigDict(
    recipe.update(cifar10_rfad.get_config(ipc).to_dict(), changes)
  )
