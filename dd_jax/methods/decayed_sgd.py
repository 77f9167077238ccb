"""SGD with momentum and weight decay, by which networks train on real data.

IDC (arXiv 2205.14959) and IDM (arXiv 2307.09742) have it in common.
"""

import optax

_RATE, _MOMENTUM, _DECAY = 0.01, 0.9, 5e-4

DECAYED_SGD = {
  'name': 'sgd',
  'learning_rate': _RATE,
  'momentum': _MOMENTUM,
  'weight_decay': _DECAY,
}
"""As a section of the configuration."""


def decayed_sgd() -> optax.GradientTransformation:
  """The optimiser of that section; the decay is part of the gradient."""
  return optax.chain(
    optax.add_decayed_weights(_DECAY), optax.sgd(_RATE, momentum=_MOMENTUM)
  )
