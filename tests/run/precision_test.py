"""What networks multiply in follows a name; kernels and solves do not."""

import re

import jax
import jax.numpy as jnp
import pytest

from dd_jax.kernels import dense_kernel
from dd_jax.networks import NETWORKS
from dd_jax.run import precision
from dd_jax.types import UserError


@pytest.fixture(autouse=True)
def told():
  """What JAX was told is told again after the test."""
  held = jax.config.jax_default_matmul_precision
  yield
  jax.config.update('jax_default_matmul_precision', held)


@pytest.mark.parametrize(
  ('backend', 'names', 'bad'),
  [
    ('cpu', ('float32',), 'tf32'),
    ('gpu', ('tf32', 'float32'), 'bfloat16'),
    ('tpu', ('bfloat16', 'float32'), 'tf32'),
  ],
)
def test_each_kind_of_device_has_its_own(backend, names, bad, monkeypatch):
  monkeypatch.setattr(jax, 'default_backend', lambda: backend)
  assert precision.chosen() == names[0]
  for name in names:
    precision.choose(name)
    assert precision.chosen() == name
  with pytest.raises(UserError, match=f'--precision={bad}: on a .*{names[0]}'):
    precision.choose(bad)
  with pytest.raises(UserError, match='--precision=half'):
    precision.choose('half')


def products(text):
  """`(convolutions, matrix products)`: what each is told of its precision."""
  named = r'.*precision_config = \[#stablehlo<precision (\w+)>'
  named_dot = r'.*precision = \[(\w+)'
  return (
    set(re.findall('stablehlo.convolution' + named, text)),
    set(re.findall('stablehlo.dot_general' + named_dot, text)),
  )


def lowered(function, *shapes):
  arguments = [jax.ShapeDtypeStruct(shape, jnp.float32) for shape in shapes]
  traced = jax.jit(function).trace(*arguments)
  return traced.lower(lowering_platforms=('cuda',)).as_text()


@pytest.mark.parametrize('name', ['tf32', 'float32'])
def test_layers_follow_it_there_and_back(name, monkeypatch):
  monkeypatch.setattr(jax, 'default_backend', lambda: 'gpu')
  precision.choose(name)
  network = NETWORKS['convnet']((8, 8, 3), 3, width=4)
  variables = jax.eval_shape(network.init, jax.random.key(0))
  zeros = jax.tree.map(lambda a: jnp.zeros(a.shape, a.dtype), variables)

  def loss(variables, image):
    return jnp.sum(network.apply(variables, image)[0].logits ** 2)

  text = lowered(jax.grad(lambda x: loss(zeros, x)), (2, 8, 8, 3))
  wanted = {'HIGHEST' if name == 'float32' else 'DEFAULT'}
  assert products(text) == (wanted, wanted)


def test_a_gram_matrix_does_not(monkeypatch):
  monkeypatch.setattr(jax, 'default_backend', lambda: 'gpu')
  precision.choose('tf32')
  kernel = dense_kernel()
  text = lowered(jax.grad(lambda x, y: jnp.sum(kernel(x, y))), (2, 9), (3, 9))
  assert products(text)[1] == {'HIGHEST'}
