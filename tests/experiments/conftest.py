"""Calls a command in this process or in its own; small inputs for it."""

import os
import pathlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import pytest

from dd_jax.networks import NETWORKS
from dd_jax.run import command_line, commands, registries


class Call(NamedTuple):
  """How a call of a command ended, and what it printed."""

  status: int
  error: str
  out: str


class _Left(Exception):
  """Stands for `os._exit`."""


@pytest.fixture
def call(monkeypatch, capfd, tmp_path) -> Callable[..., Call]:
  """`call('--ipc=0')`: `dd-jax distill`, in an empty working directory.

  `call('--artifact=x.npz', command='evaluate')` is another command.
  """

  def leave(text: str, status: int) -> None:
    raise _Left(text, status)

  def run(*arguments: str, command: str = 'distill') -> Call:
    status, error = 0, ''
    try:
      command_line.run(commands.load(command), arguments)
    except _Left as left:
      error, status = left.args
    printed = capfd.readouterr()
    return Call(status, error or printed.err, printed.out)

  monkeypatch.chdir(tmp_path)
  monkeypatch.setenv('DD_JAX_CACHE', str(tmp_path / 'cache'))
  monkeypatch.setattr(command_line, '_leave', leave)
  return run


@pytest.fixture(autouse=True)
def _networks_of_files() -> Iterator[None]:
  """Those that a test's flags register are gone after it."""
  held = NETWORKS, registries.ADDED
  before = [dict(registry) for registry in held]
  yield
  for registry, kept in zip(held, before, strict=True):
    registry.clear()
    registry.update(kept)


@pytest.fixture
def start(tmp_path) -> Callable[..., subprocess.Popen]:
  """`start('distill', '--ipc=0')`: a command in a process of its own."""

  def run(name: str, *arguments: str) -> subprocess.Popen:
    return subprocess.Popen(
      [sys.executable, '-m', 'dd_jax', name, *arguments],
      cwd=tmp_path,
      env=os.environ
      | {
        'PYTHONPATH': str(pathlib.Path(__file__).parents[2]),
        'DD_JAX_CACHE': str(tmp_path / 'cache'),
        'JAX_PLATFORMS': 'cpu',
      },
      stdout=subprocess.PIPE,
      stderr=subprocess.PIPE,
      text=True,
    )

  return run


@pytest.fixture
def tiny() -> tuple[str, ...]:
  """Flags of a run of seconds."""
  return (
    '--num_steps=6',
    '--ipc=1',
    '--config.validate_every=3',
    '--config.method.batch_size=50',
    '--config.evaluation.baselines=random',
    '--config.evaluation.others=',
    '--config.evaluation.whole=no',
    '--config.evaluation.learners=1',
  )


@pytest.fixture
def small_npz(tmp_path) -> Callable[..., str]:
  """`small_npz('mine', y_train=...)`: 4 classes of 8 x 8, or what is given."""

  def write(name: str = 'small', **changes: np.ndarray | None) -> str:
    label = np.arange(80) % 4
    image = np.random.default_rng(0).integers(0, 40, (80, 8, 8), np.uint8)
    image += (50 * label).astype(np.uint8)[:, None, None]
    arrays = {
      'x_train': image,
      'y_train': label,
      'x_test': image[:40],
      'y_test': label[:40],
      **changes,
    }
    path = str(tmp_path / f'{name}.npz')
    np.savez(path, **{k: v for k, v in arrays.items() if v is not None})
    return path

  return write
