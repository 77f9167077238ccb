"""Signals that come while the main thread is deep in a compiled call."""

import signal
import subprocess
import sys
import threading

import pytest

from dd_jax.run.answer import answering

# A call that no signal interrupts and that lasts for minutes.
DEEP = """
import hashlib
from dd_jax.run.answer import answering
from dd_jax.run.interrupt import Signals
with answering(), Signals():
  print('deep', flush=True)
  hashlib.pbkdf2_hmac('sha256', b'', b'', 10**9)
"""


@pytest.mark.parametrize('signum', [signal.SIGINT, signal.SIGTERM])
def test_the_first_is_answered_and_the_second_ends(signum):
  with subprocess.Popen(
    [sys.executable, '-c', DEEP],
    stdout=subprocess.PIPE,
    stderr=subprocess.PIPE,
    text=True,
  ) as process:
    assert process.stdout.readline() == 'deep\n'
    process.send_signal(signum)
    said = process.stderr.readline()
    assert said == 'stopping after this step; again to stop now\n'
    assert process.poll() is None
    process.send_signal(signum)
    # Where Python's handler came first, a second SIGTERM acts as usual.
    ended = process.wait()
    assert ended in (128 + signum, -signal.SIGTERM)
    if ended > 0:
      assert process.stderr.read().startswith(f'{signum.name}: stopped')


def test_a_program_that_stops_by_itself_is_not_talked_over(capfd):
  with pytest.raises(KeyboardInterrupt), answering(600):
    signal.raise_signal(signal.SIGINT)
  assert capfd.readouterr().err == ''
  before = signal.set_wakeup_fd(-1)
  assert before == -1


def test_elsewhere_it_does_nothing():
  done = []

  def work():
    with answering():
      done.append('worked')

  thread = threading.Thread(target=work)
  thread.start()
  thread.join()
  assert done == ['worked']
