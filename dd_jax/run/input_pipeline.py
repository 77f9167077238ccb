"""What the compiled loop reads: a resident source, or prefetched batches."""

import concurrent.futures
from typing import Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from dd_jax.distiller import Distiller
from dd_jax.run.placement import Placement
from dd_jax.types import Key, PyTree

_BLOCK_BYTES = 128 * 2**20  # of a prefetched block; two are held at a time
_BLOCK_STEPS = 1024  # the most steps of one


class InputPipeline(Protocol):
  """What the compiled loop reads."""

  def data(self, step: int) -> PyTree:
    """The argument of the program for a chunk that starts at `step`."""

  def draw(self, key: Key, t: jax.Array, data: PyTree) -> PyTree:
    """The batch of step `t`; traced."""

  def end(self, step: int) -> int:
    """The step up to which `data(step)` reaches."""

  def close(self) -> None:
    """Stops what runs in the background."""


def input_pipeline(
  distiller: Distiller, source: Any, key: Key, step: int, placement: Placement
) -> InputPipeline:
  """Chooses the pipeline that fits the source.

  Args:
    distiller: its `sample` draws.
    source: a pytree to take from on the device, or one with `plan` and `fetch`.
    key: of the outer steps.
    step: the first that will be asked for.
    placement: where batches go.
  """
  if hasattr(source, 'plan') and hasattr(source, 'fetch'):
    return _Prefetched(distiller, source, key, step, placement)
  return _Resident(distiller, placement.replicate(source))


class _Resident:
  """Examples that are on the device, taken inside the loop."""

  def __init__(self, distiller: Distiller, source: PyTree) -> None:
    self._sample = distiller.sample
    self._source = source

  def data(self, step: int) -> PyTree:
    return self._source

  def draw(self, key: Key, t: jax.Array, data: PyTree) -> PyTree:
    return self._sample(key, t, data)

  def end(self, step: int) -> int:
    return np.iinfo(np.int32).max

  def close(self) -> None:
    pass


class _Block(NamedTuple):
  """The batches of consecutive steps."""

  batches: PyTree  # leaves [length, ...]
  first: jax.Array  # the step of batches[0]


class _Prefetched:
  """Blocks of batches, of a fixed length, fetched one ahead in a thread."""

  def __init__(
    self,
    distiller: Distiller,
    source: Any,
    key: Key,
    step: int,
    placement: Placement,
  ) -> None:
    self._sample = distiller.sample
    self._source = source
    self._plan = source.plan()
    self._key = key
    self._placement = placement
    self._planner = jax.jit(self._plan_steps)
    self._length = self._fitting_length(step)
    self._pool = concurrent.futures.ThreadPoolExecutor(1)
    # A context manager of the caller's does not reach another thread.
    self._x64 = jax.dtypes.canonicalize_dtype(np.float64) == np.float64
    self._blocks: dict[int, concurrent.futures.Future[_Block]] = {}

  def data(self, step: int) -> _Block:
    index = step // self._length
    for old in [i for i in self._blocks if i < index]:
      del self._blocks[old]
    for wanted in (index, index + 1):
      if wanted not in self._blocks:
        self._blocks[wanted] = self._pool.submit(self._fetch, wanted)
    return self._blocks[index].result()

  def draw(self, key: Key, t: jax.Array, data: _Block) -> PyTree:
    return jax.tree.map(lambda x: x[t - data.first], data.batches)

  def end(self, step: int) -> int:
    return (step // self._length + 1) * self._length

  def close(self) -> None:
    self._pool.shutdown(wait=False, cancel_futures=True)

  def _fitting_length(self, step: int) -> int:
    batch = self._source.fetch(self._planner(self._key, np.array([step])))
    size = sum(x.nbytes for x in jax.tree.leaves(batch))
    return max(1, min(_BLOCK_STEPS, _BLOCK_BYTES // max(size, 1)))

  def _plan_steps(self, key: Key, steps: jax.Array) -> PyTree:
    # A map rather than vmap: each step draws exactly as it would alone.
    def one(t: jax.Array) -> PyTree:
      k_sample, _ = jax.random.split(jax.random.fold_in(key, t))
      return self._sample(k_sample, t, self._plan)

    return jax.lax.map(one, steps)

  def _fetch(self, index: int) -> _Block:
    first = index * self._length
    steps = np.arange(first, first + self._length, dtype=np.int32)
    with jax.enable_x64(self._x64):
      batches = self._source.fetch(self._planner(self._key, steps))
      block = self._placement.split_block(batches)
      start = self._placement.replicate(jnp.int32(first))
    return jax.block_until_ready(_Block(block, start))
