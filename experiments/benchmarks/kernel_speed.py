"""Cases of the convolutional kernels: time, memory, comparison."""

import functools
import resource
import statistics
import subprocess
import sys
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from dd_jax.kernels import conv_kernel, from_kernel_fn, neural_tangents
from dd_jax.kernels.conv import ARCHITECTURES
from dd_jax.types import Kernel, UserError
from experiments.benchmarks.measure import (
  SHAPE,
  Case,
  Conditions,
  Row,
  timed,
)

_REPEATS = 3


def ours(
  architecture: str,
  get: Literal['ntk', 'nngp'] = 'ntk',
  shape: tuple[int, int, int] = SHAPE,
  *,
  double: bool = False,
) -> Case:
  """Milliseconds per pair of 64 x 4 images, forward and with the gradient."""

  def case(conditions: Conditions) -> Row:
    side = conditions.most('image_side', shape[0])
    with jax.enable_x64(double):
      kernel = conv_kernel(get, architecture=architecture)
      return _milliseconds(kernel, (side, side, shape[2]), (64, 4))

  return case


def theirs(architecture: str, *, double: bool = False) -> Case:
  """The same of neural-tangents, 4 x 4 images, on the jax in use."""

  def case(conditions: Conditions) -> Row:
    del conditions
    try:
      reference = _reference(architecture)
    except UserError as error:
      return {'skipped': str(error)}
    with jax.enable_x64(double):
      return _milliseconds(reference, SHAPE, (4, 4))

  return case


def _reference(architecture: str) -> Kernel:
  stax = neural_tangents.load().stax
  groups, head = ARCHITECTURES[architecture]
  settings = {'W_std': 2**0.5, 'b_std': 0.1}
  layers = []
  for i, count in enumerate(groups):
    for _ in range(count):
      layers += [stax.Conv(1, (3, 3), padding='SAME', **settings), stax.Relu()]
    if head == 'flatten' or i < len(groups) - 1:
      layers.append(stax.AvgPool((2, 2), strides=(2, 2)))
  layers.append(stax.Flatten() if head == 'flatten' else stax.GlobalAvgPool())
  return from_kernel_fn(stax.serial(*layers, stax.Dense(1, **settings))[2])


def _milliseconds(
  kernel: Kernel, shape: tuple[int, int, int], counts: tuple[int, int]
) -> Row:
  targets, support = (_images(n, shape, seed) for seed, n in enumerate(counts))
  forward = jax.jit(lambda s, t: kernel(t, s))
  both = jax.jit(jax.value_and_grad(lambda s, t: jnp.sum(kernel(t, s) ** 2)))
  pairs = counts[0] * counts[1]
  row: Row = {}
  for name, call in (('forward', forward), ('gradient', both)):
    first, *others = timed(
      functools.partial(call, support, targets), _REPEATS + 1
    )
    row[f'{name}_ms_per_pair'] = round(
      1e3 * statistics.median(others) / pairs, 3
    )
    row[f'{name}_fastest_ms'] = round(1e3 * min(others) / pairs, 3)
    row[f'{name}_first_call_seconds'] = round(first, 1)
  return row


def _images(n: int, shape: tuple[int, int, int], seed: int) -> jax.Array:
  dtype = jnp.float64 if jax.config.read('jax_enable_x64') else jnp.float32
  x = np.random.default_rng(seed).normal(size=(n, *shape))
  return jnp.asarray(x, dtype)


def temporaries(conditions: Conditions) -> Row:
  """What the compiler sets aside for 5,000 x 500 pairs with the gradient."""
  del conditions
  kernel = conv_kernel()
  loss = lambda s, t: jnp.sum(kernel(t, s) ** 2)
  shapes = [jax.ShapeDtypeStruct((n, *SHAPE), jnp.float32) for n in (500, 5000)]
  compiled = jax.jit(jax.value_and_grad(loss)).lower(*shapes).compile()
  used: Any = compiled.memory_analysis()
  return {'temporary_mib': round(used.temp_size_in_bytes / 2**20)}


def peak(conditions: Conditions) -> Row:
  """Peak memory of processes with 512 x 64 and 1,024 x 64 pairs."""
  del conditions
  code = f'from {__name__} import one_gradient; one_gradient({{}})'
  row: Row = {}
  for targets in (512, 1024):  # the larger one last: children share one peak
    command = [sys.executable, '-c', code.format(targets)]
    subprocess.run(command, check=True)
    used = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    row[f'peak_mib_{targets}'] = round(used / 1024)
  return row


def one_gradient(targets: int) -> None:
  """A value and a gradient of `targets` x 64 pairs."""
  kernel = conv_kernel()
  loss = lambda s, t: jnp.sum(kernel(t, s) ** 2)
  support, real = _images(64, SHAPE, 0), _images(targets, SHAPE, 1)
  jax.block_until_ready(jax.jit(jax.value_and_grad(loss))(support, real))
