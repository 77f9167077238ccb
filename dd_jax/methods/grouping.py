"""How many images, and how many classes, pass through a network at once."""

from collections.abc import Callable
from typing import TypeVar

import jax

from dd_jax.types import PyTree

T = TypeVar('T')

_CLASSES = 32  # whose gradients an accelerator takes at once


def real_chunk() -> int:
  """Real images of one class whose activations are held at once.

  Eight are the fastest on a CPU at width 128 (32: a fifth slower); an
  accelerator takes several classes together.
  """
  return 8 if jax.default_backend() == 'cpu' else 64


def each_class(function: Callable[..., T], *args: PyTree) -> T:
  """Maps over classes in one program: in groups that an accelerator fills.

  One by one on a CPU, where a batch of networks' gradients is slower.

  Args:
    function: of one class's arguments.
    *args: trees of arrays `[k, ...]`.

  Returns:
    What `function` gives, stacked: `[k, ...]`.
  """
  together = None if jax.default_backend() == 'cpu' else _CLASSES
  result: T = jax.lax.map(
    lambda each: function(*each), args, batch_size=together
  )
  return result
