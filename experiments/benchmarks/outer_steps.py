"""Cases: one outer step of each method, at the size of CIFAR-10."""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from dd_jax.data.source import ResidentSource
from dd_jax.distiller import Distiller
from dd_jax.experts import with_experts
from dd_jax.types import PyTree
from experiments.benchmarks import flops
from experiments.benchmarks.measure import (
  CLASSES,
  Case,
  Conditions,
  Row,
  noise,
  speed,
)
from experiments.benchmarks.timing import build, random_experts, time_steps

_TARGETS = 1024


def frepo(ipc: int, *, wide: bool = False) -> Case:
  """FRePo, two steps at a time, on DC's ConvNet or the paper's wide one."""
  name, norm = ('frepo_convnet', 'batch') if wide else ('convnet', 'instance')
  changes = {
    'ipc': ipc,
    'network': {'name': name, 'norm': norm, 'width': 128},
    'method': {'flip': True, 'batch_size': _TARGETS},
  }

  def case(conditions: Conditions) -> Row:
    made = build(conditions, 'frepo', changes)
    work = flops.frepo_step(
      made.layers,
      made.size('batch_size'),
      CLASSES * ipc,
      flip=True,
      dimension=made.features,
    )
    return time_steps(
      conditions, made.method, noise(conditions.shape), work, steps=2
    )

  return case


def gradient_matching(method: str, ipc: int) -> Case:
  """A matching step, without the training that may follow it."""

  def case(conditions: Conditions) -> Row:
    made = build(conditions, method, {'ipc': ipc, 'network': {'width': 128}})
    real = CLASSES * made.size('batch_size')
    work = flops.gradient_matching_step(made.layers, real, CLASSES * ipc)
    return speed(conditions, _matching_step(conditions, made.method), work)

  return case


def distribution_matching(ipc: int) -> Case:
  """DM, augmented, the published batch; a new network each step."""

  def case(conditions: Conditions) -> Row:
    made = build(conditions, 'dm', {'ipc': ipc})
    real = CLASSES * made.size('batch_size')
    work = flops.embedding_match(made.layers, real, CLASSES * ipc)
    return time_steps(conditions, made.method, noise(conditions.shape), work)

  return case


def rfad(targets: int) -> Case:
  """As published, but for the number of targets: there 5,120."""
  sizes = {'batch_size': targets, 'transform_rate': 5e-5}

  def case(conditions: Conditions) -> Row:
    made = build(conditions, 'rfad', {'ipc': 1, 'method': sizes})
    work = flops.rfad_step(
      made.layers,
      made.size('networks'),
      made.size('batch_size'),
      CLASSES,
      dimension=made.features,
      pixels=math.prod(conditions.shape),
    )
    return time_steps(conditions, made.method, noise(conditions.shape), work)

  return case


def trajectory_matching(inner_steps: int) -> Case:
  """MTT, augmented, as published; experts of random numbers."""
  changes = {'ipc': 1, 'method': {'inner_steps': inner_steps}}

  def case(conditions: Conditions) -> Row:
    made = build(conditions, 'mtt', changes)
    steps = made.size('inner_steps')
    work = flops.trajectory_matching_step(made.layers, CLASSES, steps)
    source = with_experts(
      noise(conditions.shape), random_experts(made.config, conditions.shape)
    )
    return time_steps(conditions, made.method, source, work)

  return case


def bptt(inner_steps: int) -> Case:
  """RTP's work without its addressing: 640 real images."""
  sizes = {'inner_steps': inner_steps, 'batch_size': 640}

  def case(conditions: Conditions) -> Row:
    made = build(conditions, 'bptt', _as_they_come(1, sizes))
    real, steps = made.size('batch_size'), made.size('inner_steps')
    work = flops.unrolled_step(
      made.layers, CLASSES, real, steps, recomputed=True
    )
    return time_steps(conditions, made.method, noise(conditions.shape), work)

  return case


def window(ipc: int, sizes: Row) -> Case:
  """RaT-BPTT's window at its mean place, the last of so many inner steps."""
  changes = {'placement': 'end', **sizes}

  def case(conditions: Conditions) -> Row:
    made = build(conditions, 'rat_bptt', _as_they_come(ipc, changes))
    shown = made.size('window')
    work = flops.unrolled_step(
      made.layers,
      CLASSES * ipc,
      made.size('batch_size'),
      shown,
      before=made.size('inner_steps') - shown,
      recomputed=changes.get('plan', 'remat') == 'remat',
    )
    return time_steps(conditions, made.method, noise(conditions.shape), work)

  return case


def _as_they_come(ipc: int, method: Row) -> Row:
  """Changes to a recipe: neither whitening nor augmentation."""
  common = {'preprocessing': 'standardise', 'augment': 'none'}
  return {'ipc': ipc, 'method': method, **common}


def _matching_step(
  conditions: Conditions, method: Distiller
) -> Callable[[], Any]:
  """A call of one outer step without the training that may follow it."""
  key, step, source = jax.random.key(0), jnp.int32(0), noise(conditions.shape)

  @jax.jit
  def run(state: PyTree, source: ResidentSource) -> PyTree:
    batch = method.sample(key, step, source)
    return method.update(key, step, state, batch)[0].params

  state = method.init(key, source)
  last = jax.tree.map(lambda a: jnp.full_like(a, 10**6), state.models.age)
  state = state._replace(models=state.models._replace(age=last))
  return lambda: run(state, source)
