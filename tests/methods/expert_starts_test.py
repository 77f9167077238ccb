"""Sets that start from experts: which images, which labels."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree
from trajectories import (
  CLASSES,
  NETWORK,
  build,
  digits,
  source,
)

from dd_jax.experts import ResidentExperts, with_experts
from dd_jax.methods.datm import datm
from dd_jax.methods.expert_starts import expert_logits, right_images
from dd_jax.types import LabeledData, UserError


def test_datm_starts_from_images_that_an_expert_gets_right():
  untrained = ResidentExperts(source().experts.params[:, :1], jnp.arange(1))
  weak = with_experts(source().real, untrained)
  restricted = right_images(jax.random.key(0), NETWORK, weak, 2)
  image, label = digits()
  right = []
  for flat in weak.experts.last():
    unravel = ravel_pytree(NETWORK.init(jax.random.key(0))['params'])[1]
    logits = NETWORK.apply({'params': unravel(flat)}, image)[0].logits
    right.append(np.asarray(logits.argmax(-1)) == label)
  listed = np.unique(restricted.class_table)
  assert any(r[listed].all() for r in right)
  assert len(listed) < len(label)
  assert len(restricted) == len(weak)


def test_datm_labels_are_what_right_experts_say():
  method = build(datm, 'logits', ipc=2)
  state = method.init(jax.random.key(0), source())
  data = method.distilled(state)
  one_hot = jnp.repeat(jnp.eye(CLASSES), 2, 0)
  logits, count = expert_logits(
    NETWORK, source().experts.last(), LabeledData(data.image, one_hot)
  )
  assert int(count.min()) >= 1
  np.testing.assert_allclose(data.label, jax.nn.softmax(logits), rtol=1e-5)
  assert np.array_equal(data.label.argmax(-1), one_hot.argmax(-1))


def test_datm_refuses_labels_it_cannot_set():
  for labels in ('fixed', 'free'):
    with pytest.raises(UserError, match='labels'):
      build(datm, labels, ipc=2).init(jax.random.key(0), source())
  plain_start = build(datm, 'fixed', ipc=2, expert_labels=False)
  plain_start.init(jax.random.key(0), source())


def test_datm_refuses_experts_that_get_too_little_right():
  wrong = ResidentExperts(source().experts.params * 0, source().experts.row)
  with pytest.raises(UserError, match='of class 1 right'):
    build(datm, 'logits', ipc=2).init(
      jax.random.key(0), with_experts(source().real, wrong)
    )
