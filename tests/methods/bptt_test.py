"""BPTT: what it refuses."""

import functools

import jax
import jax.numpy as jnp
import pytest
from unrolled import made, source

from dd_jax.methods.bptt import bptt
from dd_jax.types import UserError


def test_auto_refuses_a_budget_that_nothing_fits():
  method = made(bptt, plan='auto', memory=1e-9)
  state = method.init(jax.random.key(0), source())
  batch = method.sample(jax.random.key(1), jnp.int32(0), source())
  update = functools.partial(method.update, jax.random.key(2), jnp.int32(0))
  with pytest.raises(UserError, match='no plan of the unroll fits'):
    jax.eval_shape(update, state, batch)


@pytest.mark.parametrize(
  'settings, words',
  [
    ({'plan': 'fast'}, "plan='fast': unknown; allowed are plain, "),
    ({'plan': 'auto', 'memory': 0.0}, 'memory=0.0'),
    ({'inner_steps': 0}, 'inner_steps=0'),
    ({'networks': 0}, 'networks=0'),
  ],
)
def test_refused_before_any_compute(settings, words):
  with pytest.raises(UserError) as error:
    made(bptt, **settings)
  assert words in str(error.value) and '\n' not in str(error.value)
