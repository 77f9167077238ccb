"""Every example held against the laws of its kind, as pytest would run it."""

import optax
from critic import critic
from kernel import gauss
from moments import moments
from network import linear_net
from parameterization import mirrored
from protocol import nearest
from selection import central

from dd_jax import testing
from dd_jax.networks import mlp
from dd_jax.parameterization import pixels

SHAPE, CLASSES = (8, 8, 1), 3  # of the toy data that the checks bring along


def test_moments():
  testing.check_method(
    lambda: moments(
      pixels(2, labels='fixed'),
      mlp(SHAPE, CLASSES, width=8, depth=1),
      optax.sgd(0.1),
      batch_size=4,
    )
  )


def test_critic():
  testing.check_method(
    lambda: critic(
      pixels(2, labels='fixed'),
      mlp(SHAPE, CLASSES, width=8, depth=1),
      optax.sgd(0.1),
      optax.adam(0.1),
      batch_size=4,
    )
  )


def test_linear_net():
  testing.check_network(lambda: linear_net(SHAPE, CLASSES))


def test_nearest():
  testing.check_protocol(nearest)


def test_mirrored():
  testing.check_parameterization(lambda: mirrored(2, SHAPE, CLASSES))


def test_gauss():
  testing.check_kernel(lambda: gauss())


def test_central():
  testing.check_selection(central)
