r"""Teachers: networks that label every view that a learner is shown.

A learner under a teacher is never told the labels of its set. At every step the
teacher, trained once on the real training split, looks at the very images that
the learner sees, augmented and mixed, and the learner follows what it says
(consistent teaching: Beyer et al., arXiv 2106.05237; of distilled sets: Yin et
al., SRe2L, arXiv 2306.13092). With a temperature `T` (Hinton et al., arXiv
1503.02531) the loss is

.. math:: T^2 \, CE(softmax(t / T), softmax(s / T))

of the teacher's logits `t` and the learner's `s`: the Kullback-Leibler
divergence plus a constant, with the same gradient.
"""

from typing import NamedTuple

import jax

from dd_jax.networks import Network
from dd_jax.training import Loss
from dd_jax.types import PyTree


class Teacher(NamedTuple):
  """A trained network that labels images.

  Attributes:
    network: whose logits are asked.
    variables: its own.
    temperature: of its softmax, and of the learner's.
  """

  network: Network
  variables: PyTree
  temperature: float = 1.0

  def label(self, image: jax.Array) -> jax.Array:
    """Probabilities `[n, k]` of `image [n, h, w, c]`, softened."""
    logits = self.network.apply(self.variables, image)[0].logits
    return jax.nn.softmax(logits / self.temperature)

  def softened(self, loss: Loss) -> Loss:
    """A cross-entropy of logits, at this temperature."""
    t = self.temperature
    return lambda logits, label: t**2 * loss(logits / t, label)
