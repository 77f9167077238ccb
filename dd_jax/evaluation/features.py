"""Penultimate features of a network trained on the real training split."""

from collections.abc import Callable, Mapping
from typing import Any

import jax

from dd_jax.cache import Cache
from dd_jax.data.source import Source
from dd_jax.evaluation.real import Course, trained_on_real, usual_steps
from dd_jax.networks import Network
from dd_jax.training import map_chunks
from dd_jax.types import Key, PyTree


def trained_features(
  network: Network,
  key: Key,
  source: Source,
  cache: Cache,
  name: Mapping[str, Any],
) -> Callable[[jax.Array], jax.Array]:
  """Trains `network` on real data, or finds it in the cache.

  Adam at 1e-3 with a cosine decay, batches of 128, three epochs but at most
  1,500 steps.

  Args:
    network: the learner.
    key: decides its initialisation and batches.
    source: the training split.
    cache: where its parameters are kept.
    name: all that they depend on.

  Returns:
    `(image [n, h, w, c]) -> features [n, d]`.
  """
  course = Course(usual_steps(source), key)
  variables = trained_on_real(network, source, course, cache, name)

  @jax.jit
  def features(variables: PyTree, image: jax.Array) -> jax.Array:
    return map_chunks(
      lambda x: network.apply(variables, x)[0].features,
      image,
      network.runs_on.pass_examples,
    )

  return lambda image: features(variables, image)
