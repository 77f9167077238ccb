"""The inner loop: steps, epochs, several learners, chunks."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from dd_jax.losses import soft_cross_entropy, squared_error
from dd_jax.networks import Network, Outputs, convnet, frepo_convnet, mlp
from dd_jax.platform import ACCELERATOR, CPU
from dd_jax.training import (
  Batch,
  batch_gradient,
  cached_chunk,
  chunked_features,
  chunked_gradient,
  epochs,
  fresh_model,
  map_chunks,
  train,
  train_many,
  train_step,
)
from dd_jax.types import LabeledData


def numbered(n: int) -> LabeledData:
  """Example `i` is `i` all over."""
  number = jnp.arange(n, dtype=jnp.float32)
  return LabeledData(
    jnp.broadcast_to(number[:, None, None, None], (n, 2, 2, 1)),
    jnp.stack([number, -number], 1),
  )


def normal_data(n: int, *shape: int) -> LabeledData:
  draw = np.random.default_rng(0)
  image = jnp.asarray(draw.normal(size=(n, *shape)))
  return LabeledData(image, jax.nn.one_hot(jnp.arange(n) % 3, 3))


def linear() -> Network:
  """`logits = x w`, from zero weights."""

  def apply(variables, image, train=False):
    x = image.reshape(image.shape[0], -1)
    return Outputs(x @ variables['params'], x, ()), variables

  return Network(lambda key: {'params': jnp.zeros((4, 2))}, apply)


def test_a_step_is_the_gradient_of_the_weighted_mean():
  network, optimizer = linear(), optax.sgd(0.5)
  data = numbered(3)
  model = fresh_model(network, optimizer, jax.random.key(0))
  batch = Batch(data, jnp.asarray([1.0, 3.0, 0.0]))
  new = train_step(network, optimizer, squared_error, model, batch)
  x, y = np.asarray(data.image).reshape(3, 4), np.asarray(data.label)
  gradient = -(1 * np.outer(x[0], y[0]) + 3 * np.outer(x[1], y[1])) / 4
  np.testing.assert_allclose(new.variables['params'], -0.5 * gradient)
  assert new.age == 1 and new.age.dtype == jnp.int32


def test_a_step_keeps_tree_types_and_aux_and_moves_statistics():
  network = frepo_convnet((8, 8, 1), 3, width=2, depth=2)
  optimizer = optax.adam(1e-2)
  start = jax.jit(lambda key: fresh_model(network, optimizer, key))
  model = start(jax.random.key(0))._replace(aux={'window': jnp.zeros(3)})
  batch = Batch(normal_data(6, 8, 8, 1), jnp.ones(6))
  step = jax.jit(
    lambda m, b: train_step(network, optimizer, soft_cross_entropy, m, b)
  )
  new = step(model, batch)
  assert jax.tree.structure(new) == jax.tree.structure(model)
  for a, b in zip(jax.tree.leaves(model), jax.tree.leaves(new), strict=True):
    assert (a.shape, a.dtype, a.weak_type) == (b.shape, b.dtype, b.weak_type)
    assert not b.weak_type
  for name in ('params', 'batch_stats'):
    old, moved = (jax.tree.leaves(m.variables[name]) for m in (model, new))
    assert all(jnp.any(a != b) for a, b in zip(old, moved, strict=True))


def test_train_learns_and_one_program_serves_every_length():
  network, optimizer = mlp((2, 2, 1), 3, width=8), optax.adam(1e-2)
  data = normal_data(9, 2, 2, 1)
  traces = []

  @jax.jit
  def run(key, num_steps):
    traces.append(num_steps)
    batches, _ = epochs(key, data, 4)
    step = lambda m, b: train_step(network, optimizer, squared_error, m, b)
    model = fresh_model(network, optimizer, key)
    return train(step, model, batches, num_steps)

  def loss(model):
    out, _ = network.apply(model.variables, data.image)
    return float(squared_error(out.logits, data.label).mean())

  trained = {n: run(jax.random.key(0), n) for n in (0, 1, 300)}
  assert len(traces) == 1
  assert [int(m.age) for m in trained.values()] == [0, 1, 300]
  assert loss(trained[300]) < 0.5 * loss(trained[0])


def test_train_is_the_loop_written_out():
  network, optimizer = linear(), optax.sgd(0.01, momentum=0.9)
  batches, _ = epochs(jax.random.key(1), numbered(5), 2)
  step = lambda m, b: train_step(network, optimizer, squared_error, m, b)
  model = want = fresh_model(network, optimizer, jax.random.key(0))
  for i in range(4):
    want = step(want, batches(jnp.asarray(i)))
  got = train(step, model, batches, 4)
  for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(want), strict=True):
    np.testing.assert_allclose(a, b, rtol=1e-6)


@pytest.mark.parametrize('size, batch_size', [(10, 5), (10, 4), (7, 3), (5, 1)])
def test_an_epoch_holds_every_example_once(size, batch_size):
  data = numbered(size)
  batches, per_epoch = epochs(jax.random.key(0), data, batch_size)
  batches = jax.jit(batches)
  assert per_epoch == -(-size // batch_size)
  orders = []
  for epoch in range(3):
    seen = []
    for i in range(per_epoch):
      batch = batches(epoch * per_epoch + i)
      number = batch.data.image[:, 0, 0, 0]
      assert batch.weight.shape == number.shape == (batch_size,)
      assert set(np.asarray(batch.weight)) <= {0.0, 1.0}
      np.testing.assert_array_equal(batch.data.label[:, 1], -number)
      seen += list(np.asarray(number)[np.asarray(batch.weight) == 1])
    assert sorted(seen) == list(range(size))
    orders.append(tuple(seen))
  assert len(set(orders)) == 3


def test_a_batch_of_everything_is_the_data_in_order():
  data = numbered(4)
  for batch_size in (4, 9):
    batches, per_epoch = epochs(jax.random.key(0), data, batch_size)
    batch = batches(jnp.asarray(7))
    assert per_epoch == 1
    np.testing.assert_array_equal(batch.data.image, data.image)
    np.testing.assert_array_equal(batch.weight, np.ones(4))


@pytest.mark.parametrize('batch_size', [2, 4])
def test_every_batch_is_augmented_with_a_key_of_its_own(batch_size):
  augment = lambda key, image: image + jax.random.uniform(key)
  data = numbered(4)
  plain, _ = epochs(jax.random.key(0), data, batch_size)
  batches, _ = epochs(jax.random.key(0), data, batch_size, augment)
  added = []
  for i in (0, 1, 2, 1):
    extra = batches(i).data.image - plain(i).data.image
    np.testing.assert_allclose(extra, extra[0, 0, 0, 0], atol=1e-6)
    np.testing.assert_array_equal(batches(i).data.label, plain(i).data.label)
    added.append(float(extra[0, 0, 0, 0]))
  np.testing.assert_allclose(added[1], added[3], atol=1e-6)
  assert len({round(a, 4) for a in added[:3]}) == 3


def test_one_by_one_equals_batched(x64):
  network, optimizer = convnet((8, 8, 1), 3, width=2), optax.sgd(0.1)
  data = normal_data(6, 8, 8, 1)

  def one(key):
    batches, _ = epochs(key, data, 3)
    step = lambda m, b: train_step(network, optimizer, squared_error, m, b)
    model = fresh_model(network, optimizer, key)
    model = train(step, model, batches, 3)
    return network.apply(model.variables, data.image)[0].logits

  keys = jax.random.split(jax.random.key(0), 3)
  mapped, batched = (
    jax.jit(lambda keys, p=p: train_many(one, keys, p))(keys)
    for p in (CPU, ACCELERATOR)
  )
  assert mapped.shape == (3, 6, 3)
  assert jnp.all(jnp.std(mapped, 0) > 0)
  # The initial weights are float32, the steps float64.
  np.testing.assert_allclose(mapped, batched, rtol=1e-6, atol=1e-7)


def test_the_platform_chooses_how_learners_are_trained():
  keys = jax.random.split(jax.random.key(0), 3)
  for platform, loop in ((CPU, True), (ACCELERATOR, False)):
    run = lambda k, p=platform: train_many(jax.random.normal, k, p)
    assert ('scan' in str(jax.make_jaxpr(run)(keys))) == loop


@pytest.mark.parametrize('n, size', [(6, 3), (7, 3), (2, 3), (1, 1), (5, 32)])
def test_chunks_equal_the_whole(n, size):
  x = jnp.asarray(np.random.default_rng(0).normal(size=(n, 3)))
  function = lambda x: {'row': x[:, :1] * 2, 'deep': (jnp.sin(x),)}
  got, want = map_chunks(function, x, size), function(x)
  assert jax.tree.structure(got) == jax.tree.structure(want)
  for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(want), strict=True):
    np.testing.assert_allclose(a, b, rtol=1e-6)


def test_no_pass_is_larger_than_a_chunk():
  sizes = []

  def function(x):
    sizes.append(len(x))
    return x

  map_chunks(function, jnp.zeros((10, 2)), 4)
  assert sizes == [4, 2]


def close(got, want):
  assert jax.tree.structure(got) == jax.tree.structure(want)
  for a, b in zip(jax.tree.leaves(got), jax.tree.leaves(want), strict=True):
    np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


def double(tree):
  return jax.tree.map(lambda a: a.astype(jnp.float64), tree)


def with_room_for(examples):
  """A CPU whose cache holds so many examples of `small_net`; none: any."""
  held = 8 * (8 * 8 * 2 + 4 * 4 * 2 + 2 * 2 * 2)
  # At the least one byte: no room is not the same as no limit.
  return CPU._replace(activation_bytes=max(1, examples * held))


def small_net(norm='instance', platform=CPU):
  network = convnet((8, 8, 1), 3, width=2, depth=2, norm=norm)
  network = network._replace(platform=platform)
  return network, double(jax.jit(network.init)(jax.random.key(0)))


def gradients(function, network, variables, batch):
  return jax.jit(
    lambda variables, batch: function(network, squared_error, variables, batch)
  )(variables, batch)


@pytest.mark.parametrize(
  'n, fit, size', [(10, 10, 10), (10, 9, 5), (7, 3, 3), (9, 4, 3), (4, 0, 1)]
)
def test_a_chunk_fits_the_cache_and_divides(x64, n, fit, size):
  network, variables = small_net()
  taps = lambda image: network.apply(variables, image)[0].taps
  image = jnp.zeros((n, 8, 8, 1))
  assert cached_chunk(taps, image, with_room_for(fit)) == size
  assert cached_chunk(taps, image, ACCELERATOR) == n


@pytest.mark.parametrize('fit', [5, 3])
def test_a_gradient_in_chunks_is_the_whole_gradient(x64, fit):
  network, variables = small_net(platform=with_room_for(fit))
  weight = jnp.arange(10.0) % 4  # some count for nothing
  batch = Batch(normal_data(10, 8, 8, 1), weight)
  want = gradients(batch_gradient, network, variables, batch)
  close(gradients(chunked_gradient, network, variables, batch), want)


def test_statistics_of_a_batch_are_of_the_whole_batch(x64):
  network, variables = small_net('batch', with_room_for(3))
  batch = Batch(normal_data(6, 8, 8, 1), jnp.ones(6))
  want = gradients(batch_gradient, network, variables, batch)
  close(gradients(chunked_gradient, network, variables, batch), want)


@pytest.mark.parametrize('fit', [5, 3])
def test_features_in_chunks_have_the_whole_gradient(x64, fit):
  network, variables = small_net()
  image = normal_data(10, 8, 8, 1).image
  target = jax.random.normal(jax.random.key(1), (10, 8), image.dtype)

  def value_and_gradient(platform):
    def total(variables, image):
      apply = lambda x: network.apply(variables, x)[0]
      return jnp.vdot(chunked_features(apply, image, platform), target)

    return jax.jit(jax.value_and_grad(total, (0, 1)))(variables, image)

  close(value_and_gradient(with_room_for(fit)), value_and_gradient(ACCELERATOR))
