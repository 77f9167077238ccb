"""BPTT and its window: the gradient, where the window lies, the clip."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from dd_jax.data.source import resident
from dd_jax.distiller import Context, Learned
from dd_jax.methods.bptt import (
  Inner,
  averaged_gradient,
  bptt,
  clip_to_average,
  rat_bptt,
  unrolled_loss,
)
from dd_jax.networks import Network, Outputs, mlp
from dd_jax.parameterization import pixels
from dd_jax.run import driver
from dd_jax.types import LabeledData, UserError

pytestmark = pytest.mark.usefixtures('quick_compiler')

SHAPE, CLASSES = (2, 2, 1), 3
STEP_SIZE, MOMENTUM = 0.3, 0.9


def linear():
  """`logits = x w`, from the same small weights whatever the key."""

  def apply(variables, image, train=False):
    x = image.reshape(image.shape[0], -1)
    return Outputs(x @ variables['params'], x, ()), variables

  start = np.linspace(-0.3, 0.4, 12).reshape(4, 3)
  return Network(lambda key: {'params': jnp.asarray(start)}, apply)


def data(seed, size):
  draw = np.random.default_rng(seed)
  image = draw.normal(size=(size, *SHAPE))
  return image, draw.dirichlet(np.ones(CLASSES), size)


def softmax(z):
  e = np.exp(z - z.max(-1, keepdims=True))
  return e / e.sum(-1, keepdims=True)


def by_hand(image, label, real, real_label, start, length):
  """The adjoint recursion of SGD with momentum on a linear model, in NumPy.

  Back from the end, with `u` the adjoint of the momentum buffer: each step adds
  to `u`, and one Hessian-vector product carries it to the step before and to
  the images and labels.
  """
  x, z = image.reshape(len(image), -1), real.reshape(len(real), -1)
  w = np.linspace(-0.3, 0.4, 12).reshape(4, 3)
  v, kept = np.zeros_like(w), []
  for _ in range(start + length):
    kept.append(w)
    g = x.T @ (softmax(x @ w) * label.sum(1, keepdims=True) - label) / len(x)
    v = MOMENTUM * v + g
    w = w - STEP_SIZE * v
  adjoint = z.T @ (softmax(z @ w) - real_label) / len(z)
  u, dx, dy = np.zeros_like(w), np.zeros_like(x), np.zeros_like(label)
  for w in kept[: start - 1 if start else None : -1]:
    u = MOMENTUM * u - STEP_SIZE * adjoint
    p, total = softmax(x @ w), label.sum(1, keepdims=True)
    r = p * total - label
    t = x @ u  # how the logits move along u
    jt = p * (t - (p * t).sum(1, keepdims=True)) * total
    adjoint = adjoint + x.T @ jt / len(x)
    dx += (r @ u.T + jt @ w.T) / len(x)
    dy += ((p * t).sum(1, keepdims=True) - t) / len(x)
  return dx.reshape(image.shape), dy


@pytest.mark.parametrize('start, length', [(0, 1), (0, 6), (4, 3)])
def test_the_gradient_is_the_adjoint_recursion(start, length, x64):
  (image, label), (real, real_label) = data(0, 4), data(1, 7)
  inner = Inner(linear(), optax.sgd(STEP_SIZE, MOMENTUM), 4)

  def loss(support, start):
    batch = LabeledData(jnp.asarray(real), jnp.asarray(real_label))
    key = jax.random.key(0)
    return unrolled_loss(inner, support, batch, key, start, length, 'remat')[0]

  support = LabeledData(jnp.asarray(image), jnp.asarray(label))
  found = jax.jit(jax.grad(loss))(support, jnp.int32(start))
  expected = by_hand(image, label, real, real_label, start, length)
  for a, b in zip(found, expected, strict=True):
    np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


def source():
  draw = np.random.default_rng(2)
  image = draw.normal(size=(60, *SHAPE)).astype(np.float32)
  return resident(image, np.arange(60) % CLASSES, CLASSES, None)


def made(method, **settings):
  sizes = {'batch_size': 6, 'inner_steps': 5, **settings}
  network = mlp(SHAPE, CLASSES, width=4, depth=1)
  return method(pixels(1), network, optax.adam(1e-2), **sizes)


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


def test_several_networks_are_the_mean_of_each():
  network = mlp(SHAPE, CLASSES, width=4, depth=1)
  inner = Inner(network, optax.sgd(0.1), 3)
  image, label = (jnp.asarray(a, jnp.float32) for a in data(0, 3))
  batch = LabeledData(*(jnp.asarray(a, jnp.float32) for a in data(1, 6)))

  def loss(learned, batch, context):
    key = context.key
    return unrolled_loss(inner, learned.data, batch, key, 0, 3, 'plain')

  decode = lambda params: Learned(LabeledData(*params), {})
  context = Context(jax.random.key(4), jnp.int32(0), None)
  run = lambda count, context: averaged_gradient(count)(
    loss, decode, (image, label), batch, context
  )
  together = run(3, context)
  keys = jax.random.split(context.key, 3)
  alone = [run(1, context._replace(key=key)) for key in keys]
  mean = jax.tree.map(lambda *a: sum(a) / 3, *alone)
  for a, b in zip(
    jax.tree.leaves(together), jax.tree.leaves(mean), strict=True
  ):
    np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)


def test_clip_to_average():
  clip = clip_to_average(2.0, decay=0.5)
  state = clip.init({'a': jnp.zeros(2)})
  norms = []
  for size in (1.0, 1.0, 10.0, 1e10, 1.0):
    gradient = {'a': jnp.asarray([0.6 * size, 0.8 * size])}
    clipped, state = clip.update(gradient, state)
    norms.append(float(optax.tree.norm(clipped)))
  # The average is 1, 1, 1.5, 2.25, 1.625: of the norms as they were clipped.
  np.testing.assert_allclose(norms, [1, 1, 2, 3, 1], rtol=1e-6)
  assert float(state.norm) == pytest.approx(1.625)


@pytest.mark.parametrize('method', [bptt, rat_bptt])
def test_an_exploding_inner_loop_is_told_with_its_step(method):
  settings = {'window': 5} if method is rat_bptt else {}
  exploding = made(method, inner_optimizer=optax.sgd(1e30), **settings)
  with pytest.raises(driver.Diverged, match='step size') as error:
    driver.distill(exploding, source(), seed=0, num_steps=3)
  assert error.value.step == 1


REFUSED = {
  'window': (rat_bptt, {'window': 6}, 'window=6: allowed are 1 to 5'),
  'no window': (rat_bptt, {'window': 0}, 'window=0'),
  'start': (rat_bptt, {'window': 4, 'first_start': 2}, 'first_start=2'),
  'place': (rat_bptt, {'window': 2, 'placement': 'mid'}, "placement='mid'"),
  'plan': (bptt, {'plan': 'fast'}, "plan='fast': unknown; allowed are plain, "),
  'memory': (bptt, {'plan': 'auto', 'memory': 0.0}, 'memory=0.0'),
  'steps': (bptt, {'inner_steps': 0}, 'inner_steps=0'),
  'networks': (bptt, {'networks': 0}, 'networks=0'),
}


@pytest.mark.parametrize('name', REFUSED)
def test_refused_before_any_compute(name):
  method, settings, words = REFUSED[name]
  with pytest.raises(UserError) as error:
    made(method, **settings)
  assert words in str(error.value) and '\n' not in str(error.value)


def test_auto_refuses_a_budget_that_nothing_fits():
  method = made(bptt, plan='auto', memory=1e-9)
  state = method.init(jax.random.key(0), source())
  batch = method.sample(jax.random.key(1), jnp.int32(0), source())
  update = functools.partial(method.update, jax.random.key(2), jnp.int32(0))
  with pytest.raises(UserError, match='no plan of the unroll fits'):
    jax.eval_shape(update, state, batch)
