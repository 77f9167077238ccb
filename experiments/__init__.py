"""Benchmarks and their results, and `dd-jax` as modules of a checkout."""

import signal
import sys

# `python -m experiments.NAME` imports this first: a Ctrl-C during the imports
# that follow ends it without a traceback.
if sys.argv[0] == '-m' and (
  signal.getsignal(signal.SIGINT) is signal.default_int_handler
):
  signal.signal(signal.SIGINT, signal.SIG_DFL)
