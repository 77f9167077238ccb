"""What a device can do at most: matrix products and memory traffic."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from experiments.benchmarks.measure import Conditions, Row, timed

_SIDE = 8192
_REPEATS = 10  # in one program, and of it


def peaks(conditions: Conditions) -> Row:
  """TFLOP/s of square products at each precision, GB/s of a copy."""
  side = conditions.most('matrix_side', _SIDE)
  x = jax.random.normal(jax.random.key(0), (side, side)) / side**0.5
  row: Row = {'side': side}
  for name in ('default', 'float32'):
    with jax.default_matmul_precision(name):
      row[f'tflops_{name}'] = _tflops(x)
  row['tflops_bfloat16'] = _tflops(x.astype(jnp.bfloat16))
  flat = jnp.ones(side * side)
  # Read once and written once.
  seconds = _seconds(lambda y: y * 1.000001 + 1e-9, flat)
  row['copy_gb_per_second'] = round(2 * flat.nbytes / seconds / 1e9, 1)
  return row


def _tflops(x: jax.Array) -> float:
  seconds = _seconds(lambda y: y @ x, x)
  return round(2 * x.shape[0] ** 3 / seconds / 1e12, 3)


def _seconds(step: Callable[[jax.Array], jax.Array], x: jax.Array) -> float:
  """Of one step; the fastest of several loops of several."""

  @jax.jit
  def loop(x: jax.Array) -> Any:
    return jax.lax.fori_loop(0, _REPEATS, lambda _, y: step(y), x)

  return min(timed(lambda: loop(x), _REPEATS)[1:]) / _REPEATS
