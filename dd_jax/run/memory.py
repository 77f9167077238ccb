"""Out of memory, however it is said, in one line that tells what to lower."""

import contextlib
from collections.abc import Callable, Iterator

import jax

from dd_jax.run.fields import flat
from dd_jax.run.recipe import Config, expert_span, takes
from dd_jax.types import UserError

_SIZES = (
  'ipc',
  'image_size',
  'batch_size',
  'inner_batch_size',
  'support_batch',
  'inner_steps',
  'pool_size',
  'queue_size',
  'networks',
  'width',
  'learners',
  'at_once',
)  # what memory grows with, by the last part of a field's name
_FLAGS = ('ipc', 'image_size')  # have short names
_SHOWN = 4


@contextlib.contextmanager
def told(config: Config, kept: Callable[[], str] = str) -> Iterator[None]:
  """Turns "out of memory" into a `UserError` that names the largest sizes.

  Args:
    config: of what is done inside, or the sections of it that matter.
    kept: asked afterwards what of the work is not lost; for the line's end.
  """
  try:
    yield
  except Exception as error:
    if not exhausted(error):
      raise
    what = ' '.join(str(error).split())
    raise UserError(
      f'out of memory ({what[:120]}): lower {", ".join(sizes(config))}{kept()}'
    ) from error


def exhausted(error: BaseException) -> bool:
  """Whether memory was short, or an array would be larger than can be."""
  if isinstance(error, MemoryError | OverflowError):
    return True
  said = str(error)
  return isinstance(error, jax.errors.JaxRuntimeError) and (
    'RESOURCE_EXHAUSTED' in said or 'ut of memory' in said
  )


def sizes(config: Config) -> list[str]:
  """The fields that memory grows with, as flags, the largest values first."""
  held = {
    name: value
    for name, value in flat(_in_use(config)).items()
    if name.rpartition('.')[2] in _SIZES and value
  }
  largest = sorted(held, key=lambda name: -held[name])[:_SHOWN]
  flags = (n if n in _FLAGS else f'config.{n}' for n in largest)
  return [f'--{f}={held[n]}' for f, n in zip(flags, largest, strict=True)]


def _in_use(config: Config) -> Config:
  """Without the sections that the method does not read."""
  if 'method' not in config:
    return config
  unused = {'kernel'}  # its width is a scale
  if not takes(config['method']['name'], 'network'):
    unused.add('network')
  if expert_span(config) is None:
    unused.add('experts')
  return {k: v for k, v in config.items() if k not in unused}
