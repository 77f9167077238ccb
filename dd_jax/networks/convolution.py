r"""A 3x3, stride-1, SAME convolution that is closed under differentiation.

The gradient of such a convolution in its input is the same convolution with the
flipped, transposed kernel; the gradient in its kernel,

.. math:: W_d = \sum_{n,p} x[n, p + d]^T g[n, p],

is bilinear too, and its own gradients are convolutions again. So two bilinear
primitives are closed under any mix of forward and reverse mode. On a CPU the
kernel gradient becomes matrix products: XLA's own kernel-gradient convolution
is slow there, and some fifty times slower inside a compiled loop.

This is the one file of ours that builds on `jax.extend` and `jax.interpreters`.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.core import ShapedArray
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

_SIZE = 3
_LAYOUT = ('NHWC', 'HWIO', 'NHWC')
_FEW_CHANNELS = 16  # below this one wide matmul beats nine narrow ones
_WRITTEN_OUT = 8  # members of a batch
_SMALL = 1_500_000  # multiply-adds below which a convolution call is overhead
_ACCELERATORS = ('cuda', 'rocm', 'tpu')


def conv3x3(x: jax.Array, w: jax.Array) -> jax.Array:
  """Convolves `x [n, h, w, c]` with `w [3, 3, c, d]` to `[n, h, w, d]`.

  Stride 1, zero padding of one pixel. Differentiable to any order in both
  arguments, in forward and reverse mode; batched under `vmap`.
  """
  return conv3x3_p.bind(x, w)


def conv3x3_im2col(x: jax.Array, w: jax.Array) -> jax.Array:
  """The same convolution as one matrix product of shifted windows.

  Uses no primitive of ours: the tested alternative to `conv3x3`.
  """
  n, height, width, _ = x.shape
  columns = jnp.concatenate(_windows(x), -1)
  y = columns.reshape(n * height * width, -1) @ w.reshape(-1, w.shape[-1])
  return y.reshape(n, height, width, -1)


def keeps_convolutions(primitive: Primitive, *args: Any, **params: Any) -> bool:
  """A policy for `jax.checkpoint`: keeps what costs more to compute again.

  Convolutions (`conv3x3` or JAX's own) of many channels, and matrix products.
  """
  del params
  if primitive.name == 'dot_general':
    return True
  convolutions = ('conv3x3', 'conv3x3_batched', 'conv_general_dilated')
  return primitive.name in convolutions and args[0].shape[-1] >= _FEW_CHANNELS


def _windows(x: jax.Array) -> list[jax.Array]:
  """The nine shifted copies of `x`, row-major in the offset."""
  height, width = x.shape[1:3]
  x = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
  offsets = [(i, j) for i in range(_SIZE) for j in range(_SIZE)]
  return [x[:, i : i + height, j : j + width] for i, j in offsets]


def _native(x: jax.Array, w: jax.Array) -> jax.Array:
  return lax.conv_general_dilated(
    x, w, (1, 1), 'SAME', dimension_numbers=_LAYOUT
  )


def _on_cpu(x: jax.Array, w: jax.Array) -> jax.Array:
  """The native convolution, or a matrix product where it is mostly overhead."""
  small = x.size * w.size // x.shape[-1] < _SMALL
  return conv3x3_im2col(x, w) if small else _native(x, w)


def _native_kernel_gradient(x: jax.Array, g: jax.Array) -> jax.Array:
  """The kernel gradient as the backend's own convolution over the batch."""
  w = jnp.zeros((_SIZE, _SIZE, x.shape[-1], g.shape[-1]), x.dtype)
  return jax.linear_transpose(functools.partial(_native, x), w)(g)[0]


def _matmul_kernel_gradient(x: jax.Array, g: jax.Array) -> jax.Array:
  c, d = x.shape[-1], g.shape[-1]
  g = g.reshape(-1, d)
  if c < _FEW_CHANNELS:
    columns = jnp.concatenate(_windows(x), -1).reshape(-1, _SIZE**2 * c)
    return (columns.T @ g).reshape(_SIZE, _SIZE, c, d)
  products = [v.reshape(-1, c).T @ g for v in _windows(x)]
  return jnp.stack(products).reshape(_SIZE, _SIZE, c, d)


def _flip(w: jax.Array) -> jax.Array:
  return w[::-1, ::-1].swapaxes(2, 3)


def _one_by_one(
  function: Callable[..., jax.Array], *args: jax.Array
) -> jax.Array:
  """Maps over the leading axis in a loop, not as a batch.

  A short loop is written out; a long one would make a long program.
  """
  if args[0].shape[0] > _WRITTEN_OUT:
    return lax.map(lambda each: function(*each), args)
  return jnp.stack([function(*each) for each in zip(*args, strict=True)])


def _lead(args: Any, dims: Any) -> list[jax.Array]:
  """Moves the batch axis of each argument to the front, or repeats it there."""
  pairs = list(zip(args, dims, strict=True))
  size = next(a.shape[d] for a, d in pairs if d is not None)
  return [
    jnp.broadcast_to(a, (size, *a.shape))
    if d is None
    else jnp.moveaxis(a, d, 0)
    for a, d in pairs
  ]


def _primitive(
  name: str,
  shape: Callable[[Any, Any], tuple[int, ...]],
  on_cpu: Callable[..., jax.Array],
  elsewhere: Callable[..., jax.Array],
  folds: bool = False,
) -> tuple[Primitive, Primitive]:
  """Makes a bilinear primitive and its batched form (leading axis `m`).

  Both choose their lowering by platform: a grouped convolution is what an
  accelerator wants of a batch and six times too slow on a CPU. Where it `folds`
  and the second argument is shared, a batch of images is just more images: the
  per-class gradients of one network take no batched form.
  """
  single, batched = Primitive(name), Primitive(f'{name}_batched')

  def abstract(a: Any, b: Any) -> ShapedArray:
    return ShapedArray(shape(a.shape, b.shape), a.dtype)

  def abstract_batched(a: Any, b: Any) -> ShapedArray:
    return ShapedArray((a.shape[0], *shape(a.shape[1:], b.shape[1:])), a.dtype)

  def register(
    primitive: Primitive, abstract: Any, cpu: Any, other: Any
  ) -> None:
    primitive.def_impl(jax.jit(primitive.bind))
    primitive.def_abstract_eval(abstract)
    lower = functools.partial(mlir.lower_fun, multiple_results=False)
    mlir.register_lowering(primitive, lower(cpu))
    for platform in _ACCELERATORS:
      mlir.register_lowering(primitive, lower(other), platform=platform)

  register(single, abstract, on_cpu, elsewhere)
  register(
    batched,
    abstract_batched,
    functools.partial(_one_by_one, on_cpu),
    jax.vmap(elsewhere),
  )

  def batch(args: Any, dims: Any) -> tuple[jax.Array, int]:
    if folds and dims[1] is None:
      a, b = args
      return _folded(single, a, b, dims[0])
    return batched.bind(*_lead(args, dims)), 0

  def batch_again(args: Any, dims: Any) -> tuple[jax.Array, int]:
    """Two batch axes become one."""
    leading = _lead(args, dims)
    flat = [a.reshape(-1, *a.shape[2:]) for a in leading]
    out = batched.bind(*flat)
    return out.reshape(*leading[0].shape[:2], *out.shape[1:]), 0

  batching.primitive_batchers[single] = batch
  batching.primitive_batchers[batched] = batch_again
  return single, batched


def _folded(
  conv: Primitive, x: jax.Array, w: jax.Array, axis: int
) -> tuple[jax.Array, int]:
  """Joins the batch axis to the images, behind an axis that may be split."""
  x = jnp.moveaxis(x, axis, 1)
  y = conv.bind(x.reshape(-1, *x.shape[2:]), w)
  return y.reshape(*x.shape[:2], *y.shape[1:]), 1


def _conv_shape(x: Any, w: Any) -> tuple[int, ...]:
  return (*x[:3], w[3])


def _kernel_gradient_shape(x: Any, g: Any) -> tuple[int, ...]:
  return (_SIZE, _SIZE, x[3], g[3])


conv3x3_p, _conv_batched_p = _primitive(
  'conv3x3', _conv_shape, _on_cpu, _native, folds=True
)
kernel_gradient_p, _kernel_gradient_batched_p = _primitive(
  'conv3x3_kernel_gradient',
  _kernel_gradient_shape,
  _matmul_kernel_gradient,
  _native_kernel_gradient,
)


def _close(conv: Primitive, gradient: Primitive, flip: Any) -> None:
  ad.defbilinear(
    conv,
    lambda ct, x, w: conv.bind(ct, flip(w)),
    lambda ct, x, w: gradient.bind(x, ct),
  )
  ad.defbilinear(
    gradient,
    lambda ct, x, g: conv.bind(g, flip(ct)),
    lambda ct, x, g: conv.bind(x, ct),
  )


_close(conv3x3_p, kernel_gradient_p, _flip)
_close(_conv_batched_p, _kernel_gradient_batched_p, jax.vmap(_flip))
