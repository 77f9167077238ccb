"""Exact kernel ridge regression, as KIP has it."""

import jax
import jax.numpy as jnp

from dd_jax.data.source import Source
from dd_jax.evaluation.protocols.base import Protocol, Setting, centred
from dd_jax.evaluation.regression import kernel_test
from dd_jax.types import Key, LabeledData


def ntk(setting: Setting) -> Protocol:
  """Kernel ridge regression with the exact NTK (arXiv 2011.00050)."""
  return _krr('ntk', setting)


def nngp(setting: Setting) -> Protocol:
  """Kernel ridge regression with the exact NNGP (arXiv 2011.00050)."""
  return _krr('nngp', setting)


def _krr(get: str, setting: Setting) -> Protocol:
  exact = kernel_test(setting.kernel(get), setting.ridge)

  def test(keys: Key, data: LabeledData, real: Source) -> jax.Array:
    return jnp.broadcast_to(exact(data, real), (len(keys),))

  return Protocol(f'krr-{get}', centred(setting, test), exact=True)
