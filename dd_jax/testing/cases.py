"""A method under test, made and compiled once, and how it is looked at."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from dd_jax.data.source import HostSource, ResidentSource, resident
from dd_jax.distiller import Distiller, State
from dd_jax.experts.source import ExpertSource, HostExperts, with_experts
from dd_jax.types import Metrics, PyTree

_CLASSES, _EXAMPLES, _SIZE = 3, 60, 8

Make = Callable[[], Distiller]
"""Makes the method under test, anew at each call."""


class Case(NamedTuple):
  """A method under test.

  Attributes:
    make: makes it.
    source: real data on the device, a pytree.
    method: what `make` made.
    state: `init` of key 0.
    batch: `sample` of key 0 and step 0.
    update: of the method, under `jax.jit`.
    traces: one entry for each time that `update` was traced.
  """

  make: Make
  source: Any
  method: Distiller
  state: State
  batch: PyTree
  update: Any
  traces: list[str]


def case(make: Make, source: Any = None) -> Case:
  """Makes a method and compiles its update.

  Args:
    make: makes the method.
    source: what it reads; by default `toy_source()`.
  """
  source = toy_source() if source is None else source
  method, traces = make(), []

  def update(*arguments: PyTree) -> tuple[State, Metrics]:
    traces.append('traced')
    return method.update(*arguments)

  key = jax.random.key(0)
  # Committed to its device, as a restored one is: one program serves both.
  state = jax.device_put(method.init(key, source), jax.devices()[0])
  batch = method.sample(key, jnp.int32(0), source)
  return Case(make, source, method, state, batch, jax.jit(update), traces)


def run(
  case: Case, count: int, state: State | None = None, first: int = 0
) -> tuple[State, Metrics]:
  """Makes `count` outer steps from step `first` on, as the driver does."""
  state = case.state if state is None else state
  metrics: Metrics = {}
  for step in range(first, first + count):
    k_sample, k_update = jax.random.split(jax.random.key(step))
    batch = case.method.sample(k_sample, jnp.int32(step), case.source)
    state, metrics = case.update(k_update, jnp.int32(step), state, batch)
  return state, metrics


def toy_source() -> ResidentSource:
  """60 images of 8 x 8 in 3 classes, float32, on the device.

  A class is a bright column, under noise.
  """
  rng = np.random.default_rng(0)
  label = np.arange(_EXAMPLES) % _CLASSES
  image = rng.normal(size=(_EXAMPLES, _SIZE, _SIZE, 1))
  image[np.arange(_EXAMPLES), :, 2 * label] += 2
  return resident(image.astype(np.float32), label, _CLASSES, None)


def on_host(source: Any) -> Any:
  """The same examples, and experts if there are any, in host memory."""
  if isinstance(source, ExpertSource):
    params, row = map(np.asarray, (source.experts.params, source.experts.row))
    return with_experts(on_host(source.real), HostExperts(list(params), row))
  image, label = np.asarray(source.image), np.asarray(source.label)
  return HostSource(image, label, source.preprocessing, source.num_classes)


def in_dtype(source: Any, dtype: Any) -> Any:
  """A source on the device with its float arrays in `dtype`."""
  floats = lambda a: jnp.issubdtype(a.dtype, jnp.floating)
  return jax.tree.map(lambda a: a.astype(dtype) if floats(a) else a, source)


def require(truth: bool, law: str, seen: object) -> None:
  """Raises an AssertionError that names the law and what was seen."""
  if not truth:
    raise AssertionError(f'{law}: {seen}')


def bits(tree: PyTree) -> list[bytes]:
  """The bytes of every leaf."""
  return [np.asarray(x).tobytes() for x in map(_plain, jax.tree.leaves(tree))]


def kinds(tree: PyTree) -> Any:
  """The structure, and shape, dtype and weak type of every leaf."""
  leaves, structure = jax.tree.flatten(tree)
  return structure, [(x.shape, x.dtype, is_weak(x)) for x in leaves]


def is_weak(x: Any) -> bool:
  """Whether an array has the type of a Python number; a key has not."""
  return bool(getattr(x, 'weak_type', False))


def difference(a: PyTree, b: PyTree) -> str:
  """Where two trees differ in kind or bits, in a few words; '' if nowhere."""
  before, after = kinds(a)[0], kinds(b)[0]
  if before != after:
    lost, new = _paths(a) - _paths(b), _paths(b) - _paths(a)
    if not lost | new:
      return f'{before} became {after}'
    return f'{sorted(lost)} became {sorted(new)}'
  pairs = zip(jax.tree.leaves_with_path(a), jax.tree.leaves(b), strict=True)
  for (path, x), y in pairs:
    if kinds(x) != kinds(y):
      return f'{jax.tree_util.keystr(path)}: {_told(x)} became {_told(y)}'
    if not isinstance(x, jax.ShapeDtypeStruct) and bits(x) != bits(y):
      return f'{jax.tree_util.keystr(path)} has other values'
  return ''


def _paths(tree: PyTree) -> set[str]:
  """Where its leaves are."""
  leaves = jax.tree.leaves_with_path(tree)
  return {jax.tree_util.keystr(path) for path, _ in leaves}


def spread(a: PyTree, b: PyTree) -> float:
  """The largest difference of two trees, each leaf relative to its largest."""
  leaves = zip(*map(jax.tree.leaves, (a, b)), strict=True)
  return max((_relative(_plain(x), _plain(y)) for x, y in leaves), default=0.0)


def _relative(a: Any, b: Any) -> float:
  a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
  if a.size == 0:
    return 0.0
  return float(np.abs(a - b).max() / max(np.abs(a).max(), 1e-3))


def _plain(x: Any) -> Any:
  """A typed PRNG key as integers; anything else as it is."""
  is_key = jnp.issubdtype(x.dtype, jax.dtypes.prng_key)
  return jax.random.key_data(x) if is_key else x


def _told(x: Any) -> str:
  [(shape, dtype, weak)] = kinds(x)[1]
  return f'{"weakly typed " if weak else ""}{dtype}{list(shape)}'
