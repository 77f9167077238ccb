"""The start of `dd-jax`, before anything that takes time is imported."""

import os
import signal
import sys


def quiet_while_starting() -> None:
  """A Ctrl-C during the imports ends the program without a traceback.

  Where this package is the program that runs, `dd-jax` or `python -m dd_jax`;
  nothing is changed in programs that import it.
  """
  untouched = signal.getsignal(signal.SIGINT) is signal.default_int_handler
  if untouched and _is_program(getattr(sys, 'argv', [])):
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _is_program(argv: list[str]) -> bool:
  name = os.path.basename(argv[0]) if argv else ''
  # While `-m` looks for its module, that stands in for the name.
  as_module = name == '-m' and 'dd_jax' in sys.orig_argv
  return name == 'dd-jax' or as_module
