"""Stage: what the device computes, beside the CPU of the same process.

Both in float32, each by the schedule of its kind of platform: one update of
every method from the same state on the same batch, a score under every
protocol; and the convolutional kernels against float64.
"""

import contextlib
import functools
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from dd_jax.distiller import Distiller
from dd_jax.evaluation.protocols import (
  PROTOCOLS,
  Protocol,
  Setting,
  protocol,
)
from dd_jax.kernels import conv_kernel
from dd_jax.networks import NETWORKS
from dd_jax.platform import ACCELERATOR, CPU, Platform
from dd_jax.run import recipe
from dd_jax.types import DistilledData, PyTree
from experiments.benchmarks.measure import CLASSES, Conditions, Row
from experiments.benchmarks.sizes import Caps
from experiments.benchmarks.updates import (
  EXAMPLES,
  classes,
  gradient,
  problem,
)
from experiments.on_gpu.compared import compared
from experiments.on_gpu.points import Asked, Point

_GRADIENT = 1e-3  # the most that a median may be off, relative
_KERNEL = 1e-4
_POINTS = 5.0  # of accuracy, after a few steps
_STEPS = 10  # of a learner
_KERNELS = {
  'convnet': ('convnet', (32, 32, 3)),
  'myrtle5': ('myrtle5', (32, 32, 3)),
  'convnet-grey': ('convnet', (28, 28, 1)),
}
"""Architecture, and images."""


def right(asked: Asked) -> Iterator[Point]:
  """Every method, then the kernels, then every protocol."""
  for name in recipe.METHODS:
    yield Point(name, functools.partial(_method, asked.checked, name))
  for name, of in _KERNELS.items():
    call = functools.partial(_kernel, asked.checked, *of)
    yield Point(f'kernel {name}', call)
  for name in PROTOCOLS:
    call = functools.partial(_protocol, asked.checked, name)
    yield Point(f'protocol {name}', call)


def _kernel(caps: Caps, architecture: str, shape: tuple[int, int, int]) -> Row:
  """The gradient of a sum of squares over 6 times 4 pairs."""
  side = min(shape[0], caps.get('image_side', shape[0]))
  draw = np.random.default_rng(0).normal(size=(10, side, side, shape[2]))

  def computed(platform: Platform, dtype: Any) -> PyTree:
    kernel = conv_kernel(architecture=architecture, platform=platform)
    loss = lambda s, t: jnp.sum(kernel(t, s) ** 2)
    support, targets = (jnp.asarray(x, dtype) for x in (draw[:4], draw[4:]))
    return jax.jit(jax.grad(loss))(support, targets)

  with _on(jax.devices('cpu')[0]), jax.enable_x64(True):
    reference = jax.device_get(computed(CPU, jnp.float64))
  with _on(jax.devices()[0]):
    found = jax.device_get(computed(ACCELERATOR, jnp.float32))
  return compared(found, reference, _KERNEL)


def _method(caps: Caps, name: str) -> Row:
  """One update; of a selection, which makes none, the images that it chose."""
  device, cpu = jax.devices()[0], jax.devices('cpu')[0]
  with _on(cpu):
    made = problem(name, caps)
    theirs, ours = (made.method(p) for p in (ACCELERATOR, CPU))
    arguments = made.arguments(ours)
  if name in recipe.SELECTIONS:
    found, reference = (
      _chosen(method, where, made.source)
      for method, where in ((theirs, device), (ours, cpu))
    )
    return compared(found, reference, 0.0)
  has_gradient = recipe.takes(name, 'optimizer')
  found, reference = (
    _learned(has_gradient, method, _updated(method, where, arguments))
    for method, where in ((theirs, device), (ours, cpu))
  )
  return compared(found, reference, _GRADIENT)


def _updated(
  method: Distiller, device: jax.Device, arguments: PyTree
) -> PyTree:
  """The state after one outer step there."""
  with _on(device):
    placed = jax.device_put(arguments, device)
    return jax.jit(method.update)(*placed)[0]


def _learned(has_gradient: bool, method: Distiller, state: PyTree) -> PyTree:
  """The gradient of a step; where a method has none, what it made."""
  return gradient(state) if has_gradient else _images(method, state)


def _images(method: Distiller, state: PyTree) -> PyTree:
  data = method.distilled(state)
  return jax.device_get((data.image, data.label))


def _chosen(method: Distiller, device: jax.Device, source: PyTree) -> PyTree:
  """The images that a selection takes, there."""
  with _on(device):
    placed = jax.device_put(source, device)
    return _images(method, method.init(jax.random.key(0), placed))


def _protocol(caps: Caps, name: str) -> Row:
  """Accuracy of two learners of a few steps, on images that classes differ in.

  A learner that rounds otherwise ends up elsewhere: it is compared in points.
  """
  shape, steps = Conditions(caps=caps).shape, caps.get('steps', _STEPS)
  network = NETWORKS['convnet'](shape, CLASSES, width=caps['width'])
  setting = Setting(shape, CLASSES, network=network, steps=steps)
  data = classes(CLASSES, shape)
  held = DistilledData(data.image, jnp.eye(CLASSES))
  found = {
    platform.name: _scored(
      protocol(name, setting._replace(platform=platform)),
      device,
      (held, classes(EXAMPLES, shape)),
    )
    for platform, device in (
      (ACCELERATOR, jax.devices()[0]),
      (CPU, jax.devices('cpu')[0]),
    )
  }
  apart = float(np.abs(np.subtract(*found.values())).max())
  return {
    **{k: v.round(2).tolist() for k, v in found.items()},
    'points_apart': round(apart, 2),
    'bound': _POINTS,
    'right': apart <= _POINTS,
  }


def _scored(chosen: Protocol, device: jax.Device, data: PyTree) -> np.ndarray:
  """Percent, of the same learners there."""
  keys = jax.random.split(jax.random.key(3), 1 if chosen.exact else 2)
  with _on(device):
    placed = jax.device_put((keys, *data), device)
    return 100 * np.asarray(chosen.score(*placed))


def _on(device: jax.Device) -> Any:
  """There, and in float32: on a GPU or a TPU that has to be asked for."""
  stack = contextlib.ExitStack()
  stack.enter_context(jax.default_device(device))
  stack.enter_context(jax.default_matmul_precision('float32'))
  return stack
