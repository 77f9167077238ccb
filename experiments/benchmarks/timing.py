"""A method made for measuring, and its outer steps timed."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree

from dd_jax.distiller import Distiller
from dd_jax.experts import ResidentExperts
from dd_jax.run import parts, recipe
from dd_jax.types import PyTree
from experiments.benchmarks import flops
from experiments.benchmarks.measure import (
  CLASSES,
  Conditions,
  Row,
  speed,
)
from experiments.benchmarks.sizes import capped


class Made(NamedTuple):
  """A method by its recipe, changed.

  Attributes:
    config: of it.
    method: built.
    layers: of its network, as `flops` counts them.
  """

  config: recipe.Config
  method: Distiller
  layers: list[flops.Layer]

  def size(self, name: str) -> int:
    """A size among the settings of the method."""
    found: int = self.config['method'][name]
    return found

  @property
  def features(self) -> int:
    """Inputs of the dense layer."""
    return self.layers[-1].operations // (2 * CLASSES)


def build(
  conditions: Conditions, method: str, changes: Mapping[str, Any]
) -> Made:
  """By its recipe, changed, and held below what the conditions allow."""
  config = recipe.update(recipe.default(method), changes)
  config = capped(config, conditions.caps)
  shape = conditions.shape
  layers = flops.of_network(config['network'], shape, CLASSES)
  made = parts.build(config, parts.Setting(shape, CLASSES))
  return Made(config, made, layers)


def time_steps(
  conditions: Conditions,
  method: Distiller,
  source: PyTree,
  work: float | None,
  steps: int = 1,
) -> Row:
  """Of outer steps of `work` GFLOP each, several in one compiled loop.

  Args:
    conditions: say how many times as many.
    method: whose steps they are.
    source: what it reads.
    work: of a step; None where it is not counted.
    steps: in a call.
  """
  steps *= conditions.steps
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


def random_experts(
  config: recipe.Config, shape: tuple[int, int, int]
) -> ResidentExperts:
  """One expert of unrelated parameters, four epochs of them."""
  setting = parts.Setting(shape, CLASSES)
  init = parts.build_network(config['network'], setting).init
  flat = lambda i: ravel_pytree(init(jax.random.key(i))['params'])[0]
  params = jnp.stack([flat(i) for i in range(4)])
  return ResidentExperts(params[None], jnp.arange(4))
