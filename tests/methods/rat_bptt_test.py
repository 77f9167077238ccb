"""RaT-BPTT: where its window lies."""

import jax
import jax.numpy as jnp
import pytest
from unrolled import made, source

from dd_jax.methods.rat_bptt import rat_bptt
from dd_jax.types import UserError


def ends(count, **settings):
  """The last inner step of each outer step's unroll."""
  method = made(rat_bptt, window=2, **settings)
  state = method.init(jax.random.key(0), source())
  update = jax.jit(method.update)
  batch = method.sample(jax.random.key(1), jnp.int32(0), source())
  found = [
    update(jax.random.key(t), jnp.int32(t), state, batch)[1]['unroll_end']
    for t in range(count)
  ]
  return [int(x) for x in found]


def test_where_the_window_lies():
  assert set(ends(40, first_start=1)) == {3, 4, 5}
  assert set(ends(3, placement='end')) == {5}
  moving = ends(9, placement='forward', pace=2)
  assert moving == [2, 2, 3, 3, 4, 4, 5, 5, 5]


def test_real_images_are_augmented_where_that_is_asked_for():
  """As if they had been so before; those of the inner loop are three."""
  turned = lambda key, image: image if len(image) == 3 else -image
  batch = source().take(jnp.arange(6))

  def loss(augment, image):
    settings = {'inner_augment': augment, 'augment_real': True, 'window': 2}
    method = made(rat_bptt, **settings)
    state = method.init(jax.random.key(0), source())
    seen = batch._replace(image=image)
    step = jax.jit(method.update)
    return step(jax.random.key(1), jnp.int32(0), state, seen)[1]['loss']

  same = lambda key, image: image
  assert loss(turned, batch.image) == loss(same, -batch.image)
  assert loss(turned, batch.image) != loss(same, batch.image)


@pytest.mark.parametrize(
  'settings, words',
  [
    ({'window': 6}, 'window=6: allowed are 1 to 5'),
    ({'window': 0}, 'window=0'),
    ({'window': 4, 'first_start': 2}, 'first_start=2'),
    ({'window': 2, 'placement': 'mid'}, "placement='mid'"),
  ],
)
def test_refused_before_any_compute(settings, words):
  with pytest.raises(UserError) as error:
    made(rat_bptt, **settings)
  assert words in str(error.value) and '\n' not in str(error.value)
