"""A learner of the whole training set: whether it is scored, and how long.

`auto` asks what the set's own score costs. An exact kernel takes up to 5,000
examples: a Gram matrix of 100 MB and seconds to solve. One trained learner sees
at most as many images as all learners of the set together, and no more than its
protocol gives so many examples; where that is less than one epoch, it would say
nothing and is left out. `yes` trains it as long as the protocol says.
"""

from typing import NamedTuple

import jax.numpy as jnp

from dd_jax.data.source import HostSource, Source
from dd_jax.evaluation.protocols import Protocol
from dd_jax.types import DistilledData

CHOICES = ('auto', 'yes', 'no')
_EXACT = 5_000  # examples
_QUICK = ('dense', 'linear', 'leaky')  # kernels of a microsecond a pair
_BYTES = 1 << 30  # of the training images, in float32


class Plan(NamedTuple):
  """What is done about a learner of the whole training set.

  Attributes:
    reason: why there is none; '' where there is one.
    steps: of its training; 0: as many as the protocol says.
    epochs: passes over the training set; None of an exact protocol.
  """

  reason: str = ''
  steps: int = 0
  epochs: float | None = None


class Asked(NamedTuple):
  """What the rule looks at.

  Attributes:
    choice: one of `CHOICES`, but for `no`.
    kernel: its name.
    learners: that score the set.
    images: of the set.
  """

  choice: str
  kernel: str
  learners: int
  images: int


def plan(asked: Asked, protocol: Protocol, source: Source) -> Plan:
  """The plan for the headline protocol on a training split."""
  size, needed = len(source), 4 * len(source) * _pixels(source)
  if isinstance(source, HostSource) or needed > _BYTES:
    return Plan(f'{size:,} training images do not fit beside a learner')
  if protocol.exact:
    return _exact(asked, size)
  if protocol.batch is None:
    return Plan(f'{protocol.name} does not say how to learn from {size:,}')
  return _trained(asked, protocol, size)


def data(source: Source) -> DistilledData:
  """The training split as if it were a distilled set, labels one-hot."""
  return DistilledData(*source.take(jnp.arange(len(source))))


def _steps(protocol: Protocol, size: int) -> int:
  """Of one learner of so many images, whatever is on them."""
  assert protocol.steps is not None
  nothing = DistilledData(jnp.zeros((size, 0, 0, 0)), jnp.zeros((size, 0)))
  return int(protocol.steps(nothing))


def _pixels(source: Source) -> int:
  h, w, c = source.image_shape
  return h * w * c


def _exact(asked: Asked, size: int) -> Plan:
  if asked.choice == 'yes':
    return Plan()
  if asked.kernel not in _QUICK:
    return Plan(f'the kernel {asked.kernel} takes long for {size:,} examples')
  if size > _EXACT:
    return Plan(f'{size:,} examples; exact kernels take {_EXACT:,}')
  return Plan()


def _trained(asked: Asked, protocol: Protocol, size: int) -> Plan:
  assert protocol.batch is not None
  batch, own = min(protocol.batch, size), _steps(protocol, size)
  seen = _steps(protocol, asked.images) * min(protocol.batch, asked.images)
  steps = own
  if asked.choice == 'auto':
    steps = min(own, asked.learners * seen // batch)
  epochs = steps * batch / size
  if asked.choice == 'auto' and epochs < 1:
    return Plan(
      f'the images that all learners of the set see together are {epochs:.2f} '
      f'of an epoch of {size:,}'
    )
  return Plan('', 0 if steps == own else steps, epochs)
