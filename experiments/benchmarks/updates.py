"""One outer step of any method at small sizes, and its gradient."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from dd_jax.data.source import ResidentSource, resident
from dd_jax.distiller import Distiller
from dd_jax.experts import with_experts
from dd_jax.platform import Platform
from dd_jax.run import parts, recipe
from dd_jax.types import PyTree
from experiments.benchmarks.measure import CLASSES, Conditions
from experiments.benchmarks.sizes import Caps, capped
from experiments.benchmarks.timing import random_experts

EXAMPLES = 320


class Problem(NamedTuple):
  """What a method is made of, and what it reads.

  Attributes:
    config: of the method, Adam its optimiser: it keeps the gradient.
    source: images in ten classes, with experts where the method reads them.
  """

  config: recipe.Config
  source: Any

  def method(self, platform: Platform | None = None) -> Distiller:
    """Built for that kind of device; by default that at hand."""
    shape = self.source.image_shape
    setting = parts.Setting(shape, CLASSES, platform=platform)
    return parts.build(self.config, setting)

  def arguments(self, method: Distiller) -> tuple[PyTree, ...]:
    """Of an outer step: key, step, first state, batch."""
    step = jnp.int32(0)
    state = method.init(jax.random.key(0), self.source)
    batch = method.sample(jax.random.key(1), step, self.source)
    return jax.random.key(2), step, state, batch


def problem(name: str, caps: Caps) -> Problem:
  """That of a method by its recipe, its sizes held below `caps`."""
  shape = Conditions(caps=caps).shape
  config = capped(recipe.default(name), caps)
  config['optimizer'] |= {'name': 'adam', 'momentum': 0.0, 'weight_decay': 0.0}
  if 'expert_labels' in config['method']:
    config['method']['expert_labels'] = False  # experts here know no classes
  source = classes(EXAMPLES, shape)
  if recipe.expert_span(config) is None:
    return Problem(config, source)
  experts = random_experts(config, shape)
  return Problem(config, with_experts(source, experts))


def gradient(state: PyTree) -> PyTree:
  """What the outer optimiser was given, up to a factor: Adam's first moment."""
  held = optax.tree.get_all_with_path(state.opt_state, 'mu')
  return jax.device_get([moment for _, moment in held])


def classes(count: int, shape: tuple[int, int, int]) -> ResidentSource:
  """Noise around a pattern of each class."""
  pattern = np.random.default_rng(0).normal(size=(CLASSES, *shape))
  label = np.arange(count) % CLASSES
  image = np.random.default_rng(count).normal(size=(count, *shape))
  image = (image + pattern[label]).astype(np.float32)
  return resident(image, label, CLASSES, None)
