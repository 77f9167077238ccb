"""Dataset distillation: its order of steps, its start, its own protocol."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from dd_jax.data.source import resident
from dd_jax.evaluation.protocols import Setting, protocol
from dd_jax.methods.dd import dd, train_in_order
from dd_jax.networks import Network, Outputs, mlp
from dd_jax.parameterization import pixels
from dd_jax.types import LabeledData, UserError

SHAPE, CLASSES = (2, 2, 1), 3


def linear():
  """`logits = x w`, from zero."""

  def apply(variables, image, train=False):
    x = image.reshape(image.shape[0], -1)
    return Outputs(x @ variables['params'], x, ()), variables

  return Network(lambda key: {'params': jnp.zeros((4, 3))}, apply)


def softmax(z):
  e = np.exp(z - z.max(-1, keepdims=True))
  return e / e.sum(-1, keepdims=True)


def test_steps_go_through_batches_in_order(x64):
  draw = np.random.default_rng(0)
  image = draw.normal(size=(6, *SHAPE))
  label = np.eye(3)[[0, 0, 1, 1, 2, 2]]  # class-major, two of each
  sizes = np.array([[0.1, 0.7], [0.3, 0.2], [0.5, 0.9]])
  data = LabeledData(jnp.asarray(image), jnp.asarray(label))
  network = linear()
  start = network.init(jax.random.key(0))
  found = train_in_order(network, start, data, jnp.asarray(sizes))
  w, x = np.zeros((4, 3)), image.reshape(6, 4)
  for epoch in range(3):
    for batch in range(2):
      rows = [batch, batch + 2, batch + 4]  # one image of every class
      residual = softmax(x[rows] @ w) - label[rows]
      w = w - sizes[epoch, batch] * x[rows].T @ residual / 3
  np.testing.assert_allclose(found.variables['params'], w, rtol=1e-10)


def source():
  draw = np.random.default_rng(1)
  label = np.arange(90) % CLASSES
  image = draw.normal(size=(90, *SHAPE)) + label[:, None, None, None]
  return resident(image.astype(np.float32), label, CLASSES, None)


def distilled(steps=30, **settings):
  network = mlp(SHAPE, CLASSES, width=8, depth=1)
  method = dd(
    pixels(2),
    network,
    optax.adam(0.05),
    batch_size=60,
    **{'step_size': 0.5, **settings},
  )
  state = method.init(jax.random.key(0), source())
  update = jax.jit(method.update)
  for t in range(steps):
    k_sample, k_update = jax.random.split(jax.random.key(t))
    batch = method.sample(k_sample, jnp.int32(t), source())
    state, metrics = update(k_update, jnp.int32(t), state, batch)
  return network, method.distilled(state), metrics


def test_a_set_for_one_start_is_scored_from_that_start():
  """What the last outer step saw is what its protocol reports, for any key."""
  network, data, _ = distilled(init_seed=7, batches=2)
  assert int(data.init_seed) == 7 and data.step_size.shape == (3, 2)
  assert np.all(np.asarray(data.step_size) > 0)
  chosen = protocol('dd', Setting(SHAPE, CLASSES, network=network))
  one, other = chosen.score(jax.random.split(jax.random.key(3)), data, source())
  assert one == other > 0.8
  start = network.init(jax.random.key(7))
  support = LabeledData(data.image, data.label)
  model = train_in_order(network, start, support, data.step_size)
  every = source().take(jnp.arange(90))
  logits = network.apply(model.variables, every.image)[0].logits
  by_hand = jnp.mean(logits.argmax(-1) == every.label.argmax(-1))
  assert one == pytest.approx(float(by_hand))


def test_random_starts_are_random():
  network, data, metrics = distilled(2)
  assert data.init_seed is None
  assert float(metrics['step_size']) == pytest.approx(0.5, abs=0.2)
  chosen = protocol('dd', Setting(SHAPE, CLASSES, network=network))
  scores = chosen.score(jax.random.split(jax.random.key(3), 4), data, source())
  assert len(set(np.asarray(scores).tolist())) > 1


def test_a_set_without_steps_is_trained_on_for_thirty():
  network, data, _ = distilled(1)
  chosen = protocol('dd', Setting(SHAPE, CLASSES, network=network))
  keys = jax.random.split(jax.random.key(3), 1)
  plain = data._replace(step_size=None)
  same = data._replace(step_size=jnp.full((30, 1), 0.02))
  assert chosen.score(keys, plain, source()) == chosen.score(
    keys, same, source()
  )


@pytest.mark.parametrize(
  'settings, words',
  [
    ({'step_size': 0.0}, 'step_size=0.0: must be above 0'),
    ({'step_size': -1.0}, 'step_size=-1.0'),
    ({'batches': 0}, 'batches=0'),
    ({'epochs': 0}, 'epochs=0'),
    ({'plan': 'auto'}, "plan='auto'"),
  ],
)
def test_refused_before_any_compute(settings, words):
  with pytest.raises(UserError) as error:
    distilled(0, **settings)
  assert words in str(error.value) and '\n' not in str(error.value)


def test_refuses_batches_that_do_not_divide_the_set():
  with pytest.raises(UserError, match='batches=4: must divide the number'):
    distilled(1, batches=4)
