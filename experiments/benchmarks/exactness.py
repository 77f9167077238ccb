"""Case: how exact the gradient of trajectory matching is, on the digits.

Cosines between gradients in the images, after `N` inner steps of a ConvNet:
against a plain unroll in float64, of float32 against float64, and of TESLA's
approximation against the exact one.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from dd_jax import load_dataset
from dd_jax.data.prepare import prepare
from dd_jax.data.source import Source
from dd_jax.distiller import Context, Learned
from dd_jax.experts import Segments
from dd_jax.losses import soft_cross_entropy
from dd_jax.methods.student import Student
from dd_jax.methods.trajectory_matching import matching_loss
from dd_jax.networks import NETWORKS, Network
from dd_jax.parameterization.starts import real_indices
from dd_jax.training import Batch, batch_gradient
from dd_jax.types import LabeledData, PyTree
from experiments.benchmarks.measure import Conditions, Row

_RATES = (0.01, 0.02, 0.05, 0.1)
_INNER_STEPS = 50
_EXPERT_STEPS, _EXPERT_RATE, _WIDTH = 50, 0.02, 32


def exactness(conditions: Conditions) -> Row:
  """The cosines after 50 steps, at four step sizes."""
  del conditions  # nothing is timed
  return {
    k: float(f'{v:.3g}' if 'unlike' in k else f'{v:.7f}')
    for k, v in _cosines(_INNER_STEPS).items()
  }


def _cosines(num_steps: int) -> dict[str, float]:
  source = prepare(load_dataset('digits')).train
  network = NETWORKS['convnet'](
    source.image_shape, source.num_classes, width=_WIDTH, depth=2
  )
  exact = Student(network, num_steps)
  with jax.enable_x64(True):
    made = functools.partial(_gradients, *_problem(network, source))
    double = made(exact, jnp.float64)
    plain = made(exact._replace(plan='plain'), jnp.float64)
    single = made(exact, jnp.float32)
    tesla = made(exact._replace(exact=False), jnp.float64)
  row = {}
  for i, rate in enumerate(_RATES):
    row[f'unlike_plain_{rate}'] = 1 - _cosine(double[i], plain[i])
    row[f'float32_{rate}'] = _cosine(double[i], single[i])
    row[f'tesla_{rate}'] = _cosine(double[i], tesla[i])
  return row


def _gradients(
  data: LabeledData, segment: Segments, student: Student, dtype: Any
) -> list[np.ndarray]:
  """Of the matching loss in the images, flat, at every step size."""
  cast = functools.partial(jax.tree.map, lambda a: a.astype(dtype))
  data, segment = cast(data), cast(segment)
  loss = matching_loss(student)
  context = Context(jax.random.key(0), jnp.int32(0), None)

  @jax.jit
  def gradient(image: jax.Array, rate: jax.Array) -> jax.Array:
    def value(image: jax.Array) -> jax.Array:
      extra = {'log_step_size': jnp.log(rate)}
      learned = Learned(data._replace(image=image), extra)
      return loss(learned, segment, context)[0]

    return jax.grad(value)(image)

  found = [gradient(data.image, jnp.asarray(r, dtype)) for r in _RATES]
  return [np.ravel(g).astype(np.float64) for g in found]


def _problem(network: Network, source: Source) -> tuple[LabeledData, Segments]:
  """One real image of each class, and a piece of training on real data."""
  cast = functools.partial(jax.tree.map, lambda a: a.astype(jnp.float64))
  index = real_indices(jax.random.key(0), source, 1).reshape(-1)
  data = cast(source.take(jnp.asarray(index)))
  real = cast(source.take(jnp.arange(256)))
  start = cast(network.init(jax.random.key(0))['params'])
  batch = Batch(real, jnp.ones(256))

  def step(_: jax.Array, params: PyTree) -> PyTree:
    gradient, _ = batch_gradient(
      network, soft_cross_entropy, {'params': params}, batch
    )
    return jax.tree.map(lambda p, g: p - _EXPERT_RATE * g, params, gradient)

  run = jax.jit(lambda p: jax.lax.fori_loop(0, _EXPERT_STEPS, step, p))
  flat = lambda params: ravel_pytree(params)[0][None]
  return data, Segments(flat(start), flat(run(start)), jnp.zeros(1))


def _cosine(a: np.ndarray, b: np.ndarray) -> float:
  return float(a @ b / np.sqrt((a @ a) * (b @ b)))
