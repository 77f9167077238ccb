"""The types that everything else speaks. Imports nothing of ours."""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import jax

Key: TypeAlias = jax.Array
"""A typed PRNG key, as `jax.random.key` makes it."""
PyTree: TypeAlias = Any
"""Any nesting of tuples, lists, dicts and dataclasses of arrays."""
Metrics: TypeAlias = dict[str, jax.Array]
"""Scalars under fixed names."""
Kernel: TypeAlias = Callable[[jax.Array, jax.Array | None], jax.Array]
"""`(x1 [n, ...], x2 [m, ...]) -> K [n, m]`; None stands for `x1` again."""
Augment: TypeAlias = Callable[[Key, jax.Array], jax.Array]
"""`(key, images [n, h, w, c]) -> images`; same key, same transform."""


class LabeledData(NamedTuple):
  """Images and what they are called.

  Attributes:
    image: `[n, h, w, c]`, in model space (preprocessed, float).
    label: `[n, k]`: one-hot, centred, soft or learned.
  """

  image: jax.Array
  label: jax.Array


class DistilledData(NamedTuple):
  """A distilled set: what a learner needs in order to train on it.

  Attributes:
    image: `[n, h, w, c]` in model space, class-major.
    label: `[n, k]`.
    step_size: learned inner step size(s), or None. A scalar; or `[epochs,
      batches]`, one for each step: batch `b` of `m` is images `b, b + m, ...`,
      in this order.
    temperature: learned logit scale, scalar, or None.
    num_steps: how many steps a learner takes, int32 scalar, or None.
    init_seed: of the one network that the set was made for, whose key is
      `jax.random.key(init_seed)`, int32 scalar; or None.
    factors: what a factorised set is stored as, from which the images are
      decoded: `{'params': ..., 'constants': ...}`; None where they are stored
      as they are.
  """

  image: jax.Array
  label: jax.Array
  step_size: jax.Array | None = None
  temperature: jax.Array | None = None
  num_steps: jax.Array | None = None
  init_seed: jax.Array | None = None
  factors: PyTree = None


class UserError(ValueError):
  """What the user gave is wrong: one line naming it and what is allowed.

  Binaries print the line and exit non-zero without a traceback.
  """
