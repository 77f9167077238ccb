"""MTT: its segments, its settings, its protocol."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from trajectories import (
  CLASSES,
  NETWORK,
  SHAPE,
  build,
  digits,
  matching,
  problem,
  source,
  updated,
)

from dd_jax import augment
from dd_jax.data.source import resident
from dd_jax.evaluation.protocols import Setting, protocol
from dd_jax.methods.student import Student
from dd_jax.networks import NETWORKS
from dd_jax.types import DistilledData, UserError


def test_several_segments_are_averaged():
  method = build(segments=4)
  batch = method.sample(jax.random.key(1), jnp.int32(0), source())
  assert batch.start.shape == batch.target.shape == (4, 547)
  assert set(np.asarray(batch.epoch)) <= {0, 1}
  data, _ = problem(jnp.float32)
  loss = lambda b: matching(data.image, 0.1, data, b, Student(NETWORK, 3))
  each = [
    loss(jax.tree.map(lambda a, i=i: a[i : i + 1], batch)) for i in range(4)
  ]
  assert float(loss(batch)) == pytest.approx(float(np.mean(each)), rel=1e-5)


def test_minibatches_and_augmentation_reach_the_student():
  settings = [
    {},
    {'support_batch': 2},
    {'inner_augment': augment.dsa('crop', siamese=False)},
  ]
  losses = [float(updated(build(**s))[1]['loss']) for s in settings]
  assert len(set(losses)) == 3


def test_an_exploding_student_leaves_no_finite_loss():
  """Which is what the driver stops at."""
  _, metrics = updated(build(step_size=1e20))
  assert not np.isfinite(metrics['loss'])


@pytest.mark.parametrize(
  'changes, words',
  [
    ({'step_size': 0.0}, 'step_size=0.0: must be above 0'),
    ({'step_size_rate': -1.0}, 'step_size_rate=-1.0'),
    ({'inner_steps': 0}, 'inner_steps=0'),
    ({'segments': 0}, 'segments=0'),
    ({'max_start': 0}, 'max_start=0'),
    ({'plan': 'none'}, "plan='none'"),
  ],
)
def test_settings_out_of_range_are_refused(changes, words):
  with pytest.raises(UserError) as error:
    build(**changes)
  assert words in str(error.value)


def test_the_protocol_uses_the_learned_step_size():
  network = NETWORKS['convnet'](SHAPE, CLASSES, width=4, depth=2)
  setting = Setting(SHAPE, CLASSES, network=network, steps=4)
  test = resident(*digits(), CLASSES, None)
  data, _ = problem(jnp.float32)
  keys = jax.random.split(jax.random.key(0), 4)
  score = lambda size: np.asarray(
    protocol('mtt', setting).score(keys, DistilledData(*data, size), test)
  )
  np.testing.assert_array_equal(score(None), score(jnp.float32(0.01)))
  assert np.any(score(None) != score(jnp.float32(3.0)))
