"""Products with fewer bits: rounded operands everywhere, sums as they were."""

import functools

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import pytest

from dd_jax.networks.convolution import conv3x3
from experiments.benchmarks.rounding import rounded

BITS = 7  # of bfloat16


def bfloat16(x):
  return np.asarray(x).astype(ml_dtypes.bfloat16).astype(np.float64)


@pytest.fixture(scope='module')
def pair():
  rng = np.random.default_rng(0)
  return [rng.normal(size=(5, 5)).astype(np.float32) for _ in range(2)]


def close(found, wanted):
  np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)


def test_a_product_and_its_gradient(pair):
  x, w = pair
  close(rounded(jnp.matmul, BITS)(x, w), bfloat16(x) @ bfloat16(w))
  loss = lambda x, w: jnp.sum((x @ w) ** 2)
  found = rounded(jax.grad(loss), BITS)(x, w)
  slope = 2 * (bfloat16(x) @ bfloat16(w))
  close(found, bfloat16(slope.astype(np.float32)) @ bfloat16(w).T)


def test_a_precision_of_its_own_is_kept(pair):
  exact = functools.partial(jnp.matmul, precision=jax.lax.Precision.HIGHEST)
  np.testing.assert_array_equal(rounded(exact, BITS)(*pair), exact(*pair))


def test_all_bits_change_nothing(pair):
  found = rounded(jnp.matmul, 23)(*pair)
  np.testing.assert_array_equal(found, jnp.matmul(*pair))


def in_scan(x, w):
  return jax.lax.scan(lambda c, _: (c @ w, None), x, None, length=1)[0]


def in_loop(x, w):
  return jax.lax.fori_loop(0, 1, lambda _, c: c @ w, x)


def in_branch(x, w):
  return jax.lax.cond(x[0, 0] < 9, lambda: x @ w, lambda: x)


INSIDE = {
  'scan': in_scan,
  'while': in_loop,
  'cond': in_branch,
  'jit': jax.jit(jnp.matmul),
  'checkpoint': jax.checkpoint(jnp.matmul),
}


@pytest.mark.parametrize('name', INSIDE)
def test_products_inside_are_found(pair, name):
  found = rounded(INSIDE[name], BITS)(*pair)
  close(found, bfloat16(pair[0]) @ bfloat16(pair[1]))


def test_our_convolution_there_and_back():
  rng = np.random.default_rng(1)
  x = rng.normal(size=(2, 4, 4, 3)).astype(np.float32)
  w = rng.normal(size=(3, 3, 3, 2)).astype(np.float32)
  half = lambda a: bfloat16(a).astype(np.float32)
  close(rounded(conv3x3, BITS)(x, w), conv3x3(half(x), half(w)))
  g = rng.normal(size=(2, 4, 4, 2)).astype(np.float32)
  pull = lambda w, g: jax.vjp(lambda w: conv3x3(x, w), w)[1](g)[0]
  wanted = jax.vjp(lambda w: conv3x3(half(x), w), w)[1](half(g))[0]
  close(rounded(pull, BITS)(w, g), wanted)
