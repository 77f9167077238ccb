"""Operations draw the parameters of an image function: `(key, image) -> image`.

Each is made with its settings, which it closes over.
"""

import math
from collections.abc import Callable
from typing import TypeAlias

import jax
import jax.numpy as jnp

from dd_jax.augment.draws import integers, symmetric
from dd_jax.augment.images import (
  adjust_color,
  erase,
  mirror,
  rotation,
  scale,
  shift,
  warp,
)
from dd_jax.types import Key

Operation: TypeAlias = Callable[[Key, jax.Array], jax.Array]
"""`(key, image [h, w, c]) -> image`."""


def random_color(
  brightness: float = 0.5,
  saturation: tuple[float, float] = (0.0, 2.0),
  contrast: tuple[float, float] = (0.5, 1.5),
) -> Operation:
  """Brightness within ±`brightness`; uniform saturation and contrast."""

  def operation(key: Key, image: jax.Array) -> jax.Array:
    draw = jax.random.uniform(key, (3,), jnp.float32)
    return adjust_color(
      image,
      _between(draw[0], (-brightness, brightness)),
      _between(draw[1], saturation),
      _between(draw[2], contrast),
    )

  return operation


def random_color_log(strength: float = 0.25) -> Operation:
  """Colour as FRePo has it.

  Brightness is uniform within ±`strength`; contrast, then saturation, are
  log-uniform in `[exp(-strength), exp(strength)]`.
  """

  def operation(key: Key, image: jax.Array) -> jax.Array:
    draw = strength * symmetric(key, (3,))
    image = adjust_color(image, draw[0], contrast=jnp.exp(draw[1]))
    return adjust_color(image, saturation=jnp.exp(draw[2]))

  return operation


def random_shift(ratio: float = 0.125) -> Operation:
  """Integer shift, each axis uniform within ±`int(size * ratio + 0.5)`."""

  def operation(key: Key, image: jax.Array) -> jax.Array:
    limits = [_part(size, ratio) for size in image.shape[:2]]
    dy, dx = integers(key, [-limit for limit in limits], limits)
    return shift(image, dy, dx, max(limits))

  return operation


def random_cutout(ratio: float = 0.5) -> Operation:
  """A zero rectangle, centred anywhere in the image, clipped at its border.

  Its sides are `int(size * ratio + 0.5)`.
  """

  def operation(key: Key, image: jax.Array) -> jax.Array:
    sides = [_part(size, ratio) for size in image.shape[:2]]
    # The centre lies between two pixels where a side is even: one place more.
    last = [n - s % 2 for n, s in zip(image.shape, sides, strict=False)]
    y, x = integers(key, [0, 0], last)
    corner = y - sides[0] // 2, x - sides[1] // 2
    return erase(image, *corner, (sides[0], sides[1]))

  return operation


def random_cutout_inside(ratio: float = 0.25) -> Operation:
  """A zero rectangle of sides `int(size * ratio)`, wholly in the image."""

  def operation(key: Key, image: jax.Array) -> jax.Array:
    height, width, _ = image.shape
    size = int(height * ratio), int(width * ratio)
    top, left = integers(key, [0, 0], [height - size[0], width - size[1]])
    return erase(image, top, left, size)

  return operation


def random_mirror(probability: float = 0.5) -> Operation:
  """A horizontal flip with this probability."""

  def operation(key: Key, image: jax.Array) -> jax.Array:
    return mirror(image, jax.random.bernoulli(key, jnp.float32(probability)))

  return operation


def random_scale(ratio: float = 1.2) -> Operation:
  """Both axes scaled independently, uniform in `[1 / ratio, ratio]`."""

  def operation(key: Key, image: jax.Array) -> jax.Array:
    draw = jax.random.uniform(key, (2,), jnp.float32)
    factors = _between(draw, (1 / ratio, ratio))
    return scale(image, factors[0], factors[1])

  return operation


def random_rotate(
  degrees: float = 15.0, *, align_corners: bool = False, edge: bool = False
) -> Operation:
  """A rotation, uniform within ±`degrees`; `rotation`, `warp` explain more."""

  def operation(key: Key, image: jax.Array) -> jax.Array:
    angle = math.radians(degrees) * symmetric(key)
    return warp(image, rotation(angle, image.shape, align_corners), edge=edge)

  return operation


def random_translate(ratio: float = 0.125) -> Operation:
  """A bilinear translation within ±`ratio * size`, border repeated."""

  def operation(key: Key, image: jax.Array) -> jax.Array:
    limit = jnp.array(image.shape[:2], jnp.float32) * ratio
    return warp(image, jnp.eye(2), limit * symmetric(key, (2,)), edge=True)

  return operation


def random_zoom(ratio: float = 1.25) -> Operation:
  """A crop at a zoom log-uniform in `[1 / ratio, ratio]`, border repeated.

  Zoomed in, the crop lies anywhere in the image; zoomed out, the image lies
  anywhere in the crop.
  """

  def operation(key: Key, image: jax.Array) -> jax.Array:
    zoom_key, place_key = jax.random.split(key)
    zoom = jnp.exp(math.log(ratio) * symmetric(zoom_key))
    size = jnp.array(image.shape[:2], jnp.float32)
    limit = jnp.abs(zoom - 1) * size / 2
    place = limit * symmetric(place_key, (2,))
    return warp(image, jnp.eye(2) / zoom, place / zoom, edge=True)

  return operation


def _part(size: int, ratio: float) -> int:
  return int(size * ratio + 0.5)


def _between(unit: jax.Array, limits: tuple[float, float]) -> jax.Array:
  return unit * (limits[1] - limits[0]) + limits[0]
