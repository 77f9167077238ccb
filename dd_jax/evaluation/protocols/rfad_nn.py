"""RFAD's wide network."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from dd_jax.evaluation import wide
from dd_jax.evaluation.learners import Recipe, logits_of, test_each, trained
from dd_jax.evaluation.optimizers import decay_to_start
from dd_jax.evaluation.protocols.base import (
  Protocol,
  Setting,
  centred,
  learner,
)
from dd_jax.networks import NETWORKS
from dd_jax.types import Key, LabeledData, PyTree

_STEPS = 1000


class Rates(NamedTuple):
  """What those authors found for one set, at one number of images per class.

  Attributes:
    step_size: of SGD.
    label_scale: by which labels are multiplied.
    decay: weight of the squared distance to the start in the loss.
  """

  step_size: float
  label_scale: float
  decay: float = 0.0


RATES: dict[str, dict[int, Rates]] = {
  'rfad-nn': {1: Rates(1e-3, 8), 10: Rates(1e-3, 2), 50: Rates(1e-2, 2)},
  'rfad-nn-mnist': {
    1: Rates(1e-3, 8, 1e-3),
    10: Rates(1e-2, 8, 1e-3),
    50: Rates(1e-2, 8),
  },
  'rfad-nn-fashion': {
    1: Rates(1e-3, 8),
    10: Rates(1e-2, 8, 1e-3),
    50: Rates(1e-3, 2),
  },
  'rfad-nn-svhn': {1: Rates(1e-3, 16), 10: Rates(1e-2, 8), 50: Rates(1e-2, 2)},
  'rfad-nn-cifar100': {1: Rates(1e-1, 8), 10: Rates(1e-1, 2)},
}
"""By protocol and images per class; between two of these the nearer one's."""


def rfad_nn(name: str, setting: Setting) -> Protocol:
  """RFAD's wide network (arXiv 2210.12067), with its rates for one set.

  A plain ConvNet of width 1,024 minus itself at the start, SGD with momentum
  0.9 on the whole set (batches of 513), squared error to labels times a scale,
  divided by its square, decay towards the start. Those authors stop early, on a
  validation set, within 20,000 steps; here it is 1,000 steps, or as many as the
  setting says. `rfad-nn` has the rates of CIFAR-10.

  Args:
    name: of the protocol: one of `RATES`.
    setting: of the run.
  """

  def fit(key: Key, data: LabeledData) -> PyTree:
    return trained(recipe(name, setting, len(data.image)), key, data)

  network = recipe(name, setting, setting.num_classes).network
  tester = test_each(fit, logits_of(network), network, setting.mesh)
  test = centred(setting, tester)
  return Protocol(name, test, steps=lambda data: setting.steps or _STEPS)


def recipe(name: str, setting: Setting, size: int) -> Recipe:
  """How RFAD trains a network on `size` images."""
  own = functools.partial(NETWORKS['nngp_convnet'], width=1024)
  rate, scale, decay = rates(name, max(1, size // setting.num_classes))
  return Recipe(
    wide.centred(learner(setting, own)),
    # The gradient of a squared distance has a factor of two.
    optax.chain(decay_to_start(2 * decay), optax.sgd(rate, momentum=0.9)),
    lambda logits, label: _scaled_error(logits, label, scale),
    setting.steps or _STEPS,
    513,
    mesh=setting.mesh,
    report=setting.report,
  )


def rates(name: str, ipc: int) -> Rates:
  """Those of a protocol at `ipc` images per class."""
  known = RATES[name]
  return known[min(known, key=lambda held: abs(held - ipc))]


def _scaled_error(
  logits: jax.Array, label: jax.Array, scale: float
) -> jax.Array:
  return jnp.mean((logits - scale * label) ** 2, -1) / scale**2
