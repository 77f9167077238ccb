"""What tests share: real data sets, where they are nearby, and settings."""

import importlib.util
import os
import pathlib
import subprocess
import sys
import tempfile
import types
from collections.abc import Callable, Iterator

import jax
import jaxlib
import numpy as np
import pytest

_SHARED = pathlib.Path(__file__).parents[2] / 'shared' / 'data'

# A flag that jaxlib does not know ends the process: only where each is known.
_JAXLIB = tuple(map(int, jaxlib.__version__.split('.')[:2]))
_INEXACT = '--xla_cpu_use_fusion_emitters=false'  # in float64, unoptimised
_COMPILER = {
  '--xla_cpu_opt_preset=FAST_COMPILE': ((0, 10), (0, 12)),
  _INEXACT: ((0, 10), (0, 10)),
}
_TWO_DEVICES = '--xla_force_host_platform_device_count=2'


def _flags(*more: str) -> str:
  """`XLA_FLAGS` as they are, and more of them."""
  return ' '.join([os.environ.get('XLA_FLAGS', ''), *more]).strip()


def pytest_addoption(parser: pytest.Parser) -> None:
  parser.addoption(
    '--optimised', action='store_true', help='compile programs as users do'
  )


def _quick(config: pytest.Config) -> bool:
  """Whether programs are compiled quickly: not those of slow tests, which run.

  A convolutional kernel takes 20 times as long where nothing is optimised.
  """
  slow = config.getoption('markexpr') == 'slow'
  return not (slow or config.getoption('optimised'))


def pytest_configure(config: pytest.Config) -> None:
  """Tiny programs, run a few times: compiling them is all the cost.

  Each is compiled once, in a folder for each worker (an entry is not written
  atomically), and quickly; what a test starts does the same.
  """
  if _quick(config):
    known = [f for f, (a, b) in _COMPILER.items() if a <= _JAXLIB <= b]
    os.environ['XLA_FLAGS'] = _flags(*known)
    os.environ['JAX_DISABLE_MOST_OPTIMIZATIONS'] = 'true'
    jax.config.update('jax_disable_most_optimizations', True)
  folder = tempfile.TemporaryDirectory(ignore_cleanup_errors=True)
  config.add_cleanup(folder.cleanup)
  jax.config.update('jax_compilation_cache_dir', folder.name)
  jax.config.update('jax_persistent_cache_min_compile_time_secs', 0.0)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
  """Tests of a group follow one another: what they share is made once.

  Processes are given neighbours, so that this holds in each of them too.
  """
  place: dict[str, int] = {}
  for i, item in enumerate(items):
    place.setdefault(_group(item), i)
  items.sort(key=lambda item: place[_group(item)])


def _group(item: pytest.Item) -> str:
  marker = item.get_closest_marker('xdist_group')
  return marker.args[0] if marker else item.nodeid


@pytest.fixture(scope='module', autouse=True)
def _forget() -> Iterator[None]:
  """Programs of a module are let go of: all together they take gigabytes."""
  yield
  jax.clear_caches()


@pytest.fixture(scope='session')
def real_data() -> Callable[[str], dict[str, np.ndarray]]:
  """`real_data('mnist')`: `x_train, y_train, x_test, y_test`, or a skip.

  Images are uint8 `[n, h, w, c]`, labels uint8 `[n]`, in the original order.
  """
  cache: dict[str, dict[str, np.ndarray]] = {}

  def get(name: str) -> dict[str, np.ndarray]:
    if name not in cache:
      cache[name] = _datapack().load(name)
    return cache[name]

  return get


@pytest.fixture(scope='session')
def real_npz(
  real_data: Callable[[str], dict[str, np.ndarray]],
  tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[str], str]:
  """`real_npz('mnist')`: the same as a file for `--dataset`, or a skip."""

  def get(name: str) -> str:
    path = tmp_path_factory.getbasetemp() / 'real' / f'{name}.npz'
    if not path.exists():
      path.parent.mkdir(exist_ok=True)
      data = real_data(name)
      keys = ('x_train', 'y_train', 'x_test', 'y_test')
      np.savez(path, **{k: data[k] for k in keys})
    return str(path)

  return get


def _datapack() -> types.ModuleType:
  path = _SHARED / 'datapack.py'
  if not path.exists():
    pytest.skip('the real data sets are not at ../shared/data')
  spec = importlib.util.spec_from_file_location('datapack', path)
  assert spec is not None and spec.loader is not None
  module = importlib.util.module_from_spec(spec)
  spec.loader.exec_module(module)
  return module


@pytest.fixture(scope='session')
def on_two_devices() -> Callable[..., str]:
  """`on_two_devices(script)`: what a Python process with two devices prints.

  Devices can only be chosen before JAX starts.
  """

  def run(*arguments: str) -> str:
    done = subprocess.run(
      [sys.executable, *arguments],
      env={
        **os.environ,
        'JAX_PLATFORMS': 'cpu',
        'PYTHONPATH': os.pathsep.join(sys.path),
        'XLA_FLAGS': _flags(_TWO_DEVICES).replace(_INEXACT, ''),
      },
      capture_output=True,
      text=True,
      check=False,
      timeout=1200,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout

  return run


@pytest.fixture
def x64() -> Iterator[None]:
  """Float64 for one test."""
  with jax.enable_x64(True):
    yield


@pytest.fixture
def optimised(pytestconfig: pytest.Config) -> Iterator[None]:
  """The compiler as users have it, for one test."""
  jax.config.update('jax_disable_most_optimizations', False)
  yield
  jax.config.update('jax_disable_most_optimizations', _quick(pytestconfig))
