"""The inner loop: its gradient is the adjoint recursion."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from unrolled import data

from dd_jax.methods.inner_loop import InnerLoop, unrolled_loss
from dd_jax.networks import Network, Outputs
from dd_jax.types import LabeledData

STEP_SIZE, MOMENTUM = 0.3, 0.9


def linear():
  """`logits = x w`, from the same small weights whatever the key."""

  def apply(variables, image, train=False):
    x = image.reshape(image.shape[0], -1)
    return Outputs(x @ variables['params'], x, ()), variables

  start = np.linspace(-0.3, 0.4, 12).reshape(4, 3)
  return Network(lambda key: {'params': jnp.asarray(start)}, apply)


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
  inner = InnerLoop(linear(), optax.sgd(STEP_SIZE, MOMENTUM), 4)

  def loss(support, start):
    batch = LabeledData(jnp.asarray(real), jnp.asarray(real_label))
    key = jax.random.key(0)
    return unrolled_loss(inner, support, batch, key, start, length, 'remat')[0]

  support = LabeledData(jnp.asarray(image), jnp.asarray(label))
  found = jax.jit(jax.grad(loss))(support, jnp.int32(start))
  expected = by_hand(image, label, real, real_label, start, length)
  for a, b in zip(found, expected, strict=True):
    np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)
