import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from dd_jax.data import fitting, sampling, source
from dd_jax.types import UserError

# Unequal classes, out of order: 40 of class 0, 3 of class 1, 17 of class 2.
LABEL = np.random.RandomState(1).permutation(np.repeat([0, 1, 2], [40, 3, 17]))
# The first pixel is the example's own number.
IMAGE = np.random.RandomState(0).randint(0, 256, (60, 2, 3, 1), np.uint8)
IMAGE[:, 0, 0, 0] = np.arange(60)
NONE = fitting.fit('none', IMAGE)


def _resident():
  return source.resident(IMAGE, LABEL, 3, NONE)


def _host():
  return source.HostSource(IMAGE, LABEL.astype(np.int32), NONE, 3)


def _number(image):
  return np.round(np.asarray(image)[..., 0, 0, 0] * 255).astype(int)


SAMPLES = {
  'uniform': lambda key, step, src: sampling.uniform(key, src, 16),
  'per_class': lambda key, step, src: sampling.per_class(key, src, 4),
  'class_balanced': lambda key, step, src: sampling.class_balanced(
    key, src, 8),
  'each_step': lambda key, step, src: sampling.each_step(
    sampling.uniform, 16)(key, step, src),
  'sweep': lambda key, step, src: sampling.sweep(step, src, 7),
  'two at once': lambda key, step, src: {
    'a': sampling.uniform(key, src, 3),
    'b': (sampling.sweep(step, src, 2), jnp.ones(2))},
}  # fmt: skip


@pytest.mark.parametrize('make', [_resident, _host])
def test_take(make):
  taken = make().take(jnp.array([[5, 7], [0, 59]]))
  assert taken.image.shape == (2, 2, 2, 3, 1)
  assert taken.label.shape == (2, 2, 3)
  np.testing.assert_array_equal(_number(taken.image), [[5, 7], [0, 59]])
  np.testing.assert_array_equal(
    taken.label.argmax(-1), LABEL[[[5, 7], [0, 59]]]
  )


@pytest.mark.parametrize('make', [_resident, _host])
def test_shape_and_classes(make):
  src = make()
  assert len(src) == 60 and src.image_shape == (2, 3, 1)
  assert src.num_classes == 3 and src.class_table.shape == (3, 40)
  np.testing.assert_array_equal(src.class_count, [40, 3, 17])
  for c in range(3):
    row = np.asarray(src.class_table[c])
    members = np.flatnonzero(LABEL == c)
    assert set(row) == set(members)
    np.testing.assert_array_equal(row[: len(members)], members)


@pytest.mark.parametrize('field', ['image', 'label'])
def test_what_is_not_fetched_yet_cannot_be_looked_at(field):
  plan = source.HostSource(IMAGE, LABEL.astype(np.int32), NONE, 3).plan()
  with pytest.raises(UserError, match='sample: draws indices alone'):
    getattr(plan.take(jnp.arange(2)), field)


@pytest.mark.parametrize('name', SAMPLES)
def test_host_plan_and_fetch_equal_resident_take_inside_jit(name):
  sample = SAMPLES[name]
  resident, host = _resident(), _host()
  inside = jax.jit(sample)
  plan = jax.jit(functools.partial(sample, src=host.plan()))
  for step in range(3):
    key = jax.random.fold_in(jax.random.key(3), step)
    want = inside(key, step, resident)
    got = host.fetch(plan(key, step))
    assert jax.tree.structure(want) == jax.tree.structure(got)
    jax.tree.map(np.testing.assert_array_equal, want, got)


def test_memory_maps_will_do(tmp_path):
  np.save(tmp_path / 'x.npy', IMAGE)
  mapped = np.load(tmp_path / 'x.npy', mmap_mode='r')
  src = source.HostSource(mapped, LABEL.astype(np.int32), NONE, 3)
  np.testing.assert_array_equal(_number(src.take([3, 1]).image), [3, 1])


def test_a_resident_source_is_a_pytree_and_compiles_once():
  calls = []

  @jax.jit
  def run(src):
    calls.append(1)
    return src.take(jnp.arange(3))

  run(_resident())
  run(_resident())
  assert len(calls) == 1
  assert all(isinstance(x, jax.Array) for x in jax.tree.leaves(_resident()))


def _draw(sample, times=400):
  keys = jax.random.split(jax.random.key(0), times)
  return jax.jit(jax.vmap(sample, (0, None)))(keys, _resident())


def _is_uniform(number, members):
  """Pearson's test at about one in a million."""
  count = np.bincount(number.ravel(), minlength=60)[members]
  expected = count.sum() / len(members)
  statistic = ((count - expected) ** 2).sum() / expected
  freedom = max(1, len(members) - 1)
  return statistic < freedom + 5 * np.sqrt(2 * freedom) + 10


def test_uniform_draws_every_example_equally():
  drawn = _draw(lambda k, s: sampling.uniform(k, s, 60))
  assert _is_uniform(_number(drawn.image), np.arange(60))


def test_per_class_is_uniform_within_each_class():
  drawn = _draw(lambda k, s: sampling.per_class(k, s, 50))
  assert drawn.image.shape == (400, 50, 3, 2, 3, 1)
  number = _number(drawn.image)
  for c in range(3):
    members = np.flatnonzero(LABEL == c)
    assert set(number[..., c].ravel()) == set(members)
    assert _is_uniform(number[..., c], members)
    assert (drawn.label[..., c, :].argmax(-1) == c).all()


def test_class_balanced_is_balanced_and_uniform_within_each_class():
  drawn = _draw(lambda k, s: sampling.class_balanced(k, s, 50))
  label = np.asarray(drawn.label.argmax(-1))
  count = np.stack([(label == c).sum(1) for c in range(3)], 1)
  assert set(count.ravel()) == {16, 17} and (count.sum(1) == 50).all()
  # Which class comes short is drawn too.
  assert len(set(count.argmin(1))) == 3
  number = _number(drawn.image)
  for c in range(3):
    members = np.flatnonzero(LABEL == c)
    assert set(number[label == c]) == set(members)
    assert _is_uniform(number[label == c], members)


@pytest.mark.parametrize('batch', [1, 7, 20, 60, 100])
def test_a_sweep_covers_each_example_once(batch):
  src = _resident()
  steps = -(-60 // batch)
  for epoch in range(2):
    seen = []
    for step in range(epoch * steps, (epoch + 1) * steps):
      found = sampling.sweep(step, src, batch)
      number, weight = _number(found.data.image), np.asarray(found.weight)
      assert number.shape == weight.shape == (batch,)
      seen += number[weight == 1].tolist()
    assert seen == list(range(60))


def test_a_class_may_have_one_example():
  src = source.resident(IMAGE[:3], np.array([0, 1, 2]), 3, NONE)
  drawn = sampling.per_class(jax.random.key(0), src, 5)
  np.testing.assert_array_equal(_number(drawn.image), [[0, 1, 2]] * 5)


def test_same_key_same_batch():
  one, two, other = (
    sampling.uniform(jax.random.key(k), _resident(), 8) for k in (1, 1, 2)
  )
  np.testing.assert_array_equal(one.image, two.image)
  assert (_number(one.image) != _number(other.image)).any()
