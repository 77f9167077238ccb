"""The outer loop's program: the same one is compiled once."""

import jax
import numpy as np

from dd_jax.data.source import resident
from dd_jax.run import parts, recipe
from dd_jax.run.input_pipeline import input_pipeline
from dd_jax.run.loop import Programs, lowered
from dd_jax.run.placement import Placement


def program(rate):
  """As a run and what measures it lower it, each from its own objects."""
  rng = np.random.default_rng(0)
  image = rng.normal(size=(12, 4, 4, 1)).astype(np.float32)
  source = resident(image, np.arange(12, dtype=np.int32) % 3, 3, None)
  small = {'ipc': 1, 'method': {'batch_size': 4}}
  config = recipe.update(recipe.default('kip'), small)
  recipe.update(config, {'optimizer': {'learning_rate': rate}})
  method = parts.build(config, parts.Setting((4, 4, 1), 3))
  placement, key = Placement(None), jax.random.key(0)
  state = placement.put(method.init(key, source))
  read = input_pipeline(method, source, key, 0, placement)
  data = read.data(0)
  return lowered(method.update, read, placement, (state, key), 0), state, data


def test_the_last_program_is_not_compiled_again():
  programs = Programs()
  first, *_ = program(0.1)
  again, state, data = program(0.1)
  held = programs.compiled(first)
  assert programs.compiled(again) is held
  key, zero, one = jax.random.key(0), np.int32(0), np.int32(1)
  expected = again.compile()(
    jax.tree.map(jax.numpy.copy, state), key, data, zero, one
  )
  found = held(state, key, data, zero, one)
  jax.tree.map(np.testing.assert_array_equal, found, expected)


def test_another_constant_is_another_program():
  programs = Programs()
  held = programs.compiled(program(0.1)[0])
  assert programs.compiled(program(0.2)[0]) is not held
