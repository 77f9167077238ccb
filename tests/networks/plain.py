"""Layers in NumPy, by PyTorch's definitions, for forward passes by hand.

Parameters are read in the order in which the layers stand.
"""

from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from dd_jax.networks import Network

EPSILON = 1e-5


def drawn(network: Network, seed: int = 0) -> Any:
  """Variables in float64; scales, biases and statistics are drawn too."""
  rng = np.random.default_rng(seed)
  leaves, tree = jax.tree.flatten(
    jax.eval_shape(network.init, jax.random.key(0))
  )
  fan_in = lambda a: np.prod(a.shape[:-1])
  draw = lambda a: (
    rng.normal(size=a.shape) / fan_in(a) ** 0.5
    if a.ndim > 1
    else rng.uniform(0.5, 1.5, a.shape)
  )
  return tree.unflatten([jnp.asarray(draw(a)) for a in leaves])


def images(*shape: int, seed: int = 1) -> np.ndarray:
  return np.random.default_rng(seed).normal(size=shape)


def layers(variables: Any, kind: str) -> Iterator[Any]:
  """Every layer of a kind, such as 'Conv', first to last."""
  for name in sorted(variables, key=_place):
    if name.startswith(f'{kind}_'):
      yield variables[name]
    elif not name.startswith('head') and isinstance(variables[name], dict):
      yield from layers(variables[name], kind)


def _place(name: str) -> int:
  number = name.rpartition('_')[2]
  return int(number) if number.isdecimal() else 0


def conv(x: np.ndarray, p: Any, stride: int = 1, padding: int = 0):
  """`[n, h, w, c]` by `kernel [s, s, c, d]`, a bias where there is one."""
  kernel = np.asarray(p['kernel'])
  around = (padding, padding)
  x = np.pad(x, ((0, 0), around, around, (0, 0)))
  seen = np.lib.stride_tricks.sliding_window_view(x, kernel.shape[:2], (1, 2))
  seen = seen[:, ::stride, ::stride]  # [n, h', w', c, s, s]
  return np.einsum('nijcab,abcd->nijd', seen, kernel) + p.get('bias', 0)


def normed(x: np.ndarray, p: Any, axes: tuple[int, ...]) -> np.ndarray:
  """Mean 0 and variance 1 over `axes`, then a scale and a bias."""
  mean, var = x.mean(axes, keepdims=True), x.var(axes, keepdims=True)
  scale, bias = np.asarray(p['scale']), np.asarray(p['bias'])
  return (x - mean) / np.sqrt(var + EPSILON) * scale + bias


def instance_norm(x: np.ndarray, p: Any) -> np.ndarray:
  return normed(x, p, (1, 2))


def batch_norm(x: np.ndarray, p: Any) -> np.ndarray:
  """In training: over the batch as well."""
  return normed(x, p, (0, 1, 2))


def relu(x: np.ndarray) -> np.ndarray:
  return np.maximum(x, 0)


def pooled(x: np.ndarray, reduce: Any, size: int = 2, padding: int = 0):
  """Of stride 2; outside of the image there is nothing, as for a maximum."""
  around = (padding, padding)
  x = np.pad(x, ((0, 0), around, around, (0, 0)), constant_values=-np.inf)
  seen = np.lib.stride_tricks.sliding_window_view(x, (size, size), (1, 2))
  return reduce(seen[:, ::2, ::2], axis=(-2, -1))


def dense(x: np.ndarray, p: Any) -> np.ndarray:
  return x.reshape(len(x), -1) @ np.asarray(p['kernel']) + np.asarray(p['bias'])


def logits(network: Network, variables: Any, x: np.ndarray, train=False):
  """Those of the network itself."""
  apply = jax.jit(network.apply, static_argnames='train')
  return apply(variables, jnp.asarray(x), train=train)[0].logits


def sides(network: Network, shape: tuple[int, int, int]) -> list[int]:
  """Heights of the maps that it taps."""
  variables = jax.eval_shape(network.init, jax.random.key(0))
  image = jax.ShapeDtypeStruct((1, *shape), jnp.float32)
  out, _ = jax.eval_shape(network.apply, variables, image)
  return [tap.shape[1] for tap in out.taps]
