"""The program of the outer loop: of a run, and of what measures one."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from dd_jax.run.chunk import run_chunk
from dd_jax.run.input_pipeline import InputPipeline
from dd_jax.run.placement import Placement
from dd_jax.types import Key, PyTree


def lowered(
  update: Callable[..., Any],
  pipeline: InputPipeline,
  placement: Placement,
  start: tuple[PyTree, Key],
  step: int,
) -> jax.stages.Lowered:
  """`run_chunk` with its functions in place, ready to be compiled.

  Args:
    update: of the method.
    pipeline: what the loop reads.
    placement: where its arrays lie.
    start: the state, which is donated, and the key of the outer steps.
    step: the first that will run.

  Returns:
    What compiles to `(state, key, data, first, count) -> ...`.
  """
  chunk = functools.partial(run_chunk, update, pipeline.draw, placement.split)
  jitted = jax.jit(chunk, donate_argnums=0, **placement.outputs())
  data = pipeline.data(step)
  return jitted.lower(*start, data, np.int32(0), np.int32(0))
