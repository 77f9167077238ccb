"""Segments: the same from the device and from memory maps."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from dd_jax.experts import (
  ExpertSource,
  HostExperts,
  ResidentExperts,
  experts_of,
  load_experts,
  with_experts,
)
from dd_jax.experts.source import HostExpertSource, stored_bytes
from dd_jax.methods.mtt import mtt
from dd_jax.parameterization import pixels
from dd_jax.run.driver import distill
from dd_jax.types import UserError


@pytest.fixture
def sources(school, trained):
  """Resident, and three ways of being on the host."""
  resident, mapped = load_experts(trained), load_experts(trained, 0)
  return {
    'resident': with_experts(school.real, resident),
    'mapped': with_experts(school.real, mapped),
    'real on host': with_experts(school.host, resident),
    'both': with_experts(school.host, mapped),
  }


def test_the_byte_estimate_decides(trained):
  size = stored_bytes(trained)
  assert size == sum(trained.read(i).nbytes for i in range(3))
  assert isinstance(load_experts(trained, size), ResidentExperts)
  assert isinstance(load_experts(trained, size - 1), HostExperts)


def test_what_is_drawn_is_what_is_stored(trained, sources):
  experts = sources['resident'].experts
  found = experts.take(jnp.array([2, 0]), jnp.array([1, 2]), jnp.array([2, 4]))
  np.testing.assert_array_equal(found.start[0], trained.read(2)[1])
  np.testing.assert_array_equal(found.target[1], trained.read(0)[3])
  np.testing.assert_array_equal(found.epoch, [1, 2])
  np.testing.assert_array_equal(experts.last()[1], trained.read(1)[3])
  assert experts.count == 3


def make(school, **settings):
  return mtt(
    pixels(1, labels='fixed'),
    school.network,
    optax.sgd(0.1),
    inner_steps=2,
    expert_epochs=1,
    segments=2,
    step_size=0.1,
    **settings,
  )


def test_every_source_gives_the_same_segments(school, sources):
  method = make(school)
  draw = functools.partial(method.sample, jax.random.key(3), jnp.int32(5))
  assert isinstance(sources['resident'], ExpertSource)
  expected = draw(sources['resident'])
  for name in ('mapped', 'real on host', 'both'):
    source = sources[name]
    assert isinstance(source, HostExpertSource)
    for a, b in zip(source.fetch(draw(source.plan())), expected, strict=True):
      np.testing.assert_array_equal(a, b)
    assert source.experts.parameters == sources['resident'].experts.parameters
    np.testing.assert_array_equal(
      source.experts.last(), sources['resident'].experts.last()
    )


def test_every_source_gives_the_same_run(school, sources):
  runs = [
    distill(make(school), sources[name], seed=0, num_steps=3).data
    for name in ('resident', 'mapped')
  ]
  for a, b in zip(*map(jax.tree.leaves, runs), strict=True):
    np.testing.assert_array_equal(a, b)


def test_real_examples_are_still_there(school, sources):
  for source in sources.values():
    assert len(source) == 70 and source.image_shape == (8, 8, 1)
    image = source.take(jnp.array([1, 2])).image
    np.testing.assert_array_equal(image, school.real.image[1:3])
    np.testing.assert_array_equal(source.class_count, school.real.class_count)


def test_a_source_without_experts_is_refused(school):
  with pytest.raises(UserError, match='needs a source'):
    experts_of(school.real)
  with pytest.raises(UserError, match='needs a source'):
    make(school).init(jax.random.key(0), school.real)


def test_experts_of_another_network_are_refused(school):
  others = ResidentExperts(jnp.zeros((2, 5, 7)), jnp.arange(5))
  with pytest.raises(UserError, match='have 7 parameters'):
    make(school).init(jax.random.key(0), with_experts(school.real, others))
