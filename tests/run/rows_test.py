"""Rows are kept once each, and what changed them in between is told."""

import json

import numpy as np
import pytest

from dd_jax.run import rows

STEPS = np.arange(1, 7)
ROWS = rows.of_metrics(STEPS, {'loss': (STEPS / 8).astype(np.float32)})
LINES = [rows.line(row) for row in ROWS]
WRITTEN = rows.checksum(ROWS)


def test_a_row_is_read_as_it_was_written():
  assert [rows.parse(line) for line in LINES] == ROWS
  assert ROWS[1] == {'step': 2, 'loss': 0.25}
  assert json.loads(rows.line({'step': 1, 'x': float('nan')}))['x'] is None
  assert rows.validated(3, 0.5) == {'step': 3, 'accuracy': 50.0}


@pytest.mark.parametrize('cut', [0, 1, 3, 6])
def test_a_checksum_goes_on(cut):
  before = rows.checksum(ROWS[:cut])
  assert rows.checksum(ROWS[cut:], before) == WRITTEN
  sums = {'a': before}
  rows.add(sums, 'a', ROWS[cut:])
  rows.add(sums, 'b', ROWS)  # whose first rows nobody counted
  assert sums == {'a': WRITTEN}


REPAIRED = {
  'as it was': LINES,
  'doubled': [*LINES[:3], *LINES[2:]],
  'all twice': LINES + LINES,
  'in another order': LINES[::-1],
  'torn at the end': [*LINES, '{"step": 7, "lo'],
  'with noise': [*LINES[:2], '\0\0\n', '[]\n', '{"step": "1"}\n', *LINES[2:]],
}
LOST = {
  'a row': [*LINES[:3], *LINES[4:]],
  'torn inside': [*LINES[:3], LINES[3][:9] + '\n', *LINES[4:]],
  'two torn into one': [*LINES[:3], LINES[3][:9] + LINES[4], *LINES[5:]],
  'emptied': [],
}


@pytest.mark.parametrize('name', REPAIRED)
def test_what_can_be_is_repaired(name):
  kept = ''.join(rows.read(''.join(REPAIRED[name])).values())
  assert kept == ''.join(LINES)
  assert rows.changed('m', kept, WRITTEN, 6) == ''


@pytest.mark.parametrize('name', LOST)
def test_what_is_lost_is_named(name):
  kept = ''.join(rows.read(''.join(LOST[name])).values())
  said = rows.changed('metrics.jsonl', kept, WRITTEN, 6)
  count, last = {'emptied': (6, 6), 'two torn into one': (2, 5)}.get(
    name, (1, 4)
  )
  first = 1 if name == 'emptied' else 4
  assert f'rows of {count} of 6 steps are lost' in said
  assert f'between step {first} and {last}:' in said


def test_an_edited_row_is_no_row_of_the_run():
  edited = ''.join(LINES).replace('0.25', '0.26')
  assert 'not all those that the run wrote' in (
    rows.changed('metrics.jsonl', edited, WRITTEN, 6)
  )
  assert rows.changed('metrics.jsonl', edited, None, 6) == ''  # not known
