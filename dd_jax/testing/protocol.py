"""The laws of `dd_jax.evaluation.protocols.Protocol`."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from dd_jax.evaluation.protocols import Protocol, Setting
from dd_jax.networks import mlp
from dd_jax.testing.cases import require, toy_source
from dd_jax.types import DistilledData

_LEARNERS = 3


def check_protocol(
  factory: Callable[[Setting], Protocol],
  setting: Setting | None = None,
  source: Any = None,
) -> None:
  """Holds a protocol against every law.

  It has a name; it gives each key one accuracy in [0, 1], the same for the same
  key (one for all where it says `exact`), for labels in either encoding, soft
  ones too; and real images as a support set beat chance on themselves.

  Args:
    factory: as it is registered.
    setting: by default that of `source`, with a small MLP and 30 steps.
    source: real data on the device; by default `cases.toy_source()`.

  Raises:
    AssertionError: names the first law that is broken and what was seen.
  """
  source = toy_source() if source is None else source
  shape, classes = source.image_shape, source.num_classes
  network = mlp(shape, classes, width=16, depth=1)
  default = Setting(shape, classes, network=network, steps=30)
  setting = default if setting is None else setting
  keys = jax.random.split(jax.random.key(0), _LEARNERS)
  image, label = source.take(jnp.arange(min(len(source), 10 * classes)))
  for encoding, given in (
    ('one-hot', label),
    ('one-hot', 0.9 * label + 0.1 / classes),
    ('centred', label - 1 / classes),
  ):
    made = factory(setting._replace(label_encoding=encoding))
    require(bool(made.name), 'name', 'it has none')
    score = lambda data, made=made: np.asarray(made.score(keys, data, source))
    found = score(DistilledData(image, given))
    told = f'{found} for {_LEARNERS} keys and {encoding} labels'
    require(found.shape == (_LEARNERS,), 'accuracies', told)
    within = bool(np.all((found >= 0) & (found <= 1)))
    require(within, 'accuracies', told)
    stored: Any = (np.asarray(image), np.asarray(given))  # as in a file
    again = np.array_equal(score(DistilledData(*stored)), found)
    require(again, 'pure', 'differ in two calls, the second with NumPy arrays')
    alike = not made.exact or len({*found.tolist()}) == 1
    require(alike, 'exact', told)
    require(float(found.mean()) > 1 / classes, 'learns', f'{told}: chance')
