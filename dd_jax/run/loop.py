"""The program of the outer loop: of a run, and of what measures one."""

import functools
import hashlib
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from dd_jax.run.chunk import run_chunk
from dd_jax.run.input_pipeline import InputPipeline
from dd_jax.run.placement import Placement
from dd_jax.types import Key, PyTree


class Programs:
  """The last compiled program, for who lowers the same one again.

  A run that was measured has the very loop that measured it: the text of a
  lowered program holds its shapes, its constants and what it donates. Only the
  last is kept, as those before were measured and given up.
  """

  def __init__(self) -> None:
    """None yet."""
    self._key: Any = None
    self._program: jax.stages.Compiled | None = None

  def compiled(self, program: jax.stages.Lowered) -> jax.stages.Compiled:
    """`program`, compiled unless it is the last one."""
    digest = hashlib.sha256(program.as_text().encode()).digest()
    key = digest, program.in_tree, program.out_tree
    if self._program is None or self._key != key:
      self._program = None  # its memory is free before the next one needs some
      self._program = program.compile()
      self._key = key
    return self._program

  @property
  def memory(self) -> int:
    """Bytes of its arguments, results and scratch; 0 where not told."""
    found = self._program and self._program.memory_analysis()
    if not found:
      return 0
    whole = found.argument_size_in_bytes + found.output_size_in_bytes
    shared = found.alias_size_in_bytes
    return int(whole + found.temp_size_in_bytes - shared)


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
