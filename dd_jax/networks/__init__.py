"""Learners, and the layers that they are built of."""

from collections.abc import Callable

from dd_jax.networks.alexnet import AlexNet, alexnet
from dd_jax.networks.classifier import learner
from dd_jax.networks.convnet import (
  ConvNet,
  convnet,
  frepo_convnet,
  nngp_convnet,
)
from dd_jax.networks.convnext import ConvNeXt, convnext_tiny
from dd_jax.networks.densenet import DenseNet, densenet121
from dd_jax.networks.kip import KIPConvNet, kip_convnet
from dd_jax.networks.lenet import LeNet, lenet
from dd_jax.networks.mlp import MLP, mlp
from dd_jax.networks.network import Network, Outputs, from_flax
from dd_jax.networks.resnet import (
  ResNet,
  resnet18,
  resnet18_ap,
  resnet34,
  resnet50,
)
from dd_jax.networks.vgg import VGG, vgg11, vgg13, vgg16, vgg19
from dd_jax.networks.vit import ViT, vit

NETWORKS: dict[str, Callable[..., Network]] = {
  'convnet': convnet,
  'frepo_convnet': frepo_convnet,
  'kip_convnet': kip_convnet,
  'lenet': lenet,
  'nngp_convnet': nngp_convnet,
  'mlp': mlp,
  'alexnet': alexnet,
  'vgg11': vgg11,
  'vgg13': vgg13,
  'vgg16': vgg16,
  'vgg19': vgg19,
  'resnet18': resnet18,
  'resnet34': resnet34,
  'resnet50': resnet50,
  'resnet18_ap': resnet18_ap,
  'densenet121': densenet121,
  'convnext_tiny': convnext_tiny,
  'vit': vit,
}
"""By name: `(image_shape, num_classes, *, ...) -> Network`; of others' also a
plain classifier, see `classifier.learner`."""

__all__ = [
  'MLP',
  'NETWORKS',
  'VGG',
  'AlexNet',
  'ConvNeXt',
  'ConvNet',
  'DenseNet',
  'KIPConvNet',
  'LeNet',
  'Network',
  'Outputs',
  'ResNet',
  'ViT',
  'alexnet',
  'convnet',
  'convnext_tiny',
  'densenet121',
  'frepo_convnet',
  'from_flax',
  'kip_convnet',
  'learner',
  'lenet',
  'mlp',
  'nngp_convnet',
  'resnet18',
  'resnet18_ap',
  'resnet34',
  'resnet50',
  'vgg11',
  'vgg13',
  'vgg16',
  'vgg19',
  'vit',
]
