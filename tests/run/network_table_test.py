"""Rows of a table by network: what was asked of a protocol, without network."""

import pytest

from dd_jax.run import network_table


def score(protocol):
  return {'protocol': protocol, 'mean': 90.0, 'std': None, 'runs': 'exact'}


@pytest.mark.parametrize('steps', ['', '200 steps'])
def test_steps_stand_in_every_row(steps):
  """Of other protocols too, whatever the width of the network."""

  def found(network):
    told = ', '.join(part for part in (steps, network) if part)
    return {
      'protocol': f'dc ({told})',
      'test_accuracy': score(f'dc ({told})'),
      'other_scores': {'frepo': score(f'frepo ({told})')},
      'baselines': {'random': score(f'dc ({told})')},
    }

  text = network_table.text(
    {'mlp': found('mlp width=64'), 'lenet': found('lenet')}
  )
  rows = [line.split('  ')[0].strip() for line in text.splitlines()]
  tail = f' ({steps})' if steps else ''
  assert f'dc{tail}' in rows and f'frepo{tail}' in rows
  assert 'random (baseline)' in rows and len(rows) == len(set(rows))
