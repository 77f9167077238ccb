"""A cell that is stopped goes on where it was, and ends with the same set."""

import os
import signal

import pytest

from dd_jax.run.cell import Runner
from dd_jax.run.grid import Cell, Judge
from dd_jax.run.result import Interrupted

JUDGE = Judge(('krr-ntk',), ({'name': 'mlp', 'width': 4},), 1, 3)
LENGTH = {'num_steps': '6', 'validate_every': '0'}


class Stopping:
  """A writer that notes where runs begin, and stops the first after a step."""

  def __init__(self):
    self.begun = []

  def begin(self, step):
    self.begun.append(step)

  def scalars(self, steps, metrics):
    if len(self.begun) == 1:
      os.kill(os.getpid(), signal.SIGINT)

  def ignore(self, *given):
    pass

  progress = validation = message = close = ignore


def test_a_stopped_cell_goes_on_from_its_checkpoint(small_npz, tmp_path):
  cell = Cell(small_npz(), 'kip', 1, 0, 1.0)
  writer = Stopping()
  runner = Runner(JUDGE, tmp_path / 'stopped', {}, {}, [writer])
  with pytest.raises(Interrupted):
    runner.run(cell, LENGTH)
  line = runner.run(cell, LENGTH)
  first, second = writer.begun
  assert first == 0 and 0 < second < 6
  whole = Runner(JUDGE, tmp_path / 'whole', {}, {}).run(cell, LENGTH)
  assert line['artifact'] == whole['artifact'] and line['steps'] == 6
  assert line['networks'] == whole['networks']
