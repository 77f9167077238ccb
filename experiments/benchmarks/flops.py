"""Useful work: what a step must compute, whatever program computes it.

Convolutions and dense layers only, two operations for a multiply-add, direct
convolution with its padding taps; norm, pooling, losses and optimisers count
nothing. A first layer has no input gradient unless the image needs one.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple


class Layer(NamedTuple):
  """Operations of one layer's forward pass for one image, and its place."""

  operations: int
  first: bool


# How many forward passes' worth of work a pass costs: (first layer, others).
FORWARD = (1, 1)
IMAGE_GRADIENT = (2, 2)
PARAMETER_GRADIENT = (2, 3)
GRADIENT_OF_GRADIENT = (5, 7)  # through a parameter gradient to the images
UNROLLED = (6, 9)  # the same, to images and parameters


def convnet(
  side: int, channels: int, widths: tuple[int, ...], classes: int
) -> list[Layer]:
  """The layers of a ConvNet on square images, last the dense one."""
  layers = []
  for i, width in enumerate(widths):
    layers.append(Layer(2 * side * side * 9 * channels * width, i == 0))
    side, channels = side // 2, width
  return [*layers, Layer(2 * side * side * channels * classes, False)]


def of_network(
  section: Mapping[str, Any], shape: tuple[int, int, int], classes: int
) -> list[Layer]:
  """The layers of a `network` section: a ConvNet of three blocks."""
  factors = (1, 2, 4) if section['name'] == 'frepo_convnet' else (1, 1, 1)
  widths = tuple(section['width'] * f for f in factors)
  return convnet(shape[0], shape[2], widths, classes)


def work(layers: list[Layer], kind: tuple[int, int]) -> float:
  """GFLOP of one pass over one image."""
  first, others = kind
  total = sum(n * (first if is_first else others) for n, is_first in layers)
  return total / 1e9


def features(layers: list[Layer]) -> list[Layer]:
  """Without the dense layer."""
  return layers[:-1]


def frepo_step(
  layers: list[Layer], targets: int, support: int, flip: bool, dimension: int
) -> float:
  """GFLOP of FRePo's outer step.

  Targets forward to features, support (with mirror images where `flip`) forward
  and image gradient, the kernel products, one training step on the support set.
  """
  shown = support * (2 if flip else 1)
  body = features(layers)
  products = 2 * dimension * shown * (targets + shown) * 3 / 1e9
  return (
    targets * work(body, FORWARD)
    + shown * work(body, IMAGE_GRADIENT)
    + products
    + support * work(layers, PARAMETER_GRADIENT)
  )


def kernel_step(targets: int, support: int, dimension: int) -> float:
  """GFLOP of a step with a dense kernel: its inner products, and back."""
  return 3 * 2 * dimension * support * (targets + support) / 1e9


def gradient_matching_step(
  layers: list[Layer], real: int, support: int, trained: int = 0
) -> float:
  """GFLOP of a step that matches gradients.

  Real images give a parameter gradient, support images one that is
  differentiated in them; then `trained` images pass a training step.
  """
  return (real + trained) * work(layers, PARAMETER_GRADIENT) + support * work(
    layers, GRADIENT_OF_GRADIENT
  )


def embedding_match(layers: list[Layer], real: int, support: int) -> float:
  """GFLOP of one step of distribution matching.

  Real images forward to features; support forward and image gradient.
  """
  body = features(layers)
  return real * work(body, FORWARD) + support * work(body, IMAGE_GRADIENT)


def rfad_step(
  layers: list[Layer],
  networks: int,
  targets: int,
  support: int,
  *,
  dimension: int,
  pixels: int,
) -> float:
  """GFLOP of RFAD's outer step.

  In every network targets forward to features, support forward and image
  gradient, the kernel products; once, the learned map of `pixels` values.
  """
  body = features(layers)
  products = 2 * dimension * support * (targets + support) * 3 / 1e9
  each = (
    targets * work(body, FORWARD)
    + support * work(body, IMAGE_GRADIENT)
    + products
  )
  return networks * each + 3 * 2 * support * pixels**2 / 1e9


def trajectory_matching_step(
  layers: list[Layer], support: int, num_steps: int
) -> float:
  """GFLOP of one outer step: all inner steps on the set, there and back."""
  return num_steps * support * work(layers, UNROLLED)


def unrolled_step(
  layers: list[Layer],
  support: int,
  real: int,
  window: int,
  *,
  before: int = 0,
  recomputed: bool = False,
) -> float:
  """GFLOP of an outer step through training.

  Steps before the window forward and back, steps of the window there and back
  again, each of them computed once more where that is part of the method, and
  the outer loss on the real batch.
  """
  gradient = work(layers, PARAMETER_GRADIENT)
  again = gradient if recomputed else 0.0
  differentiated = window * support * (work(layers, UNROLLED) + again)
  return differentiated + (before * support + real) * gradient


def evaluation(
  layers: list[Layer], images: int, epochs: int, test: int
) -> float:
  """GFLOP of training a learner on a set and testing it."""
  trained = epochs * images * work(layers, PARAMETER_GRADIENT)
  return trained + test * work(layers, FORWARD)
