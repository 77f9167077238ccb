"""What the labels of a distilled set can be used as.

| use | what | for |
|---|---|---|
| `regression` | centred: an unlearned row sums to 0 | squared error |
| `probabilities` | 0 or more, rows sum to 1 | cross-entropy |
| `classes` | the largest entry of each row | anything that wants one class |

Learned labels are any numbers: a cross-entropy under labels below 0 has no
lower bound, and under centred labels it trains on next to nothing.
"""

import jax
import jax.numpy as jnp
import numpy as np

from dd_jax.checks import check_name
from dd_jax.data.labels import LabelEncoding, label_encoding
from dd_jax.types import UserError

USES = ('probabilities', 'classes', 'regression')
_CLOSE = 1e-3  # of a row's sum to 1; probabilities are stored in float32


def targets(
  label: jax.Array | np.ndarray, encoding: str, use: str
) -> np.ndarray:
  """Converts stored labels to what a learner wants.

  Args:
    label: `[n, k]`, in `encoding`.
    encoding: `one-hot` or `centred`.
    use: one of `USES`.

  Returns:
    float32 `[n, k]`; of `classes`, int64 `[n]`.

  Raises:
    UserError: an unknown name, or labels that are not what is asked for.
  """
  check_name('targets', use, USES)
  code, held = label_encoding(encoding), jnp.asarray(label, jnp.float32)
  if use == 'classes':
    return _classes(np.asarray(held))
  if use == 'probabilities':
    return _probabilities(np.asarray(code.decode(held)))
  if code.name == 'one-hot':
    held = LabelEncoding('centred').encode(held)
  return np.asarray(held)


def loss(label: np.ndarray, encoding: str) -> str:
  """The loss under which stored labels can be used as they are.

  Returns:
    `cross-entropy` of one-hot labels of which none is below 0, `squared error`
    of all others.

  Raises:
    UserError: there is no such encoding.
  """
  name = label_encoding(encoding).name
  plain = name == 'one-hot' and np.min(label, initial=0) >= 0
  return 'cross-entropy' if plain else 'squared error'


def _classes(label: np.ndarray) -> np.ndarray:
  ties = np.sum(label == label.max(1, keepdims=True), 1) > 1
  if ties.any():
    raise UserError(
      f"targets='classes': image {ties.argmax()} belongs to several classes "
      "alike; use 'probabilities' or 'regression'"
    )
  return np.argmax(label, 1).astype(np.int64)


def _probabilities(label: np.ndarray) -> np.ndarray:
  # What is 0 comes back from its code with a rounding error.
  low, total = label.min(1), label.sum(1)
  wrong = (low < -_CLOSE) | (np.abs(total - 1) > _CLOSE)
  if wrong.any():
    i = int(wrong.argmax())
    raise UserError(
      f"targets='probabilities': the label of image {i} has entries from "
      f'{low[i]:.3g} and sums to {total[i]:.3g}; learned labels are any '
      "numbers: use 'regression' with squared error, or 'classes'"
    )
  return np.maximum(label, 0).astype(np.float32)
