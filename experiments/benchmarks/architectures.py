"""A case: one set learned by several architectures, against the plain loop."""

import statistics
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import optax

from dd_jax.evaluation.protocols import Setting, protocol
from dd_jax.evaluation.tester import Tester
from dd_jax.losses import soft_cross_entropy
from dd_jax.networks import NETWORKS, Network
from dd_jax.types import DistilledData, PyTree
from experiments.benchmarks.measure import CLASSES, Conditions, Row

_SHAPE, _IPC, _SEEDS = (28, 28, 1), 10, 5
_NAMES = ('convnet', 'alexnet', 'vgg11', 'resnet18')
_STEPS = 5  # of each training: all steps are alike

Work = Callable[[], PyTree]


def architectures(conditions: Conditions) -> Row:
  """Five seeds of four architectures on a set like MNIST's at 10 per class.

  The same steps on the same images: by `dc`'s learners, and one after the other
  by a loop in Python over one compiled step of SGD with momentum and weight
  decay, convolutions as `nn.Conv` has them. In turn, compilation apart.
  """
  steps = conditions.most('steps', _STEPS)
  seeds = conditions.most('learners', _SEEDS)
  row: Row = {'steps': steps, 'seeds': seeds}
  ours, theirs = 0.0, 0.0
  for name in _NAMES:
    pair = (_together(name, steps, seeds), _looped(name, steps, seeds))
    a, b = _in_turn(pair, conditions.repeats)
    row |= {f'{name}_seconds': round(a, 3), f'{name}_loop': round(b, 3)}
    ours, theirs = ours + a, theirs + b
  return {
    **row,
    'seconds': round(ours, 3),
    'loop_seconds': round(theirs, 3),
    'share_of_loop': round(ours / theirs, 3),
  }


def _in_turn(pair: tuple[Work, Work], repeats: int) -> tuple[float, float]:
  """Median seconds of each, after a call that compiles."""
  for work in pair:
    jax.block_until_ready(work())
  found: tuple[list[float], list[float]] = ([], [])
  for _ in range(repeats):
    for seconds, work in zip(found, pair, strict=True):
      start = time.perf_counter()
      jax.block_until_ready(work())
      seconds.append(time.perf_counter() - start)
  return statistics.median(found[0]), statistics.median(found[1])


def _data() -> DistilledData:
  image = jax.random.normal(jax.random.key(1), (CLASSES * _IPC, *_SHAPE))
  return DistilledData(image, jnp.repeat(jnp.eye(CLASSES), _IPC, 0))


def _keys(seeds: int) -> jax.Array:
  return jax.random.split(jax.random.key(0), seeds)


def _together(name: str, steps: int, seeds: int) -> Work:
  """The learners of a protocol."""
  network = NETWORKS[name](_SHAPE, CLASSES)
  made = protocol('dc', Setting(_SHAPE, CLASSES, network=network, steps=steps))
  score, data, keys = made.score, _data(), _keys(seeds)
  assert isinstance(score, Tester)
  return lambda: score.fit(keys, data)


def _looped(name: str, steps: int, seeds: int) -> Work:
  """One learner after the other, a call for every step."""
  network = NETWORKS[name](_SHAPE, CLASSES, convolution='lax')
  optimizer = optax.chain(
    optax.add_decayed_weights(5e-4), optax.sgd(0.01, momentum=0.9)
  )
  step, data = _step(network, optimizer), _data()
  init = jax.jit(network.init)

  def train(key: jax.Array) -> PyTree:
    variables = init(key)
    state = optimizer.init(variables['params'])
    for _ in range(steps):
      variables, state = step(variables, state, data.image, data.label)
    return variables

  return lambda: [train(key) for key in _keys(seeds)]


def _step(
  network: Network, optimizer: optax.GradientTransformation
) -> Callable[..., Any]:
  @jax.jit
  def step(
    variables: PyTree, state: PyTree, image: jax.Array, label: jax.Array
  ) -> tuple[PyTree, PyTree]:
    def loss(params: PyTree) -> tuple[jax.Array, PyTree]:
      known = {**variables, 'params': params}
      out, new = network.apply(known, image, train=True)
      return soft_cross_entropy(out.logits, label).mean(), new

    gradient, new = jax.grad(loss, has_aux=True)(variables['params'])
    updates, state = optimizer.update(gradient, state, variables['params'])
    params = optax.apply_updates(variables['params'], updates)
    return {**new, 'params': params}, state

  return step
