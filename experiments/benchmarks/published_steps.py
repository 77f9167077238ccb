"""Cases: outer steps at published settings that a CPU has no hours for."""

import math

from dd_jax.run import recipe
from experiments.benchmarks import flops
from experiments.benchmarks.measure import (
  CLASSES,
  Case,
  Conditions,
  Row,
  noise,
)
from experiments.benchmarks.timing import build, time_steps


def kip_dense(ipc: int) -> Case:
  """KIP with the kernel of a dense network, 5,000 targets."""

  def case(conditions: Conditions) -> Row:
    made = build(conditions, 'kip', {'ipc': ipc})
    work = flops.kernel_step(
      made.size('batch_size'), CLASSES * ipc, math.prod(conditions.shape)
    )
    return time_steps(conditions, made.method, noise(conditions.shape), work)

  return case


def kip_conv(ipc: int) -> Case:
  """KIP with the kernel of its ConvNet, 5,000 targets; in pairs a second."""
  changes: recipe.Config = {
    'ipc': ipc,
    'kernel': {'name': 'conv', 'architecture': 'convnet'},
  }

  def case(conditions: Conditions) -> Row:
    made = build(conditions, 'kip', changes)
    row = time_steps(conditions, made.method, noise(conditions.shape), None)
    support = CLASSES * ipc
    pairs = support * (made.size('batch_size') + support)
    return {**row, 'pairs_per_second': round(pairs / row['seconds'])}

  return case


def rcig(conditions: Conditions) -> Row:
  """As published; the work of its implicit gradients is not counted."""
  made = build(conditions, 'rcig', {'ipc': 1, 'method': {'flip': True}})
  return time_steps(conditions, made.method, noise(conditions.shape), None)
