"""Learners, and the layers that they are built of."""

from collections.abc import Callable

from dd_jax.networks.convnet import (
  ConvNet,
  convnet,
  frepo_convnet,
  nngp_convnet,
)
from dd_jax.networks.kip import KIPConvNet, kip_convnet
from dd_jax.networks.lenet import LeNet, lenet
from dd_jax.networks.mlp import MLP, mlp
from dd_jax.networks.network import Network, Outputs, from_flax

NETWORKS: dict[str, Callable[..., Network]] = {
  'convnet': convnet,
  'frepo_convnet': frepo_convnet,
  'kip_convnet': kip_convnet,
  'lenet': lenet,
  'nngp_convnet': nngp_convnet,
  'mlp': mlp,
}
"""By name: `(image_shape, num_classes, *, ...) -> Network`."""

__all__ = [
  'MLP',
  'NETWORKS',
  'ConvNet',
  'KIPConvNet',
  'LeNet',
  'Network',
  'Outputs',
  'convnet',
  'frepo_convnet',
  'from_flax',
  'kip_convnet',
  'lenet',
  'mlp',
  'nngp_convnet',
]
