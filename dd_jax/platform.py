"""What a kind of device wants of a program: the one place that decides it.

A run asks once (`here`) and hands the answer down: to its networks
(`Network.platform`), and through them to whatever trains or reads them, and to
its kernels. Results do not depend on it beyond rounding.
"""

from typing import NamedTuple

import jax

_MIB = 1 << 20


class Platform(NamedTuple):
  """How work is cut for a kind of device.

  Attributes:
    name: 'cpu' or 'accelerator'.
    batches_networks: several networks as one batched program, rather than one
      after the other (a batched convolution is slow on a CPU).
    activation_bytes: of one pass through a network, so that they stay in the
      cache; 0 for no limit.
    pass_examples: images that pass a network at once where no gradient is
      taken.
    gradient_examples: real images whose gradient is taken at once.
    gradient_classes: classes, each with its own gradient, at once.
    slice_bytes: of a slice of a block of a convolutional kernel, two of which
      should lie in the second-level cache; 0 for no limit.
    computes_twice: the compiler repeats a cheap elementwise part in each of its
      readers, unless it is made to lie in memory.
  """

  name: str
  batches_networks: bool
  activation_bytes: int
  pass_examples: int
  gradient_examples: int
  gradient_classes: int
  slice_bytes: int
  computes_twice: bool


# Eight images' gradients are the fastest on a CPU at width 128 (32: a fifth
# slower). Smaller slices than 7/16 MiB were a fifth slower with the kernel's
# gradient, larger ones both ways.
CPU = Platform(
  name='cpu',
  batches_networks=False,
  activation_bytes=8 * _MIB,
  pass_examples=32,
  gradient_examples=8,
  gradient_classes=1,
  slice_bytes=7 * _MIB // 16,
  computes_twice=True,
)
ACCELERATOR = Platform(
  name='accelerator',
  batches_networks=True,
  activation_bytes=0,
  pass_examples=256,
  gradient_examples=64,
  gradient_classes=32,
  slice_bytes=0,
  computes_twice=False,
)
"""GPUs and TPUs; not tuned on any yet."""


def here() -> Platform:
  """That of JAX's default devices."""
  return CPU if jax.default_backend() == 'cpu' else ACCELERATOR
