r"""Layers of infinite width, as small records that a network is built of.

The covariance of two images is held as offset slices: slice d holds K[p, p + d]
for every pixel p. A convolution and a nonlinearity act within a slice, so a
slice is a small image that moves through the layers on its own; only pooling
mixes slices, three per axis at a time.

A layer is a function `Shape -> (record, Shape)` that checks what it is fed. Its
record is one of:

* `Slicewise`: a map of one slice and its adjoint (convolution, ReLU);
* `Pool`: 2x2 average pooling;
* `Head`: which pixel pairs are averaged (flatten, global average);
* `Readout`: a map of `Moments`, after the head (dense layers).
"""

from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp

from dd_jax.kernels.conv.angle import HALF_TURN, sine, slope
from dd_jax.kernels.dense import Moments, affine, relu_layer
from dd_jax.types import UserError


class Shape(NamedTuple):
  """Of activations.

  Attributes:
    height: 0 after the head.
    width: 0 after the head.
    channels: or features, after the head.
  """

  height: int
  width: int
  channels: int


class Slice(NamedTuple):
  """Kernels of one offset, or of several.

  Attributes:
    nngp: covariance, `[..., h, w, lanes]`; a lane is a pair of images.
    ntk: tangent kernel, the same shape; None where it is zero or not wanted.
  """

  nngp: jax.Array
  ntk: jax.Array | None


class Frame(NamedTuple):
  """What a layer is told about the slice in hand.

  Attributes:
    run: calls a function and materialises its result.
    masks: where the four diagonal neighbours of a pixel pair exist: one up, one
      down, one left, one right, broadcast against `[h, w, lanes]`.
    p: deviations of the first image at p, `[h, w, lanes or 1]`.
    q: of the second one at q = p + d.
    inverse_p: `1 / p`, 0 where p is 0.
    inverse_q: `1 / q`, 0 where q is 0.
    ntk: whether the tangent kernel is wanted.
    ahead: gives a result the border that the next layer wants.
    back: gives a cotangent the border that the layer before wants.
  """

  run: Callable[..., jax.Array]
  masks: tuple[jax.Array, ...]
  p: jax.Array | None
  q: jax.Array | None
  inverse_p: jax.Array | None
  inverse_q: jax.Array | None
  ntk: bool
  ahead: Callable[[jax.Array], jax.Array]
  back: Callable[[jax.Array], jax.Array]


class Slicewise(NamedTuple):
  """A layer that acts within an offset slice.

  Attributes:
    forward: `(Slice, Frame) -> (Slice, saved)`.
    reverse: `(saved, cotangent Slice, Frame) -> (cotangent Slice, dn)`, with dn
      the cotangent of the product of the deviations, or None.
    diagonal: the same of variances `[h, w, n]`, the slice 0 of one image.
    border: whether `forward` and `reverse` read a border of one pixel.
    deviations: whether the layer reads the deviations of its input.
  """

  forward: Callable[[Slice, Frame], tuple[Slice, Any]]
  reverse: Callable[[Any, Slice, Frame], tuple[Slice, jax.Array | None]]
  diagonal: Callable[[jax.Array], jax.Array]
  border: bool = False
  deviations: bool = False


class Pool(NamedTuple):
  """2x2 average pooling; a last odd row or column is dropped."""


class Head(NamedTuple):
  """The mean over pixel pairs.

  Attributes:
    spread: over all pairs (p, q), or only over p = q.
  """

  spread: bool


class Readout(NamedTuple):
  """A layer after the head.

  Attributes:
    forward: `Moments -> Moments`.
    variances: whether it reads the variances of the features.
  """

  forward: Callable[[Moments], Moments]
  variances: bool = False


Record: TypeAlias = Slicewise | Pool | Head | Readout
Layer: TypeAlias = Callable[[Shape], tuple[Record, Shape]]
"""Checks the shape that it is fed; gives its record and what comes out."""


def conv(
  w_std: float = 2**0.5, b_std: float = 0.1, width: int | None = None
) -> Layer:
  """3x3 convolution with zero padding.

  Args:
    w_std: weight standard deviation times sqrt(fan in).
    b_std: bias standard deviation.
    width: channels out in standard parametrisation (Sohl-Dickstein et al.
      2020); None for NTK parametrisation.
  """

  def layer(shape: Shape) -> tuple[Record, Shape]:
    _check_image('conv', shape)
    gain, bias = w_std**2 / 9, b_std**2
    # The layer's own part of the tangent kernel is own * nngp + shift.
    own, shift = 1.0, 0.0
    if width is not None:
      if not gain:
        raise UserError('conv: w_std=0.0 has no standard parametrisation')
      own = shape.channels / gain
      shift = 1 - own * bias
    after = shape._replace(channels=width or shape.channels)
    return _convolution(gain, bias, own, shift), after

  return layer


def _convolution(
  gain: float, bias: float, own: float, shift: float
) -> Slicewise:
  def forward(x: Slice, frame: Frame) -> tuple[Slice, bool]:
    masks = frame.masks
    nngp = frame.run(lambda k, m: gain * _box(k, m) + bias, x.nngp, masks)
    first = x.ntk is None
    if not frame.ntk:
      ntk = None
    elif x.ntk is not None:
      ntk = frame.run(
        lambda k, t, m: own * k + shift + gain * _box(t, m), nngp, x.ntk, masks
      )
    elif (own, shift) == (1, 0):
      ntk = nngp
    else:
      ntk = frame.run(lambda k: own * k + shift, nngp)
    return jax.tree.map(frame.ahead, Slice(nngp, ntk)), first

  def reverse(first: bool, g: Slice, frame: Frame) -> tuple[Slice, None]:
    spread = lambda k, m: frame.back(gain * _box(k, m))
    if g.ntk is None:
      return Slice(frame.run(spread, g.nngp, frame.masks), None), None
    nngp = frame.run(
      lambda k, t, m: spread(k + own * t, m), g.nngp, g.ntk, frame.masks
    )
    ntk = None if first else frame.run(spread, g.ntk, frame.masks)
    return Slice(nngp, ntk), None

  def diagonal(v: jax.Array) -> jax.Array:
    padded = jnp.pad(v, ((1, 1), (1, 1), (0, 0)))
    return gain * _box(padded, (1, 1, 1, 1)) + bias

  return Slicewise(forward, reverse, diagonal, border=True)


