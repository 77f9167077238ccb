"""How class labels become regression targets."""

from typing import NamedTuple

import jax

from dd_jax.checks import check_name

NAMES = ('one-hot', 'centred')


class LabelEncoding(NamedTuple):
  """A named affine code of class labels; hashable.

  Attributes:
    name: `one-hot`, or `centred`: one-hot minus `1/k`, so that rows sum to 0.
  """

  name: str = 'one-hot'

  def encode(self, one_hot: jax.Array) -> jax.Array:
    """Codes `[..., k]`: probabilities or one-hot rows to targets."""
    return one_hot - self._shift(one_hot.shape[-1])

  def decode(self, label: jax.Array) -> jax.Array:
    """Undoes `encode`."""
    return label + self._shift(label.shape[-1])

  def _shift(self, num_classes: int) -> float:
    return 1 / num_classes if self.name == 'centred' else 0.0


def label_encoding(name: str) -> LabelEncoding:
  """The encoding of that name.

  Raises:
    UserError: there is none.
  """
  check_name('label_encoding', name, NAMES)
  return LabelEncoding(name)
