"""Every step once, whatever happened; and a bar that fits its line."""

import errno
import io
import json
import sys

import numpy as np
import pytest

from dd_jax.run import writers
from dd_jax.types import UserError


def rows(path):
  return [json.loads(line) for line in path.read_text().splitlines()]


def chunk(first, last, **columns):
  steps = np.arange(first, last + 1)
  loss = (steps / 8).astype(np.float32)
  return steps, {'loss': loss, **columns}


@pytest.fixture
def jsonl(tmp_path):
  writer = writers.JsonlWriter(tmp_path)
  yield writer
  writer.close()


def test_rows_are_on_disk_at_once(tmp_path, jsonl):
  jsonl.begin(0)
  jsonl.scalars(*chunk(1, 2, age=np.array([3, 4]), ok=np.array([True, False])))
  jsonl.validation(2, 0.931)
  assert rows(tmp_path / 'metrics.jsonl') == [
    {'step': 1, 'loss': 0.125, 'age': 3, 'ok': True},
    {'step': 2, 'loss': 0.25, 'age': 4, 'ok': False},
  ]
  assert rows(tmp_path / 'validation.jsonl') == [
    {'step': 2, 'accuracy': pytest.approx(93.1)}
  ]


def test_resuming_drops_later_rows_and_a_torn_one(tmp_path, jsonl):
  jsonl.begin(0)
  jsonl.scalars(*chunk(1, 10))
  jsonl.validation(4, 0.5)
  jsonl.validation(8, 0.6)
  jsonl.close()
  with (tmp_path / 'metrics.jsonl').open('a') as f:
    f.write('{"step": 11, "lo')
  jsonl.begin(6)
  assert [r['step'] for r in rows(tmp_path / 'validation.jsonl')] == [4]
  jsonl.scalars(*chunk(7, 12))
  steps = [r['step'] for r in rows(tmp_path / 'metrics.jsonl')]
  assert steps == list(range(1, 13))
  assert sorted(p.name for p in tmp_path.iterdir()) == [
    'metrics.jsonl',
    'validation.jsonl',
  ]


@pytest.mark.parametrize('torn', ['{"step": 3, "l', '{"step": 3}', '\0\0\0'])
def test_a_torn_last_row_is_dropped(tmp_path, jsonl, torn):
  jsonl.begin(0)
  jsonl.scalars(*chunk(1, 2))
  jsonl.close()
  with (tmp_path / 'metrics.jsonl').open('a') as f:
    f.write(torn)
  jsonl.begin(3)
  jsonl.scalars(*chunk(3, 4))
  assert [r['step'] for r in rows(tmp_path / 'metrics.jsonl')] == [1, 2, 3, 4]


def test_starting_anew_empties_the_files(tmp_path, jsonl):
  jsonl.begin(0)
  jsonl.scalars(*chunk(1, 3))
  jsonl.begin(0)
  assert rows(tmp_path / 'metrics.jsonl') == []


def test_a_repeated_validation_is_one_row(tmp_path, jsonl):
  jsonl.begin(0)
  jsonl.validation(5, 0.5)
  jsonl.begin(5)
  jsonl.validation(5, 0.5)
  assert len(rows(tmp_path / 'validation.jsonl')) == 1


def test_what_is_not_finite_is_null(tmp_path, jsonl):
  jsonl.begin(0)
  jsonl.scalars(*chunk(1, 2, norm=np.array([np.inf, np.nan])))
  assert [r['norm'] for r in rows(tmp_path / 'metrics.jsonl')] == [None, None]


def test_a_full_disk_is_one_line(tmp_path, jsonl, monkeypatch):
  jsonl.begin(0)
  jsonl.scalars(*chunk(1, 2))

  def full(descriptor):
    raise OSError(errno.ENOSPC, 'No space left on device')

  monkeypatch.setattr(writers.os, 'fsync', full)
  with pytest.raises(UserError, match=r'metrics\.jsonl is full'):
    jsonl.scalars(*chunk(3, 4))
  with pytest.raises(UserError, match=r'metrics\.jsonl is full'):
    jsonl.begin(1)
  monkeypatch.undo()
  jsonl.begin(2)
  assert [r['step'] for r in rows(tmp_path / 'metrics.jsonl')] == [1, 2]


