"""A method in someone else's program: a law for each thing that may be done.

| law | what it asks |
|---|---|
| `under_vmap` | an update of stacked seeds equals the loop over them |
| `inside_scan` | sample and update inside a loop of one's own equal the calls |
| `under_grad` | the derivative of what a step makes is a finite difference |
| `in_float64` | with float64 images, all that is learned is float64 |
| `in_float32` | with float32 ones it is float32, where float64 is switched on |
| `through_orbax` | plain Orbax saves and restores the state, to the bit |

All but the last are taken in float64, where what differs is more than rounding.
They make the method anew, under `jax.enable_x64`, and raise an AssertionError
that names the law and what was seen.
"""

import contextlib
import tempfile
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp

from dd_jax.distiller import Distiller, State
from dd_jax.testing.cases import (
  Case,
  Make,
  difference,
  in_dtype,
  require,
  spread,
  toy_source,
)
from dd_jax.types import Metrics, PyTree

_SEEDS = 2
_STEPS = 3
_CLOSE = 1e-6  # learners may hold float32 parameters
_FAR = 1e-4  # of a finite difference, where a ReLU may flip
_NUDGE = 1e-6
_ROUNDING = 1e-9  # of that difference


def under_vmap(make: Make, source: Any = None) -> None:
  """Several seeds at once: `jax.vmap(update, (0, None, 0, 0))`.

  Args:
    make: makes the method.
    source: real data on the device; by default `cases.toy_source()`.
  """
  with _double(make, source) as (method, data):
    keys, step = jax.random.split(jax.random.key(0), _SEEDS), jnp.int32(0)
    states = [method.init(key, data) for key in keys]
    batches = [method.sample(key, step, data) for key in keys]
    update = jax.jit(method.update)
    each = zip(keys, states, batches, strict=True)
    alone = _stack([update(key, step, s, b) for key, s, b in each])
    together = jax.jit(jax.vmap(method.update, (0, None, 0, 0)))(
      keys, step, _stack(states), _stack(batches)
    )
    _equal('under_vmap', alone, together, f'{_SEEDS} seeds, alone and at once')


def inside_scan(make: Make, source: Any = None) -> None:
  """Several steps in one's own `jax.lax.scan`, compiled.

  Args:
    make: makes the method.
    source: see `under_vmap`.
  """
  with _double(make, source) as (method, data):
    first = method.init(jax.random.key(0), data)

    def step(state: State, t: jax.Array) -> tuple[State, Metrics]:
      k_sample, k_update = jax.random.split(jax.random.key(t))
      batch = method.sample(k_sample, t, data)
      return method.update(k_update, t, state, batch)

    loop = lambda state: jax.lax.scan(step, state, _times())
    scanned = jax.jit(loop)(first)[0]
    called, compiled = first, jax.jit(step)
    for t in _times():
      called = compiled(called, t)[0]
    _equal('inside_scan', called, scanned, f'{_STEPS} steps, called and looped')


def under_grad(make: Make, source: Any = None) -> None:
  """A derivative through an outer step: of what it makes, in what it learned.

  One direction of reverse mode against a central difference. Only float64
  params take part: `make` may be asked for an optimiser that can be
  differentiated (Adam cannot where a gradient is zero).

  Args:
    make: makes the method.
    source: see `under_vmap`.
  """
  with _double(make, source) as (method, data):
    key, step = jax.random.key(0), jnp.int32(0)
    state = method.init(key, data)
    batch = method.sample(key, step, data)
    rng = np.random.default_rng(0)

    def made(params: PyTree) -> PyTree:
      before = state._replace(params=params)
      after, _ = method.update(key, step, before, batch)
      return jax.tree.map(jnp.subtract, *map(seen, (after, before)))

    def seen(state: State) -> PyTree:
      return state.params, method.distilled(state)[:2]

    weight = _direction(rng, jax.eval_shape(made, state.params))
    nudge = _direction(rng, state.params)
    if not jax.tree.leaves(nudge):
      return
    loss = jax.jit(lambda params: _inner(weight, made(params)))
    slopes = _gradient(loss, state.params)
    finite = all(np.all(np.isfinite(x)) for x in jax.tree.leaves(slopes))
    require(finite, 'under_grad', 'a derivative is not finite')
    slope = float(_inner(nudge, slopes))
    moved = [loss(_moved(state.params, nudge, e)) for e in (_NUDGE, -_NUDGE)]
    expected = float(moved[0] - moved[1]) / (2 * _NUDGE)
    gap = abs(slope - expected)
    require(
      gap <= _FAR * abs(expected) + _ROUNDING,
      'under_grad',
      f'a derivative of {slope:.6g} where the difference is {expected:.6g}',
    )


