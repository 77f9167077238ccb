"""TESLA: the published approximation, its labels."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from trajectories import (
  NETWORK,
  build,
  cosine,
  descend,
  gradients,
  matching,
  plain,
  problem,
  updated,
)

from dd_jax.methods.student import Student
from dd_jax.methods.tesla import tesla


def two_passes(rate, dtype, num_steps):
  """TESLA's own formulas, one gradient after another, with the factor two."""
  data, segment = problem(dtype)
  unravel = ravel_pytree(NETWORK.init(jax.random.key(0))['params'])[1]
  start, target = segment.start[0], segment.target[0]

  def inner(flat, image):
    moved = descend(unravel(flat), data._replace(image=image), 1.0)
    return flat - ravel_pytree(moved)[0]

  flat, passed = start, []
  for _ in range(num_steps):
    passed.append(flat)
    flat = flat - rate * inner(flat, data.image)
  total = (start - flat) / rate
  weight = rate * (target - start) + rate**2 * total
  scale = 2 / jnp.sum((start - target) ** 2)
  found = sum(
    jax.grad(lambda x, p=p: inner(p, x) @ weight)(data.image) for p in passed
  )
  return np.ravel(scale * found)


def test_tesla_is_the_published_approximation(x64):
  student = Student(NETWORK, 10, exact=False)
  found = gradients(matching, 0.1, jnp.float64, student)[1]
  expected = two_passes(0.1, jnp.float64, 10)
  np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-14)


def test_tesla_is_exact_for_one_step_alone(x64):
  approximate = functools.partial(Student, NETWORK, exact=False)
  one = gradients(matching, 0.1, jnp.float64, approximate(1))[1]
  np.testing.assert_allclose(one, gradients(plain, 0.1, jnp.float64, 1)[1])
  many = gradients(matching, 0.1, jnp.float64, approximate(50))[1]
  exact = gradients(matching, 0.1, jnp.float64, Student(NETWORK, 50))[1]
  assert cosine(many, exact) < 0.999


def test_tesla_labels_are_the_targets():
  method = build(tesla, soft_labels=True)
  state, _ = updated(method)
  label = np.asarray(method.distilled(state).label)
  np.testing.assert_allclose(label.sum(-1), 1, rtol=1e-5)
  assert label.max() < 1
