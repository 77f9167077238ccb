"""What goes on, told where it takes longer than a moment."""

import contextlib
import itertools
import threading
from collections.abc import Iterator, Sequence

from dd_jax.run.writers import Writer

PATIENCE = 1.0
"""Seconds that may pass without a line."""


def tell(writers: Sequence[Writer], lines: Sequence[str]) -> None:
  """Every line, to every writer."""
  for writer, line in itertools.product(writers, lines):
    writer.message(line)


@contextlib.contextmanager
def told(
  writers: Sequence[Writer], what: str, patience: float = PATIENCE
) -> Iterator[None]:
  """Says what goes on inside, where it is not over within `patience`.

  Args:
    writers: told from another thread.
    what: a line.
    patience: in seconds.
  """
  timer = threading.Timer(patience, tell, (writers, [f'{what} ...']))
  timer.daemon = True
  timer.start()
  try:
    yield
  finally:
    timer.cancel()
