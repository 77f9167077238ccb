"""Tests by random and by wide networks, as RFAD makes them (2210.12067)."""

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import jax
import jax.numpy as jnp

from dd_jax.evaluation.learners import test_each
from dd_jax.evaluation.tester import Tester
from dd_jax.kernels.ridge import Ridge, solve
from dd_jax.methods.rfad import B_STD, W_STD, random_kernel
from dd_jax.networks import Network, Outputs
from dd_jax.training import map_chunks
from dd_jax.types import Key, LabeledData, PyTree

_HIGHEST = jax.lax.Precision.HIGHEST


def random_feature_test(
  network: Network,
  count: int,
  ridge: Ridge,
  mesh: jax.sharding.Mesh | None = None,
) -> Tester:
  """Ridge regression with the kernel that random networks estimate.

  Networks are made anew from their keys wherever they are needed, so that any
  number of them fits.

  Args:
    network: whose penultimate features are taken.
    count: networks in one kernel.
    ridge: gives lambda.
    mesh: whose `data` axis kernels are split over, or None.

  Returns:
    `(keys [m], data, test) -> accuracies in [0, 1] [m]`; one kernel a key.
  """

  def features(key: Key, image: jax.Array) -> jax.Array:
    variables = network.init(key)
    return map_chunks(
      lambda x: network.apply(variables, x)[0].features,
      image,
      network.runs_on.pass_examples,
    )

  def fit(key: Key, data: LabeledData) -> Members:
    keys = jax.random.split(key, count)
    return keys, _read_outs(features, keys, data, ridge)

  def answer(members: Members, image: jax.Array) -> jax.Array:
    def add(
      total: jax.Array, member: tuple[Key, ReadOut]
    ) -> tuple[jax.Array, None]:
      k, read_out = member
      phi = features(k, image)
      part = jnp.matmul(phi, read_out.weight, precision=_HIGHEST)
      return total + part + read_out.bias, None

    classes = members[1].bias.shape[-1]
    zero = jnp.zeros((image.shape[0], classes), image.dtype)
    return jax.lax.scan(add, zero, members)[0]

  return test_each(fit, answer, network, mesh)


class ReadOut(NamedTuple):
  """What each network adds to the prediction.

  Attributes:
    weight: of its features, `[m, d, k]`.
    bias: `[m, k]`.
  """

  weight: jax.Array
  bias: jax.Array


Members: TypeAlias = tuple[Key, ReadOut]
"""The networks of one kernel, `[m]`, and what they add."""


def _read_outs(
  features: Callable[[Key, jax.Array], jax.Array],
  keys: Key,
  data: LabeledData,
  ridge: Ridge,
) -> ReadOut:
  """Ridge regression in the dual, read off for each network."""
  count, n = keys.shape[0], data.image.shape[0]

  def add(total: jax.Array, key: Key) -> tuple[jax.Array, None]:
    phi = features(key, data.image)
    return total + random_kernel(phi, phi) / count, None

  k_ss, _ = jax.lax.scan(add, jnp.zeros((n, n), data.image.dtype), keys)
  dual = solve(k_ss, data.label, ridge).weights

  def read_out(key: Key) -> ReadOut:
    phi = features(key, data.image)
    weight = jnp.matmul(phi.T, dual, precision=_HIGHEST)
    scale = W_STD**2 / phi.shape[1]
    return ReadOut(scale / count * weight, B_STD**2 / count * jnp.sum(dual, 0))

  return jax.lax.map(read_out, keys)


def centred(network: Network) -> Network:
  """The network minus itself as it was initialised: it starts at zero."""

  def init(key: Key) -> PyTree:
    variables = network.init(key)
    return {**variables, 'start': variables}

  def apply(
    variables: PyTree, image: jax.Array, train: bool = False
  ) -> tuple[Outputs, PyTree]:
    start = variables['start']
    own = {k: v for k, v in variables.items() if k != 'start'}
    out, own = network.apply(own, image, train=train)
    first = network.apply(start, image)[0].logits
    logits = out.logits - jax.lax.stop_gradient(first)
    return out._replace(logits=logits), {**own, 'start': start}

  return Network(init, apply, network.platform)
