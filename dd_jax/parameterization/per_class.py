"""How many images of each class a set holds: as many of each, or not."""

from collections.abc import Callable
from typing import TypeAlias, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from dd_jax.checks import check_least
from dd_jax.types import UserError

PerClass: TypeAlias = int | tuple[int, ...]
"""Images of every class; or of each in turn, in label order."""

Rows = TypeVar('Rows', jax.Array, np.ndarray)


def check_per_class(ipc: PerClass) -> None:
  """Refuses a class without images.

  Raises:
    UserError: there is one.
  """
  check_least(1, ipc=ipc if isinstance(ipc, int) else min(ipc, default=0))


def class_index(ipc: PerClass, num_classes: int) -> jax.Array:
  """The class of each image of a class-major set: int32 `[n]`.

  Raises:
    UserError: `ipc` is of another number of classes.
  """
  if not isinstance(ipc, int) and len(ipc) != num_classes:
    raise UserError(f'ipc={ipc}: must be {num_classes} numbers, one per class')
  return jnp.asarray(np.repeat(np.arange(num_classes, dtype=np.int32), ipc))


def of_each(make: Callable[[int], Rows], ipc: PerClass) -> Rows:
  """What `make` chooses of each class, class-major: `[n, ...]`.

  Where classes differ it is called once for every number among them, and its
  rows of the classes of that number are kept.

  Args:
    make: `count -> [k * count, ...]`, class-major.
    ipc: images per class.
  """
  if isinstance(ipc, int):
    return make(ipc)
  made = {count: make(count) for count in sorted(set(ipc))}
  rows = [made[n][c * n : (c + 1) * n] for c, n in enumerate(ipc)]
  join = np.concatenate if isinstance(rows[0], np.ndarray) else jnp.concatenate
  return join(rows)
