"""How exactly networks multiply, by name, for the whole process.

Convolutions and dense layers follow it, forward and backward; parameters,
statistics and all sums are float32. Gram matrices, solves and decoders name
their own precision, the highest, and so do not.
"""

import jax

from dd_jax.types import UserError

EXACT = 'float32'
_OWN = {'cpu': EXACT, 'gpu': 'tf32', 'tpu': 'bfloat16'}
"""What each kind of device multiplies in, left to itself: float32 with a
mantissa of 23 bits, of 10, or of 7, always added up in float32."""
_SETTING = 'jax_default_matmul_precision'
_OF_JAX = ('float32', 'highest')  # what the exact one is called there


def choose(name: str) -> None:
  """Sets it for what is traced from here on.

  Args:
    name: 'float32', or the device's own: 'tf32' on a GPU, 'bfloat16' on a TPU.

  Raises:
    UserError: this kind of device has no such precision.
  """
  backend = jax.default_backend()
  allowed = tuple(dict.fromkeys((EXACT, _OWN.get(backend, EXACT))))
  if name not in allowed:
    raise UserError(
      f'--precision={name}: on a {backend.upper()}, allowed are '
      f'{", ".join(allowed)}'
    )
  exact = name == EXACT and allowed != (EXACT,)
  jax.config.update(_SETTING, EXACT if exact else None)


def chosen() -> str:
  """The precision in use; as JAX calls it where it was told otherwise."""
  held = getattr(jax.config, _SETTING)
  if held in (None, 'default'):
    return _OWN.get(jax.default_backend(), EXACT)
  return EXACT if held in _OF_JAX else str(held)