def in_float64(make: Make, source: Any = None) -> None:
  """Float64 images stay float64, through compiled steps.

  Args:
    make: makes the method.
    source: see `under_vmap`.
  """
  law = 'in_float64'
  with _double(make, source) as (method, data):
    state = method.init(jax.random.key(0), data)
    update = jax.jit(method.update)
    for t in _times():
      k_sample, k_update = jax.random.split(jax.random.key(t))
      batch = method.sample(k_sample, t, data)
      after, metrics = update(k_update, t, state, batch)
      kinds = [jax.eval_shape(lambda s=s: s) for s in (state, after)]
      changed = difference(*kinds)
      require(not changed, law, f'in an update, {changed}')
      state = after
    wrong = [k for k, m in metrics.items() if not np.isfinite(m)]
    require(not wrong, law, f'metrics {wrong} are not finite')
    found = method.distilled(state).image.dtype
    require(found == jnp.float64, law, f'{found} images are distilled')


def in_float32(make: Make, source: Any = None) -> None:
  """Float32 images stay float32 where float64 is switched on; traced alone.

  Args:
    make: makes the method.
    source: see `under_vmap`.
  """
  source = toy_source() if source is None else source
  key, step = jax.random.key(0), jnp.int32(0)
  with jax.enable_x64(True):
    method, data = make(), in_dtype(source, jnp.float32)
    state = method.init(key, data)
    batch = method.sample(key, step, data)
    after, _ = jax.eval_shape(method.update, key, step, state, batch)
    changed = difference(jax.eval_shape(lambda: state), after)
    require(not changed, 'in_float32', f'in an update, {changed}')
    made = jax.eval_shape(method.distilled, after)[:2]
    found = {str(x.dtype) for x in made}
    require(found == {'float32'}, 'in_float32', f'{found} come out')


def through_orbax(case: Case) -> None:
  """`orbax.checkpoint.StandardCheckpointer` holds the state as it is."""
  like = jax.eval_shape(lambda: case.state)
  with (
    tempfile.TemporaryDirectory() as folder,
    ocp.StandardCheckpointer() as checkpointer,
  ):
    checkpointer.save(f'{folder}/state', case.state)
    checkpointer.wait_until_finished()
    restored = checkpointer.restore(f'{folder}/state', like)
  seen = difference(case.state, restored)
  require(not seen, 'through_orbax', f'saved and restored, {seen}')


class _Given(NamedTuple):
  """A method and its data, in float64."""

  method: Distiller
  data: Any


@contextlib.contextmanager
def _double(make: Make, source: Any) -> Iterator[_Given]:
  """The method made, and the data, in float64."""
  source = toy_source() if source is None else source
  with jax.enable_x64(True):
    yield _Given(make(), in_dtype(source, jnp.float64))


def _times() -> jax.Array:
  return jnp.arange(_STEPS, dtype=jnp.int32)


def _stack(trees: list[PyTree]) -> PyTree:
  return jax.tree.map(lambda *leaves: jnp.stack(leaves), *trees)


def _equal(law: str, a: PyTree, b: PyTree, what: str) -> None:
  gap = spread(a, b)
  require(gap <= _CLOSE, law, f'{what}, differ by {gap:.1e} of the largest')


def _gradient(loss: Callable[[PyTree], jax.Array], params: PyTree) -> PyTree:
  """Its gradient; that it cannot be taken is an AssertionError too."""
  try:
    return jax.jit(jax.grad(loss))(params)
  except Exception as error:
    what = ' '.join(f'{type(error).__name__}: {error}'.split())
    raise AssertionError(f'under_grad: no derivative ({what})') from error


def _direction(rng: np.random.Generator, tree: PyTree) -> PyTree:
  """Random numbers for float64 leaves, None for others."""
  return jax.tree.map(
    lambda x: rng.normal(size=x.shape) if x.dtype == jnp.float64 else None, tree
  )


def _moved(params: PyTree, direction: PyTree, size: float) -> PyTree:
  return jax.tree.map(
    lambda d, p: p if d is None else p + size * d,
    direction,
    params,
    is_leaf=lambda d: d is None,
  )


def _inner(direction: PyTree, tree: PyTree) -> jax.Array:
  """The inner product over the leaves that have a direction."""
  products = jax.tree.map(
    lambda d, x: jnp.zeros(()) if d is None else jnp.vdot(d, x),
    direction,
    tree,
    is_leaf=lambda d: d is None,
  )
  return sum(jax.tree.leaves(products), jnp.zeros(()))
