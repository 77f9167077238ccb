"""The laws of this package, for parts of your own.

    from dd_jax import testing

    testing.check_method(lambda: mine(pixels(2), optax.sgd(0.1), batch_size=8))

A check raises an AssertionError that names the law and what was seen; in pytest
a line like the one above is a whole test. The laws of methods can be called one
by one, on a `case` that is made and compiled once: `laws` (the protocol),
`programs` (in someone else's program), `devices` (one device against two) and
`exported` (as an accelerator gets it).
"""

from dd_jax.testing import devices, exported, laws, programs
from dd_jax.testing.cases import Case, case, run, toy_source
from dd_jax.testing.kernel import check_kernel
from dd_jax.testing.method import LAWS, PROGRAMS, check_method
from dd_jax.testing.network import check_network
from dd_jax.testing.parameterization import check_parameterization
from dd_jax.testing.protocol import check_protocol
from dd_jax.testing.selection import check_selection

__all__ = [
  'LAWS',
  'PROGRAMS',
  'Case',
  'case',
  'check_kernel',
  'check_method',
  'check_network',
  'check_parameterization',
  'check_protocol',
  'check_selection',
  'devices',
  'exported',
  'laws',
  'programs',
  'run',
  'toy_source',
]
