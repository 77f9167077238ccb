"""What every command does around its work: flags in, one line out on errors."""

import contextlib
import difflib
import os
import shlex
import signal
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import jax
from absl import flags, logging

from dd_jax import register
from dd_jax.report.facts import labels, unequal
from dd_jax.run import (
  compiled,
  help_text,
  machine,
  metric_table,
  precision,
  settings,
)
from dd_jax.run.answer import answering
from dd_jax.run.interrupt import Signals, Stop
from dd_jax.run.result import Interrupted
from dd_jax.types import UserError

_COMPILE_CACHE = 'compile_cache'
_PRECISION = 'precision'


def load_parts() -> None:
  """Loads what other packages register, before flags are told of it.

  One that fails becomes one line and exit status 2.
  """
  try:
    register.load_installed()
  except UserError as error:
    print(f'error: {error}', file=sys.stderr)
    raise SystemExit(2) from None


class Command(NamedTuple):
  """What can be asked for on the command line.

  Attributes:
    name: after `dd-jax`.
    about: what it is for: its first line, then the rest of its help.
    flags: made by `new_flags`.
    main: `(fields, *operands)`; `fields` are the `--config.FIELD=VALUE` given.
      Without `takes_fields`, `(*operands)`.
    operands: names of what may be given besides flags; of a last one that ends
      in '...' any number.
    takes_fields: whether `--config.FIELD=VALUE` is for it.
  """

  name: str
  about: str
  flags: flags.FlagValues
  main: Callable[..., None]
  operands: tuple[str, ...] = ()
  takes_fields: bool = True


def new_flags() -> flags.FlagValues:
  """The flags of a command: so far those that every command has.

  They are its own: those of two commands may have the same names.
  """
  found = flags.FlagValues()
  found.set_gnu_getopt(True)
  flags.DEFINE_bool('quiet', False, 'Print errors and the result only.', found)
  return found


def define_compiling(values: flags.FlagValues) -> None:
  """The flags of commands that compile programs worth keeping."""
  flags.DEFINE_bool(
    _COMPILE_CACHE,
    True,
    'Keep compiled programs in the cache folder: the next run of the same kind '
    'starts sooner. --nocompile_cache neither keeps nor reads any.',
    flag_values=values,
  )
  flags.DEFINE_string(
    _PRECISION,
    None,
    'What networks multiply in: float32, or tf32 on a GPU, bfloat16 on a TPU; '
    'kernels and solves are float32 always. Default: the fastest of the '
    'device: float32 on a CPU.',
    flag_values=values,
  )


def listed(values: flags.FlagValues) -> list[flags.Flag]:
  """Flags as they were defined, those that every command has last."""
  modules = values.flags_by_module_dict()
  found = [flag for held in modules.values() for flag in held]
  return sorted(found, key=lambda flag: flag.name == 'quiet')


def run(command: Command, arguments: Sequence[str] | None = None) -> None:
  """Runs a command; by default on the arguments of this process.

  A user's mistake becomes one line and exit status 2; a signal, after its
  checkpoint, the status that a shell expects.
  """
  given = sys.argv[1:] if arguments is None else arguments
  ends_in_a_line(lambda: _run(command, given))


def ends_in_a_line(work: Callable[[], None]) -> None:
  """Does `work`, and ends the process in one line where it cannot."""
  sys.unraisablehook = _in_main_thread
  try:
    work()
  except UserError as error:
    _leave(f'error: {error}', 2)
  except Interrupted as stop:
    _leave(str(stop), stop.exit_status)
  except Stop as stop:
    name = signal.Signals(stop.signum).name
    _leave(f'{name}: stopped', 128 + stop.signum)
  except BrokenPipeError:  # `| head` has read enough
    _leave('', 0)
  except OSError as error:
    named = f'{error.filename}: ' if error.filename else ''
    _leave(f'error: {named}{error.strerror or error}', 2)


def _run(command: Command, given: Sequence[str]) -> None:
  if asks_for_help(given):
    print(
      help_text.of_command(
        command.name, command.about, command.operands, listed(command.flags)
      )
    )
    return
  if '--version' in given:
    print(version())
    return
  operands, fields = _parsed(command, given)
  quiet = command.flags['quiet'].value
  logging.set_verbosity(logging.ERROR if quiet else logging.WARNING)
  _compiling({f.name: f.value for f in listed(command.flags)})
  with answering(), Signals() as signals, signals.raising():
    if command.takes_fields:
      command.main(fields, *operands)
    else:
      command.main(*operands)