def _box(x: jax.Array, masks: tuple[Any, ...]) -> jax.Array:
  """Sum over the 3x3 diagonal neighbours; `x` has a border of one pixel."""
  up, down, left, right = masks
  x = x[1:-1] + up * x[:-2] + down * x[2:]
  return x[:, 1:-1] + left * x[:, :-2] + right * x[:, 2:]


def relu() -> Layer:
  """The nonlinearity max(0, x)."""

  def layer(shape: Shape) -> tuple[Record, Shape]:
    if not shape.height:
      return Readout(relu_layer, variances=True), shape
    return _RELU, shape

  return layer


def _relu_forward(
  x: Slice, frame: Frame
) -> tuple[Slice, tuple[Slice, jax.Array]]:
  run, ahead = frame.run, frame.ahead
  h = run(
    lambda k, p, q: slope(_correlation(k, p, q)),
    x.nngp,
    frame.inverse_p,
    frame.inverse_q,
  )

  def covariance(k, h, p, q, ip, iq):  # type: ignore[no-untyped-def]
    s = sine(_correlation(k, ip, iq))
    return ahead((p * q) * (HALF_TURN * s) + k * h)

  nngp = run(
    covariance, x.nngp, h, frame.p, frame.q, frame.inverse_p, frame.inverse_q
  )
  ntk = x.ntk if x.ntk is None else run(lambda t, h: ahead(t * h), x.ntk, h)
  return Slice(nngp, ntk), (x, h)


def _correlation(k: jax.Array, ip: jax.Array, iq: jax.Array) -> jax.Array:
  return jnp.clip(k * (ip * iq), -1, 1)


def _relu_reverse(
  saved: tuple[Slice, jax.Array], g: Slice, frame: Frame
) -> tuple[Slice, jax.Array]:
  x, h = saved
  run, back = frame.run, frame.back
  inverse = frame.inverse_p, frame.inverse_q

  def deviation(k, gk, ip, iq, *e):  # type: ignore[no-untyped-def]
    c = _correlation(k, ip, iq)
    own = gk * (HALF_TURN * sine(c))
    return own - e[0] * c if e else own

  if g.ntk is None:
    nngp = run(lambda gk, h: back(gk * h), g.nngp, h)
    return Slice(nngp, None), run(deviation, x.nngp, g.nngp, *inverse)

  def turn(k, t, gt, ip, iq):  # type: ignore[no-untyped-def]
    """Through the correlation: dh / dc = 1 / (2 pi s), 0 along the cusp."""
    s = sine(_correlation(k, ip, iq))
    inverse_s = jnp.where(s > 0, HALF_TURN / jnp.where(s > 0, s, 1), 0)
    return t * gt * (ip * iq) * inverse_s

  e = run(turn, x.nngp, x.ntk, g.ntk, *inverse)
  nngp = run(lambda gk, h, e: back(gk * h + e), g.nngp, h, e)
  ntk = run(lambda gt, h: back(gt * h), g.ntk, h)
  return Slice(nngp, ntk), run(deviation, x.nngp, g.nngp, *inverse, e)


_RELU = Slicewise(
  _relu_forward, _relu_reverse, lambda v: v / 2, deviations=True
)


def avg_pool() -> Layer:
  """2x2 average pooling with stride 2; a last odd row or column is dropped."""

  def layer(shape: Shape) -> tuple[Record, Shape]:
    _check_image('avg_pool', shape)
    if min(shape.height, shape.width) < 2:
      raise UserError(
        f'avg_pool: a 2x2 window does not fit {shape.height}x{shape.width} '
        'pixels; allowed are larger images or fewer pools'
      )
    halved = (shape.height // 2, shape.width // 2, shape.channels)
    return Pool(), Shape(*halved)

  return layer


def flatten() -> Layer:
  """Every pixel is a feature: the head of KIP's ConvNet."""

  def layer(shape: Shape) -> tuple[Record, Shape]:
    _check_image('flatten', shape)
    features = shape.height * shape.width * shape.channels
    return Head(spread=False), Shape(0, 0, features)

  return layer


def global_avg_pool() -> Layer:
  """The mean over pixels: the head of the Myrtle networks."""

  def layer(shape: Shape) -> tuple[Record, Shape]:
    _check_image('global_avg_pool', shape)
    return Head(spread=True), Shape(0, 0, shape.channels)

  return layer


def dense(
  w_std: float = 2**0.5, b_std: float = 0.1, width: int | None = None
) -> Layer:
  """A dense layer; arguments as `conv`'s."""

  def layer(shape: Shape) -> tuple[Record, Shape]:
    if shape.height:
      raise UserError(
        f'dense: fed {shape.height}x{shape.width} pixels; it must come after '
        'flatten or global_avg_pool'
      )
    fan_in = None if width is None else shape.channels
    forward = lambda m: affine(m, w_std, b_std, fan_in)
    return Readout(forward), Shape(0, 0, width or shape.channels)

  return layer


def _check_image(name: str, shape: Shape) -> None:
  if not shape.height:
    raise UserError(f'{name}: must come before flatten or global_avg_pool')
