"""Exact kernel ridge regression, as KIP has it."""

from dd_jax.evaluation.protocols.base import Protocol, Setting, centred
from dd_jax.evaluation.regression import kernel_tester


def ntk(setting: Setting) -> Protocol:
  """Kernel ridge regression with the exact NTK (arXiv 2011.00050)."""
  return _krr('ntk', setting)


def nngp(setting: Setting) -> Protocol:
  """Kernel ridge regression with the exact NNGP (arXiv 2011.00050)."""
  return _krr('nngp', setting)


def _krr(get: str, setting: Setting) -> Protocol:
  kernel = setting.kernel(get)
  exact = kernel_tester(kernel, setting.ridge, setting.platform)
  return Protocol(f'krr-{get}', centred(setting, exact), exact=True)
