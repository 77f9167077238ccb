"""One device against two: a batch that is split over them changes nothing.

Devices are chosen before JAX starts. On a CPU, in a process of its own:

    XLA_FLAGS=--xla_force_host_platform_device_count=2 python my_check.py
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from dd_jax.distiller import State
from dd_jax.run.placement import Placement
from dd_jax.testing.cases import (
  Make,
  difference,
  in_dtype,
  require,
  spread,
  toy_source,
)
from dd_jax.types import PyTree

_FLOAT64 = 1e-9
_COSINE = 0.9999


class Found(NamedTuple):
  """What an update on two devices is to one on a single device.

  Attributes:
    examples: of the batch in all, along the leading axis.
    split: of these on each of the two.
    float64: the largest difference of the state, relative, in float64.
    cosine: of the two changes of the params, in float32.
  """

  examples: int
  split: int
  float64: float
  cosine: float


class _Both(NamedTuple):
  """The state before an update, after it, and after it on two devices."""

  before: State
  one: State
  two: State
  examples: int
  split: int


def agree(make: Make, source: Any = None) -> None:
  """One device and two give the same update (law 4).

  Make networks with float64 parameters where x64 is on: it is there that what
  differs is more than rounding. An optimiser that divides by the gradient's
  size, as Adam does, makes rounding large.

  Args:
    make: makes the method; of its batches' sizes, the first is even.
    source: real data on the device; by default `cases.toy_source()`.

  Raises:
    AssertionError: says what differs.
  """
  check(compare(make, source))


def check(found: Found) -> None:
  """Holds what `compare` measured against the law."""
  law = 'two devices'
  halves = 2 * found.split == found.examples
  seen = f'{found.split} of {found.examples} examples lie on each device'
  require(halves, law, seen)
  seen = f'in float64 they differ by {found.float64:.1e}'
  require(found.float64 <= _FLOAT64, law, seen)
  seen = f'the cosine of what they change is {found.cosine:.6f}'
  require(found.cosine >= _COSINE, law, seen)


def compare(make: Make, source: Any = None) -> Found:
  """One update on one device and on two, in float64 and in float32.

  Args:
    make: see `agree`.
    source: see `agree`.

  Raises:
    AssertionError: there are not two devices.
  """
  count = jax.device_count()
  require(count > 1, 'two devices', f'this process has {count}')
  source = toy_source() if source is None else source
  double = _both_ways(make, source, jnp.float64)
  single = _both_ways(make, source, jnp.float32)
  gap = spread(
    _moved(double.before, double.one), _moved(double.before, double.two)
  )
  moves = (
    _flat(_moved(single.before, state).params)
    for state in (single.one, single.two)
  )
  return Found(double.examples, double.split, gap, _cosine(*moves))


def _both_ways(make: Make, source: Any, dtype: Any) -> _Both:
  with jax.enable_x64(dtype == jnp.float64):
    data, method = in_dtype(source, dtype), make()
    key, step = jax.random.key(0), jnp.int32(0)
    state = method.init(key, data)
    batch = method.sample(key, step, data)
    placement = Placement(
      jax.make_mesh((2,), ('data',), (jax.sharding.AxisType.Auto,))
    )
    split = jax.jit(placement.split)(placement.replicate(batch))
    first = jax.tree.leaves(split)[0]
    update = jax.jit(method.update)
    one = update(key, step, state, batch)[0]
    two = update(*placement.replicate((key, step, state)), split)[0]
    changed = difference(*(jax.eval_shape(lambda s=s: s) for s in (state, one)))
    require(not changed, 'closed', f'in an update, {changed}')
    before, one, two = jax.device_get((state, one, two))
    on_each = first.addressable_shards[0].data.shape[0]
    return _Both(before, one, two, first.shape[0], on_each)


def _moved(before: State, after: State) -> State:
  """The state with its params' change in place of them, if they change."""
  params = jax.tree.map(np.subtract, after.params, before.params)
  still = not any(np.any(x) for x in jax.tree.leaves(params))
  return after if still else after._replace(params=params)


def _flat(tree: PyTree) -> np.ndarray:
  parts = [np.ravel(x).astype(float) for x in jax.tree.leaves(tree)]
  return np.concatenate(parts)


def _cosine(a: np.ndarray, b: np.ndarray) -> float:
  return float(a @ b / np.sqrt((a @ a) * (b @ b)))