class Terminal(io.StringIO):
  def isatty(self):
    return True


def test_a_terminal_gets_one_rewritten_line():
  stream = Terminal()
  bar = writers.ProgressWriter(200, stream)
  bar.begin(0)
  bar.scalars(*chunk(1, 100))
  bar.validation(100, 0.5)
  bar.scalars(*chunk(101, 150))
  bar.message('a message')
  bar.scalars(*chunk(151, 200))
  bar.close()
  text = stream.getvalue()
  assert text.count('\n') == 2 and text.endswith('\n')
  assert '100/200' in text and 'loss 12.5' in text and 'steps/s' in text
  assert 'validation 50.0%' in text and '0:00 left' in text
  assert '█' * 10 + '░' * 10 in text
  shown = [line.strip() for line in text.replace('\n', '\r').split('\r')]
  assert 'a message' in shown and max(map(len, shown)) <= 100


def test_a_log_file_gets_a_line_now_and_then():
  stream = io.StringIO()
  bar = writers.ProgressWriter(200, stream, every_seconds=1000)
  bar.begin(0)
  bar.scalars(*chunk(1, 100))
  assert stream.getvalue() == ''
  bar.scalars(*chunk(101, 200))  # the last one always shows
  bar.close()
  assert stream.getvalue().count('\n') == 1 and '\r' not in stream.getvalue()


def test_the_rate_counts_from_the_first_rows_on(monkeypatch):
  now = [100.0]
  monkeypatch.setattr(writers.time, 'monotonic', lambda: now[0])
  stream = Terminal()
  bar = writers.ProgressWriter(1000, stream)
  bar.begin(500)
  now[0] += 60  # compiles
  bar.scalars(*chunk(501, 501))
  assert 'steps/s' not in stream.getvalue()
  assert 'left' not in stream.getvalue()
  now[0] += 10
  bar.scalars(*chunk(502, 601))
  assert '10 steps/s' in stream.getvalue()
  assert '0:40 left' in stream.getvalue()


def test_scoring_has_a_bar_of_its_own(monkeypatch):
  """Its clock is not the run's; its line stays."""
  now = [100.0]
  monkeypatch.setattr(writers.time, 'monotonic', lambda: now[0])
  stream = Terminal()
  bar = writers.ProgressWriter(1000, stream)
  bar.scalars(*chunk(1, 1000))
  bar.close()
  now[0] += 5000
  for done in range(5):
    bar.progress('scoring', done, 4)
    now[0] += 2
  _, shown, after = stream.getvalue().split('\n')
  for said in ('scoring ', '1/4', '2 s/step', '0:04 left', '0:02 left', '4/4'):
    assert said in shown, said
  assert after == ''


def test_rates_read_well():
  assert writers._rate(0.25) == '4 s/step'
  assert writers._rate(1234.567) == '1235 steps/s'


def test_without_tensorboardx_it_is_named(tmp_path, monkeypatch):
  monkeypatch.setitem(sys.modules, 'tensorboardX', None)
  with pytest.raises(UserError, match='pip install tensorboardX'):
    writers.TensorBoardWriter(tmp_path)


def test_tensorboard_events(tmp_path):
  pytest.importorskip('tensorboardX')
  writer = writers.TensorBoardWriter(tmp_path)
  writer.begin(0)
  writer.scalars(*chunk(1, 3))
  writer.validation(3, 0.5)
  writer.close()
  (events,) = tmp_path.iterdir()
  assert b'validation/accuracy' in events.read_bytes()


def test_a_notebooks_cell_gets_one_rewritten_line():
  class OutStream(io.StringIO):
    """As a kernel's: no terminal, but a carriage return goes back."""

  OutStream.__module__ = 'ipykernel.iostream'
  cell = OutStream()
  writer = writers.ProgressWriter(2, cell)
  for step in (1, 2):
    writer.scalars(np.array([step]), {'loss': np.array([0.5])})
  writer.close()
  assert cell.getvalue().count('\r') == 2
  assert cell.getvalue().count('\n') == 1
