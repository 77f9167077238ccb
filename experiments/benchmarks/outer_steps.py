"""Cases: one outer step of each method, at the size of CIFAR-10."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree

from dd_jax.data.source import ResidentSource
from dd_jax.distiller import Distiller
from dd_jax.experts import ResidentExperts, with_experts
from dd_jax.networks import NETWORKS
from dd_jax.run import parts, recipe
from dd_jax.types import PyTree
from experiments.benchmarks import flops
from experiments.benchmarks.measure import (
  CLASSES,
  SHAPE,
  Case,
  Conditions,
  Row,
  noise,
  speed,
)

_TARGETS = 1024
_CONVNET = flops.convnet(32, 3, (128,) * 3, CLASSES)


def frepo(ipc: int, *, wide: bool = False) -> Case:
  """FRePo, two steps at a time, on DC's ConvNet or the paper's wide one."""
  name, norm = ('frepo_convnet', 'batch') if wide else ('convnet', 'instance')
  widths = (128, 256, 512) if wide else (128,) * 3
  changes = {
    'ipc': ipc,
    'network': {'name': name, 'norm': norm, 'width': 128},
    'method': {'flip': True},
  }

  def case(conditions: Conditions) -> Row:
    layers = flops.convnet(32, 3, widths, CLASSES)
    work = flops.frepo_step(
      layers, _TARGETS, CLASSES * ipc, flip=True, dimension=widths[-1] * 16
    )
    method = _made('frepo', changes)
    return _speed(conditions, method, noise(), work, steps=2)

  return case


def gradient_matching(method: str, ipc: int) -> Case:
  """A matching step, without the training that may follow it."""

  def case(conditions: Conditions) -> Row:
    config = _config(method, {'ipc': ipc, 'network': {'width': 128}})
    made = parts.build(config, parts.Setting(SHAPE, CLASSES))
    real = CLASSES * config['method']['batch_size']
    work = flops.gradient_matching_step(_CONVNET, real, CLASSES * ipc)
    return speed(conditions, _matching_step(made), work)

  return case


def distribution_matching(ipc: int) -> Case:
  """DM, augmented, the published batch; a new network each step."""

  def case(conditions: Conditions) -> Row:
    config = _config('dm', {'ipc': ipc})
    made = parts.build(config, parts.Setting(SHAPE, CLASSES))
    real = CLASSES * config['method']['batch_size']
    work = flops.embedding_match(_CONVNET, real, CLASSES * ipc)
    return _speed(conditions, made, noise(), work)

  return case


def rfad(conditions: Conditions) -> Row:
  """As published, with a quarter of its targets."""
  sizes = {'batch_size': 1280, 'transform_rate': 5e-5}
  method = _made('rfad', {'ipc': 1, 'method': sizes})
  layers = flops.convnet(32, 3, (256,) * 3, CLASSES)
  work = flops.rfad_step(
    layers, 8, 1280, CLASSES, dimension=4096, pixels=32 * 32 * 3
  )
  return _speed(conditions, method, noise(), work)


def trajectory_matching(inner_steps: int) -> Case:
  """MTT, augmented, as published; experts of random numbers."""

  def case(conditions: Conditions) -> Row:
    method = _made('mtt', {'ipc': 1, 'method': {'inner_steps': inner_steps}})
    work = flops.trajectory_matching_step(_CONVNET, CLASSES, inner_steps)
    init = NETWORKS['convnet'](SHAPE, CLASSES).init
    flat = lambda i: ravel_pytree(init(jax.random.key(i))['params'])[0]
    params = jnp.stack([flat(i) for i in range(4)])[None]
    experts = ResidentExperts(params, jnp.arange(4))
    return _speed(conditions, method, with_experts(noise(), experts), work)

  return case


def bptt(conditions: Conditions) -> Row:
  """RTP's work without its addressing: 50 steps, 640 real images."""
  work = flops.unrolled_step(_CONVNET, CLASSES, 640, 50, recomputed=True)
  changes = {'inner_steps': 50, 'batch_size': 640}
  method = _made('bptt', _as_they_come(1, changes))
  return _speed(conditions, method, noise(), work)


def window(ipc: int, real: int) -> Case:
  """RaT-BPTT's default window, 20 of 35 steps, at its mean place."""
  sizes = {'inner_steps': 35, 'window': 20, 'batch_size': real}
  changes = {'placement': 'end', 'plan': 'products', **sizes}

  def case(conditions: Conditions) -> Row:
    support = CLASSES * ipc
    work = flops.unrolled_step(_CONVNET, support, real, 20, before=15)
    method = _made('rat_bptt', _as_they_come(ipc, changes))
    return _speed(conditions, method, noise(), work)

  return case


def _as_they_come(ipc: int, method: Row) -> Row:
  """Changes to a recipe: neither whitening nor augmentation."""
  common = {'preprocessing': 'standardise', 'augment': 'none'}
  return {'ipc': ipc, 'method': method, **common}


def _config(method: str, changes: Mapping[str, Any]) -> recipe.Config:
  return recipe.update(recipe.default(method), changes)


def _made(method: str, changes: Mapping[str, Any]) -> Distiller:
  """By its recipe, changed."""
  config = _config(method, changes)
  return parts.build(config, parts.Setting(SHAPE, CLASSES))


def _speed(
  conditions: Conditions,
  method: Distiller,
  source: PyTree,
  work: float,
  steps: int = 1,
) -> Row:
  """Of outer steps of `work` GFLOP each, `steps` in one compiled loop."""
  call = _loop(method, source, steps, conditions.mesh)
  return speed(conditions, call, work, steps)


def _loop(
  method: Distiller,
  source: PyTree,
  steps: int,
  mesh: jax.sharding.Mesh | None,
) -> Callable[[], Any]:
  key = jax.random.key(0)
  place = lambda tree: tree
  split = place
  if mesh is not None:
    everywhere = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec())
    rows = jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec('data'))
    place = lambda tree: jax.device_put(tree, everywhere)
    split = lambda tree: jax.lax.with_sharding_constraint(tree, rows)

  @jax.jit
  def run(state: PyTree, source: PyTree) -> PyTree:
    def body(i: jax.Array, state: PyTree) -> PyTree:
      k_sample, k_update = jax.random.split(jax.random.fold_in(key, i))
      batch = split(method.sample(k_sample, i, source))
      return method.update(k_update, i, state, batch)[0]

    return jax.lax.fori_loop(0, steps, body, state)

  state, source = place((method.init(key, source), source))
  jax.block_until_ready(state)  # a pool may be in training still
  return lambda: run(state, source)


def _matching_step(method: Distiller) -> Callable[[], Any]:
  """A call of one outer step without the training that may follow it."""
  key, step, source = jax.random.key(0), jnp.int32(0), noise()

  @jax.jit
  def run(state: PyTree, source: ResidentSource) -> PyTree:
    batch = method.sample(key, step, source)
    return method.update(key, step, state, batch)[0].params

  state = method.init(key, source)
  last = jax.tree.map(lambda a: jnp.full_like(a, 10**6), state.models.age)
  state = state._replace(models=state.models._replace(age=last))
  return lambda: run(state, source)
