"""What a set takes and what making it took: storage, time, memory, machine."""

from collections.abc import Mapping
from typing import Any

from dd_jax.report import facts, formats
from dd_jax.report.markup import Markup, definitions, element, join

PHASES = {
  'load': ('#b58900', '#e3c45a'),
  'experts': ('#b03a6a', '#f08fb4'),
  'init': ('#0f8a8a', '#4fc3c3'),
  'compile': ('#5b6270', '#a0a8b5'),
  'distil': ('#2456b8', '#86b1ff'),
  'validate': ('#4d8a1f', '#9fd356'),
  'checkpoint': ('#8e4ec6', '#c79bf2'),
  'evaluate': ('#a84d0b', '#f2a365'),
  'other': ('#c2c7d0', '#4a515c'),
}
"""Colours of what a run spends time on, on a light and on a dark page."""

STYLE = (
  '\n'.join(f'.phase-{k}{{background:{v[0]}}}' for k, v in PHASES.items())
  + '\n@media (prefers-color-scheme:dark){\n'
  + '\n'.join(f'.phase-{k}{{background:{v[1]}}}' for k, v in PHASES.items())
  + '}\n'
)


def budget(result: Mapping[str, Any], compression: str | None) -> Markup:
  """Returns what storing the set takes.

  Args:
    result: as in result.json.
    compression: the factor, in words, or None where it is not known.
  """
  rows = definitions(
    [
      ('Stored numbers', formats.count(result.get('stored_floats'))),
      ('Stored bytes', formats.size(result.get('stored_bytes'))),
      ('As plain images', facts.plain_images(result)),
      ('Decoded images', formats.count(result.get('decoded_images'))),
      ('Compression', compression),
    ]
  )
  note = (
    'Compression: values in the training images for each stored number.'
    if compression
    else ''
  )
  return join(rows, element('p', {'class': 'caption'}, note))


def time(result: Mapping[str, Any]) -> Markup:
  """Returns a bar of the phases of the run, each with its time, and the sum."""
  spent = {
    str(name): seconds
    for name, value in facts.mapping(result.get('seconds')).items()
    if (seconds := formats.number(value)) is not None
  }
  bars = [
    element('span', {'class': _phase(k), 'style': f'flex:{v:.4f}'})
    for k, v in spent.items()
    if v
  ]
  rows: list[tuple[object, object]] = [
    (join(_swatch(name), name.capitalize()), formats.duration(value))
    for name, value in spent.items()
  ]
  total = formats.duration(sum(spent.values())) if spent else None
  peak = formats.size(result.get('peak_memory_bytes'))
  machine = facts.mapping(result.get('machine'))
  return join(
    element('div', {'class': 'stack', 'aria-hidden': 'true'}, *bars),
    definitions(
      [
        *rows,
        ('In all', total),
        ('Peak memory', peak),
        ('Device', _device(machine)),
        ('Processor cores', formats.count(machine.get('cores'))),
        ('System', machine.get('system')),
      ]
    ),
  )


def _device(machine: Mapping[str, Any]) -> str | None:
  """What jax ran on: `2 x cpu`."""
  name = machine.get('device')
  if not name:
    return None
  many = formats.number(machine.get('devices')) or 1
  return f'{many:.0f} x {name}' if many > 1 else str(name)


def _phase(name: str) -> str:
  return f'phase-{name if name in PHASES else "other"}'


def _swatch(name: str) -> Markup:
  return element('i', {'class': f'swatch {_phase(name)}'})