def _compiling(values: Mapping[str, Any]) -> None:
  """Does what the flags of `define_compiling` say, where there are any."""
  if values.get(_COMPILE_CACHE):
    compiled.keep()
  if values.get(_PRECISION):
    precision.choose(values[_PRECISION])


def asks_for_help(given: Sequence[str]) -> bool:
  """Whether `-h` or `--help` is among the arguments."""
  return any(argument in ('-h', '-help', '--help') for argument in given)


def version() -> str:
  """Of this package and of what its numbers depend on most."""
  found = machine.versions()
  about = ', '.join(f'{k} {found[k]}' for k in ('jax', 'python'))
  return f'dd_jax {found["dd_jax"]} ({about})'


def _parsed(
  command: Command, given: Sequence[str]
) -> tuple[list[str], dict[str, str]]:
  """Operands and fields; the flags are set."""
  others: list[str] = list(given)
  fields: dict[str, str] = {}
  if command.takes_fields:
    others, fields = settings.split(given)
  command.flags.unparse_flags()  # a process may run it twice
  try:
    operands = command.flags(['', *others])[1:]
  except flags.UnrecognizedFlagError as error:
    raise UserError(_unknown_flag(error.flagname, command.flags)) from error
  except (flags.Error, ValueError) as error:
    raise UserError(str(error).splitlines()[0]) from error
  many = command.operands[-1:] and command.operands[-1].endswith('...')
  for extra in operands[len(command.operands) :] if not many else ():
    raise UserError(f'{extra}: is no flag; see --help')
  return operands, fields


def _unknown_flag(name: str, values: flags.FlagValues) -> str:
  near = difflib.get_close_matches(name, list(values), 1)
  hint = f' (did you mean --{near[0]}?)' if near else ''
  return f'--{name}: unknown flag{hint}; see --help'


def given_flags(values: flags.FlagValues) -> dict[str, str]:
  """The flags that were given, by name, each as `--NAME=VALUE`."""
  return {f.name: f.serialize() for f in listed(values) if f.present}


def needed(flag: flags.FlagHolder[str | None]) -> str:
  """The value of a flag that a command cannot do without.

  Raises:
    UserError: it was not given.
  """
  if not flag.value:
    raise UserError(f'--{flag.name}: missing; see --help')
  return flag.value


def command_text(
  name: str, given: Iterable[str], fields: Mapping[str, Any]
) -> str:
  """A command line that a shell reads: flags, then fields."""
  changes = [f'--config.{field}={value}' for field, value in fields.items()]
  return shlex.join(['dd-jax', name, *given, *changes])


@contextlib.contextmanager
def asking_for_dataset(given: str | None, what: str) -> Iterator[None]:
  """Asks for `--dataset` where the data that a file names are not found.

  Args:
    given: the flag's value; where there is one, it is at fault itself.
    what: came from those data.
  """
  try:
    yield
  except UserError as error:
    if given:
      raise
    raise UserError(f'--dataset: missing, and {what} from {error}') from error


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
  if 'labels' in found:
    lines.append(f'  labels: {labels(found)}')
  lines += [f'  {k}: {v}' for k, v in _once(found['baselines']).items()]
  if 'whole' in found:
    lines.append(f'  {_whole(found["whole"])}')
  for name, score in found['other_scores'].items():
    lines.append(f'test accuracy under {name}: {percent(score)}')
  told = metric_table.text(found)
  if told:
    lines.append(told)
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


def _whole(found: Mapping[str, Any]) -> str:
  """A learner of all the training images, or why there is none."""
  name = 'whole training set'
  if 'mean' not in found:
    return f'{name}: not scored ({found["left_out"]})'
  epochs = f', {found["epochs"]:.3g} epochs' if 'epochs' in found else ''
  return f'{name} ({found["runs"]}{epochs}): {percent(found)}'


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
  if text:
    print(text, file=sys.stderr)
  with contextlib.suppress(BrokenPipeError):
    sys.stdout.flush()
  sys.stderr.flush()
  os._exit(status)
