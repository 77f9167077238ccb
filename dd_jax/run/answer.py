"""A signal is answered at once, whatever the program is at.

Python's own handlers wait for the end of a compiled call, which may take half a
minute. The one below them does not: it writes the signal's number to a socket,
where a thread waits for it.
"""

import contextlib
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextlib.contextmanager
def answering(patience: float = 0.5) -> Iterator[None]:
  """Says that a first SIGINT or SIGTERM was heard; ends at a second.

  For a program's main thread; elsewhere it does nothing. The process ends with
  the status that a shell expects, and without its `finally` clauses.

  Args:
    patience: seconds; what has stopped by then needs no words.
  """
  if threading.current_thread() is not threading.main_thread():
    yield
    return
  here, there = socket.socketpair()
  there.setblocking(False)
  before = signal.set_wakeup_fd(there.fileno(), warn_on_full_buffer=False)
  over = threading.Event()
  listener = threading.Thread(
    target=_listen, args=(here, over, patience), daemon=True
  )
  listener.start()
  try:
    yield
  finally:
    over.set()
    signal.set_wakeup_fd(before)
    there.close()
    listener.join()
    here.close()


def _listen(
  heard: socket.socket, over: threading.Event, patience: float
) -> None:
  first = True
  while number := heard.recv(1):
    if number[0] not in _SIGNALS:
      continue
    if not first:
      _leave(signal.Signals(number[0]))
    first = False
    if not over.wait(patience):
      print(
        'stopping after this step; again to stop now',
        file=sys.stderr,
        flush=True,
      )


def _leave(signum: signal.Signals) -> None:
  """Ends the process: the main thread may be long in a compiled call."""
  print(
    f'{signum.name}: stopped; --resume continues from the last checkpoint',
    file=sys.stderr,
    flush=True,
  )
  os._exit(128 + signum)
