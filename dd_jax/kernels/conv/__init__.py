"""Exact kernels of convolutional networks of infinite width.

| file | what |
|---|---|
| `angle.py` | ReLU's covariance map |
| `layers.py` | layers as small records |
| `plan.py` | which pixel-pair offsets are needed |
| `chain.py` | one offset slice through a stage's layers |
| `pool.py` | pooling of slices, and its adjoint |
| `stage.py` | a stage and its adjoint, offset by offset |
| `network.py` | a network on a block of pairs; variances of single images |
| `blocks.py` | Gram matrices in blocks |
| `serial.py` | networks by layers and by name |
"""

from dd_jax.kernels.conv.layers import (
  avg_pool,
  conv,
  dense,
  flatten,
  global_avg_pool,
  relu,
)
from dd_jax.kernels.conv.serial import ARCHITECTURES, conv_kernel, serial

__all__ = [
  'ARCHITECTURES',
  'avg_pool',
  'conv',
  'conv_kernel',
  'dense',
  'flatten',
  'global_avg_pool',
  'relu',
  'serial',
]
