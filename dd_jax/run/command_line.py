"""What every binary does around its work: flags in, one line out on errors."""

import os
import shlex
import signal
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
from absl import app, flags, logging

from dd_jax import register
from dd_jax.report.facts import unequal
from dd_jax.run import settings
from dd_jax.run.answer import answering
from dd_jax.run.interrupt import Signals, Stop
from dd_jax.run.result import Interrupted
from dd_jax.types import UserError


def load_parts() -> None:
  """Loads what other packages register, before flags are told of it.

  One that fails becomes one line and exit status 2.
  """
  try:
    register.load_installed()
  except UserError as error:
    print(f'error: {error}', file=sys.stderr)
    raise SystemExit(2) from None


def run(main: Callable[[dict[str, str]], None]) -> None:
  """Runs `main(fields)`, where `fields` are the `--config.FIELD` flags.

  A user's mistake becomes one line and exit status 2; a signal, after its
  checkpoint, the status that a shell expects.
  """
  fields: dict[str, str] = {}

  def parse(argv: Sequence[str]) -> list[str]:
    others, found = settings.split(argv)
    fields.update(found)
    try:
      return flags.FLAGS(others)
    except flags.Error as error:
      raise UserError(str(error).splitlines()[0]) from error

  def guarded(argv: Sequence[str]) -> None:
    if len(argv) > 1:
      raise UserError(f'{argv[1]}: is no flag; see --help')
    if not flags.FLAGS['verbosity'].present:
      logging.set_verbosity(logging.WARNING)
    with answering(), Signals() as signals, signals.raising():
      main(fields)

  sys.unraisablehook = _in_main_thread
  try:
    app.run(guarded, flags_parser=parse)
  except UserError as error:
    _leave(f'error: {error}', 2)
  except Interrupted as stop:
    _leave(str(stop), stop.exit_status)
  except Stop as stop:
    name = signal.Signals(stop.signum).name
    _leave(f'{name}: stopped', 128 + stop.signum)
  except OSError as error:
    named = f'{error.filename}: ' if error.filename else ''
    _leave(f'error: {named}{error.strerror or error}', 2)


def command(
  binary: str, fields: Mapping[str, str], left_out: Sequence[str]
) -> str:
  """The command line of this run, without the flags in `left_out`."""
  known = flags.FLAGS.get_key_flags_for_module(sys.argv[0])
  given = [
    flag.serialize()
    for flag in known
    if flag.present and flag.name not in left_out
  ]
  given += [f'--config.{field}={value}' for field, value in fields.items()]
  return shlex.join(['python', '-m', f'experiments.{binary}', *given])


def mesh(count: int) -> jax.sharding.Mesh | None:
  """The first `count` devices, or all; None for a single one.

  Raises:
    UserError: there are fewer.
  """
  present = jax.device_count()
  if not 0 <= count <= present:
    raise UserError(f'--devices={count}: allowed are 0 to {present}')
  count = count or present
  if count == 1:
    return None
  auto = jax.sharding.AxisType.Auto
  return jax.make_mesh(
    (count,), ('data',), axis_types=(auto,), devices=jax.devices()[:count]
  )


def table(found: Mapping[str, Any]) -> str:
  """Scores as lines of text; takes what `record.score` gives."""
  own = found['test_accuracy']
  lines = [f'test accuracy under {found["protocol"]}: {percent(own)}']
  if 'test_set' in found:  # not of a run of an earlier version
    lines += _sureness(own, found['test_set'])
  lines += [f'  {k}: {v}' for k, v in _once(found['baselines']).items()]
  for name, score in found['other_scores'].items():
    lines.append(f'test accuracy under {name}: {percent(score)}')
  return '\n'.join(lines)


def _sureness(own: Mapping[str, Any], test: Mapping[str, Any]) -> list[str]:
  """How far the test set can be trusted."""
  low, high = own['interval']
  lines = [
    f'  95 % interval on {test["examples"]:,} test images: {low:.1f} to '
    f'{high:.1f} %'
  ]
  if own['balanced'] is not None and unequal(test['by_class']):
    lines.append(
      f'  balanced over the classes: {own["balanced"]:.2f} % (always the '
      f'commonest class: {test["commonest"]:.1f} % unbalanced)'
    )
  return lines


def _once(baselines: Mapping[str, Any]) -> dict[str, str]:
  """Each baseline's score as text; equal selections in one line."""
  names: dict[tuple[str, tuple[float, ...]], str] = {}
  for name, score in baselines.items():
    same = percent(score), tuple(score['values'])
    names[same] = f'{names[same]}, {name}' if same in names else name
  return {name: text for (text, _), name in names.items()}


def percent(score: Mapping[str, Any]) -> str:
  """Mean and deviation as text."""
  spread = '' if score['std'] is None else f' ± {score["std"]:.2f}'
  return f'{score["mean"]:.2f} %{spread}'


def _in_main_thread(unraisable: Any) -> None:
  """Keeps native threads quiet: what fails there is raised here as well."""
  if threading.current_thread() is threading.main_thread():
    sys.__unraisablehook__(unraisable)


def _leave(text: str, status: int) -> None:
  """Ends the process at once: a compilation may run on in a thread."""
  print(text, file=sys.stderr)
  sys.stdout.flush()
  sys.stderr.flush()
  os._exit(status)
