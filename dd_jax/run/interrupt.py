"""SIGINT and SIGTERM: noticed at once, acted upon where nothing is lost."""

import concurrent.futures
import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType, TracebackType
from typing import Any, TypeVar

_T = TypeVar('_T')


class Stop(Exception):
  """A signal, on its way from where it was noticed to `distill`."""

  def __init__(self, signum: int) -> None:
    super().__init__(signum)
    self.signum = signum


class Signals:
  """Notes SIGINT and SIGTERM while it is open; a second one acts as usual."""

  def __init__(self) -> None:
    self._received: int | None = None
    self._raise_at_once = False
    self._previous: dict[int, Any] = {}

  def __enter__(self) -> 'Signals':
    if threading.current_thread() is threading.main_thread():
      for signum in (signal.SIGINT, signal.SIGTERM):
        self._previous[signum] = signal.signal(signum, self._handle)
    return self

  def __exit__(
    self,
    kind: type[BaseException] | None,
    error: BaseException | None,
    traceback: TracebackType | None,
  ) -> None:
    self._give_back()

  def check(self) -> None:
    """Raises `Stop` if a signal has come."""
    if self._received is not None:
      raise Stop(self._received)

  @contextlib.contextmanager
  def raising(self) -> Iterator[None]:
    """Inside, a signal raises `Stop` where it finds the program."""
    self._raise_at_once = True
    try:
      self.check()
      yield
    finally:
      self._raise_at_once = False

  def _handle(self, signum: int, frame: FrameType | None) -> None:
    self._received = signum
    self._give_back()
    if self._raise_at_once:
      raise Stop(signum)

  def _give_back(self) -> None:
    for signum, handler in self._previous.items():
      signal.signal(signum, handler)
    self._previous = {}


def interruptible(work: Callable[[], _T]) -> _T:
  """Does long work that no signal can stop, in a thread that can be left.

  Raises:
    Stop: a signal came; the work goes on.
  """
  with Signals() as signals:
    return in_thread(work, signals)


def in_thread(work: Callable[[], _T], signals: Signals) -> _T:
  """The result of `work`, or `Stop` as soon as a signal comes: work goes on.

  No signal is handled while XLA is at work in the thread that signals reach.
  The thread is no daemon: an interpreter that ends under a compilation aborts.
  Who cannot wait for it leaves by `os._exit`.
  """
  done: concurrent.futures.Future[_T] = concurrent.futures.Future()

  def run() -> None:
    try:
      done.set_result(work())
    except BaseException as error:
      done.set_exception(error)

  threading.Thread(target=run).start()
  while not done.done():
    concurrent.futures.wait([done], timeout=0.05)
    signals.check()
  return done.result()
