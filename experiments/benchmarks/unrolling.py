"""Cases of the unrolled inner loop: what each memory plan costs."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import optax

from dd_jax.methods.inner_loop import InnerLoop, unrolled_loss
from dd_jax.networks import NETWORKS
from dd_jax.types import LabeledData
from dd_jax.unroll import PLANS, estimate_memory
from experiments.benchmarks.measure import (
  CLASSES,
  SHAPE,
  Case,
  Conditions,
  Row,
  median,
)

_REAL = 100


def meta_gradient(plan: str, images: int, num_steps: int) -> tuple[Any, Any]:
  """`(function, arguments)`: the gradient in images and labels.

  ConvNet-D3-W128, SGD with momentum 0.9, all images in every inner step.
  """
  network = NETWORKS['convnet'](SHAPE, CLASSES)
  inner = InnerLoop(network, optax.sgd(0.01, 0.9), images)
  draw = jax.random.normal(jax.random.key(0), (images + _REAL, *SHAPE))
  label = jax.nn.one_hot(jnp.arange(images + _REAL) % CLASSES, CLASSES)

  def loss(data: LabeledData, real: LabeledData) -> jax.Array:
    key = jax.random.key(1)
    return unrolled_loss(inner, data, real, key, 0, num_steps, plan)[0]

  support = LabeledData(draw[:images], label[:images])
  return jax.grad(loss), (support, LabeledData(draw[images:], label[images:]))


def memory(length: int) -> Case:
  """MiB of temporaries of each plan, 100 images a step, by the compiler.

  The two plans that keep all steps are left out where they pass 50 steps: what
  they need is proportional to the number.
  """

  def case(conditions: Conditions) -> Row:
    del conditions
    row: Row = {'inner_steps': length}
    for plan in PLANS:
      if length <= 50 or plan in ('remat', 'nested'):
        function, args = meta_gradient(plan, 100, length)
        row[f'{plan}_mib'] = round(estimate_memory(function, *args) / 2**20)
    return row

  return case


def times(conditions: Conditions) -> Row:
  """Seconds of each plan, 20 steps on 10 images, and relative to plain."""
  del conditions
  row: Row = {}
  for plan in PLANS:
    function, args = meta_gradient(plan, 10, 20)
    run = jax.jit(function)
    seconds = median(functools.partial(run, *args), 5)
    row[f'{plan}_seconds'] = round(seconds, 3)
  for plan in PLANS:
    ratio = row[f'{plan}_seconds'] / row['plain_seconds']
    row[f'{plan}_over_plain'] = round(ratio, 3)
  return row
