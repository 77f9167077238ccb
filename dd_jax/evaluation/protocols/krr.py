"""Exact kernel ridge regression, as KIP has it."""

import jax
import jax.numpy as jnp

from dd_jax.data.source import Source
from dd_jax.evaluation.protocols.base import Protocol, Setting, centred
from dd_jax.evaluation.regression import kernel_predictions
from dd_jax.evaluation.tester import Tester
from dd_jax.types import Key, LabeledData


def ntk(setting: Setting) -> Protocol:
  """Kernel ridge regression with the exact NTK (arXiv 2011.00050)."""
  return _krr('ntk', setting)


def nngp(setting: Setting) -> Protocol:
  """Kernel ridge regression with the exact NNGP (arXiv 2011.00050)."""
  return _krr('nngp', setting)


def _krr(get: str, setting: Setting) -> Protocol:
  exact = kernel_predictions(setting.kernel(get), setting.ridge)

  def predict(keys: Key, data: LabeledData, real: Source) -> jax.Array:
    return jnp.broadcast_to(exact(data, real), (len(keys), len(real)))

  return Protocol(f'krr-{get}', centred(setting, Tester(predict)), exact=True)
