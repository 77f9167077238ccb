"""Networks in the precision that is switched on."""

import functools

import jax
import jax.numpy as jnp

from dd_jax.networks import Network


def in_double(network):
  """The network with parameters in float64, where that is switched on."""
  if not jax.config.jax_enable_x64:
    return network
  cast = functools.partial(jax.tree.map, lambda a: a.astype(jnp.float64))
  return Network(lambda key: cast(network.init(key)), network.apply)
