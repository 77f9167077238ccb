"""Networks as a list of layers, and the architectures with a name."""

import functools
from collections.abc import Sequence
from typing import Literal

import jax
import jax.numpy as jnp

from dd_jax.checks import check_name
from dd_jax.kernels.conv import layers as conv_layers
from dd_jax.kernels.conv.blocks import Engine, cross, side, symmetric
from dd_jax.kernels.conv.layers import Layer, Shape
from dd_jax.kernels.conv.plan import plan
from dd_jax.platform import Platform, here
from dd_jax.types import Kernel, UserError

ARCHITECTURES: dict[str, tuple[tuple[int, ...], str]] = {
  'convnet': ((2, 1, 1), 'flatten'),
  'convnet3': ((1, 1, 1), 'flatten'),
  'myrtle5': ((2, 1, 1), 'average'),
  'myrtle7': ((2, 2, 2), 'average'),
  'myrtle10': ((3, 3, 3), 'average'),
}
"""Convolutions before each pool, and the head. With flatten a pool closes the
last group too. KIP's two (arXiv 2107.13034) and those of Shankar et al. (arXiv
2003.02237)."""


def serial(
  layers: Sequence[Layer],
  get: Literal['ntk', 'nngp'] = 'ntk',
  *,
  budget_mib: int = 1024,
  platform: Platform | None = None,
) -> Kernel:
  """The kernel of a network of infinite width.

  Args:
    layers: from `kernels.conv.layers`, input first; a convolutional part, then
      flatten or global_avg_pool, then dense layers.
    get: 'ntk' or 'nngp'.
    budget_mib: memory for a block of pairs, and again for what the reverse
      pass reuses; where that is more, it is computed anew.
    platform: what it runs on; by default what JAX's default devices are.

  Returns:
    `kernel(x1 [n, h, w, c], x2 [m, h, w, c] or None) -> [n, m]`, exact, in
    float64 for float64 images, else in float32; None stands for `x1` again
    and costs half. Gradients are exact in both arguments, in reverse mode
    only, and finite on duplicates, zero images and flips. There is one: the
    derivative of a gradient in the images is refused.

  Raises:
    UserError: an unknown name; when called, images that do not fit the layers,
      or a budget below the smallest block; when differentiated twice.
  """
  check_name('kernel.get', get, ('ntk', 'nngp'))
  if budget_mib < 1:
    raise UserError(f'kernel.budget_mib={budget_mib}: allowed are 1 and more')
  layers = tuple(layers)

  @functools.cache
  def engine(shape: Shape) -> Engine:
    found = plan(layers, shape, platform or here())
    return Engine(found, get == 'ntk', budget_mib << 20)

  @jax.jit
  def kernel(x1: jax.Array, x2: jax.Array | None = None) -> jax.Array:
    x1, x2 = _images(x1, x2)
    e = engine(Shape(*x1.shape[1:]))
    first = side(e, x1)
    if x2 is None:
      return symmetric(e)(first)
    return cross(e)(first, side(e, x2))

  return kernel


def _images(
  x1: jax.Array, x2: jax.Array | None
) -> tuple[jax.Array, jax.Array | None]:
  """In one dtype, and of one shape."""
  given = [x1] if x2 is None else [x1, x2]
  for x in given:
    if jnp.ndim(x) != 4 or x.shape[1:] != x1.shape[1:] or 0 in x.shape:
      shapes = ' and '.join(str(tuple(jnp.shape(x))) for x in given)
      raise UserError(
        f'kernel: images of shape {shapes}; must be [n, h, w, c], n above 0, '
        'with the same h, w, c'
      )
  dtype = jnp.result_type(*given, jnp.float32)
  first, *second = (jnp.asarray(x, dtype) for x in given)
  return first, second[0] if second else None


def conv_kernel(
  get: Literal['ntk', 'nngp'] = 'ntk',
  *,
  architecture: str = 'convnet',
  activation: str = 'relu',
  w_std: float = 2**0.5,
  b_std: float = 0.1,
  parametrization: Literal['ntk', 'standard'] = 'ntk',
  width: int = 1024,
  budget_mib: int = 1024,
  platform: Platform | None = None,
) -> Kernel:
  """The kernel of a convolutional network with a name.

  Args:
    get: 'ntk' or 'nngp'.
    architecture: one of `ARCHITECTURES`.
    activation: 'relu'.
    w_std: weight standard deviation times sqrt(fan in).
    b_std: bias standard deviation.
    parametrization: 'ntk', or 'standard' (Sohl-Dickstein et al. 2020).
    width: channels; only 'standard' reads it.
    budget_mib: see `serial`.
    platform: see `serial`.

  Returns:
    As `serial`.

  Raises:
    UserError: as `serial`, or for an unknown name.
  """
  check_name('kernel.architecture', architecture, ARCHITECTURES)
  check_name('kernel.activation', activation, ('relu',))
  check_name('kernel.parametrization', parametrization, ('ntk', 'standard'))
  wide = width if parametrization == 'standard' else None
  found = named_layers(architecture, w_std, b_std, wide)
  return serial(found, get, budget_mib=budget_mib, platform=platform)


def named_layers(
  architecture: str, w_std: float, b_std: float, width: int | None = None
) -> list[Layer]:
  """The layers of one of `ARCHITECTURES`; `width` as in `layers.conv`."""
  groups, head = ARCHITECTURES[architecture]
  found: list[Layer] = []
  for i, count in enumerate(groups):
    for _ in range(count):
      found += [conv_layers.conv(w_std, b_std, width), conv_layers.relu()]
    if head == 'flatten' or i < len(groups) - 1:
      found.append(conv_layers.avg_pool())
  heads = {
    'flatten': conv_layers.flatten,
    'average': conv_layers.global_avg_pool,
  }
  return [*found, heads[head](), conv_layers.dense(w_std, b_std, width)]
