"""The neural-tangents adapter: refuses in a line, or loads and is right."""

import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dd_jax.kernels import neural_tangents
from dd_jax.types import UserError


def run(code: str) -> str:
  """The standard output of a fresh interpreter."""
  return subprocess.run(
    [sys.executable, '-c', code], capture_output=True, text=True, check=True
  ).stdout


def test_absence_is_said_in_one_line():
  out = run(
    'import sys\n'
    'class Blind:\n'
    '  def find_spec(self, name, path=None, target=None):\n'
    "    if name == 'neural_tangents':\n"
    '      raise ModuleNotFoundError(f"No module named {name}", name=name)\n'
    'sys.meta_path.insert(0, Blind())\n'
    'from dd_jax.kernels import neural_tangents\n'
    'try:\n'
    '  neural_tangents.load()\n'
    'except neural_tangents.UserError as error:\n'
    '  print(error)\n'
  )
  assert len(out.splitlines()) == 1
  assert neural_tangents.INSTALL in out


def test_an_import_that_fails_is_said_in_one_line_and_undone(
  tmp_path, monkeypatch
):
  package = tmp_path / 'neural_tangents'
  package.mkdir()
  (package / '__init__.py').write_text(
    'from jax.core import Jaxpr\n'
    'from jax.util import safe_map\n'
    'from . import experimental\n'
    "raise AttributeError('first line\\nsecond line')\n"
  )
  for name in list(sys.modules):
    if name.split('.')[0] == 'neural_tangents':
      monkeypatch.delitem(sys.modules, name)
  monkeypatch.syspath_prepend(tmp_path)
  with pytest.raises(UserError) as error:
    neural_tangents.load()
  assert '\n' not in str(error.value)
  for words in ('first line', jax.__version__):
    assert words in str(error.value)
  assert 'neural_tangents' not in sys.modules
  assert 'neural_tangents.experimental' not in sys.modules
  assert_jax_is_as_it_was()


def assert_jax_is_as_it_was() -> None:
  assert 'jax.util' not in sys.modules
  assert 'Jaxpr' not in vars(sys.modules['jax.core'])
  assert 'zeros_like_p' not in vars(sys.modules['jax.interpreters.ad'])


@pytest.fixture(scope='module')
def nt():
  try:
    return neural_tangents.load()
  except UserError as error:
    pytest.skip(str(error))


def arccos_ntk(x: np.ndarray, weight: float, bias: float) -> np.ndarray:
  """NTK of Dense - Relu - Dense in float64, from Cho & Saul's formulas."""
  base = weight * x @ x.T / x.shape[1] + bias
  norm = np.sqrt(np.diag(base))
  cosine = np.clip(base / np.outer(norm, norm), -1, 1)
  angle = np.arccos(cosine)
  moment = (np.sin(angle) + (np.pi - angle) * cosine) / (2 * np.pi)
  nngp = weight * np.outer(norm, norm) * moment + bias
  return nngp + weight * (np.pi - angle) / (2 * np.pi) * base


@pytest.mark.slow
def test_the_kernel_is_the_formula(nt):
  weight, bias = 2.0, 0.1
  network = nt.stax.serial(
    nt.stax.Dense(1, W_std=weight**0.5, b_std=bias**0.5),
    nt.stax.Relu(),
    nt.stax.Dense(1, W_std=weight**0.5, b_std=bias**0.5),
  )
  x = np.random.default_rng(0).normal(size=(6, 9)).astype(np.float32)
  got = network[2](x, x, 'ntk')
  want = arccos_ntk(x.astype(np.float64), weight, bias)
  np.testing.assert_allclose(got, want, rtol=2e-4)
  batched = nt.batch(network[2], batch_size=3)(x, x, 'ntk')
  np.testing.assert_allclose(batched, got, rtol=2e-4)


@pytest.mark.slow
def test_wide_networks_approach_the_kernel(nt):
  init, apply, kernel = nt.stax.serial(
    nt.stax.Dense(8192, W_std=1.4, b_std=0.1),
    nt.stax.Relu(),
    nt.stax.Dense(1, W_std=1.4, b_std=0.1),
  )
  x = jnp.asarray(np.random.default_rng(1).normal(size=(5, 7)), jnp.float32)
  _, parameters = init(jax.random.key(0), x.shape)
  empirical = nt.empirical_ntk_fn(apply)(x, None, parameters)
  np.testing.assert_allclose(empirical, kernel(x, x, 'ntk'), atol=0.15)


@pytest.mark.slow
def test_a_convolutional_kernel_runs_and_has_gradients(nt):
  kernel = nt.stax.serial(
    nt.stax.Conv(1, (3, 3), padding='SAME'),
    nt.stax.Relu(),
    nt.stax.AvgPool((2, 2)),
    nt.stax.Flatten(),
    nt.stax.Dense(1),
  )[2]
  x = jnp.asarray(np.random.default_rng(2).normal(size=(2, 4, 4, 1)))
  slope = jax.grad(lambda x: kernel(x, x, 'ntk').sum())(x)
  assert jnp.isfinite(slope).all() and jnp.any(slope != 0)


@pytest.mark.slow
def test_loading_leaves_jax_as_it_was_and_tensorflow_out(nt):
  assert nt is neural_tangents.load()
  assert_jax_is_as_it_was()
  assert 'neural_tangents.experimental' not in sys.modules
  out = run(
    'import sys\n'
    'from dd_jax.kernels import neural_tangents\n'
    'neural_tangents.load()\n'
    "print([m for m in ('tensorflow', 'tf2jax', 'torch') if m in sys.modules])"
  )
  assert out.strip() == '[]'
