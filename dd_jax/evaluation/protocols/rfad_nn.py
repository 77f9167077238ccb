"""RFAD's wide network."""

import functools

import jax
import jax.numpy as jnp
import optax

from dd_jax.data.source import Source
from dd_jax.evaluation import wide
from dd_jax.evaluation.learners import Recipe, learner_test
from dd_jax.evaluation.optimizers import decay_to_start
from dd_jax.evaluation.protocols.base import (
  Protocol,
  Setting,
  centred,
  learner,
)
from dd_jax.evaluation.tester import Tester
from dd_jax.networks import NETWORKS
from dd_jax.types import Key, LabeledData

# Step size, label scale and decay by set and images per class.
_RATES = {
  ('cifar10', 1): (1e-3, 8.0, 0.0),
  ('cifar10', 10): (1e-3, 2.0, 0.0),
  ('cifar10', 50): (1e-2, 2.0, 0.0),
  ('mnist', 1): (1e-3, 8.0, 1e-3),
  ('cifar100', 1): (1e-1, 8.0, 0.0),
  ('cifar100', 10): (1e-1, 2.0, 0.0),
}
_STEPS = 1000


def rfad_nn(setting: Setting) -> Protocol:
  """RFAD's wide network (arXiv 2210.12067).

  A plain ConvNet of width 1,024 minus itself at the start, SGD with momentum
  0.9 on the whole set (batches of 513), squared error to labels times a scale,
  divided by its square, decay towards the start. Those authors stop early, on a
  validation set, within 20,000 steps; here it is 1,000 steps, or as many as the
  setting says. Sets that they give no rates for get those of CIFAR-10.
  """
  own = functools.partial(NETWORKS['nngp_convnet'], width=1024)
  network = wide.centred(learner(setting, own))

  def recipe(size: int) -> Recipe:
    rate, scale, decay = _rates(setting, size)
    return Recipe(
      network,
      optax.chain(decay_to_start(decay), optax.sgd(rate, momentum=0.9)),
      lambda logits, label: _scaled_error(logits, label, scale),
      setting.steps or _STEPS,
      513,
      mesh=setting.mesh,
    )

  tester = functools.cache(lambda size: learner_test(recipe(size)))

  def predict(keys: Key, data: LabeledData, real: Source) -> jax.Array:
    return tester(len(data.image)).predict(keys, data, real)

  test = centred(setting, Tester(predict))
  return Protocol('rfad-nn', test, steps=lambda data: setting.steps or _STEPS)


def _rates(setting: Setting, size: int) -> tuple[float, float, float]:
  ipc = max(1, size // setting.num_classes)
  near = min((1, 10, 50), key=lambda known: abs(known - ipc))
  return _RATES.get((setting.dataset, near)) or _RATES['cifar10', near]


def _scaled_error(
  logits: jax.Array, label: jax.Array, scale: float
) -> jax.Array:
  return jnp.mean((logits - scale * label) ** 2, -1) / scale**2
