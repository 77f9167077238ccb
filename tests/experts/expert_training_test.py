"""Training experts: alone or together, stopped or not, from any source."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from jax.flatten_util import ravel_pytree

from dd_jax import augment
from dd_jax.experts import ExpertStore, parameter_shapes, unflatten
from dd_jax.experts.flat import flat_step
from dd_jax.losses import soft_cross_entropy
from dd_jax.networks import NETWORKS
from dd_jax.training import Batch, batch_gradient, fresh_model
from dd_jax.types import UserError


def arrays(store):
  return [np.asarray(store.read(i)) for i in range(len(store.experts))]


def same(a, b):
  assert len(a) == len(b)
  for x, y in zip(a, b, strict=True):
    np.testing.assert_array_equal(x, y)


def test_experts_learn_and_differ(trained):
  scores = [e['accuracy'] for e in trained.experts]
  assert min(scores) > 100 / 3 and np.mean(scores) > 50
  held = arrays(trained)
  assert held[0].shape == (4, 8 * 64 + 8 + 8 * 3 + 3)
  assert np.abs(held[0] - held[1]).max() > 0.01
  assert np.abs(held[0][1] - held[0][0]).max() > 1e-3


def test_only_the_epochs_asked_for_are_kept(school, trained, tmp_path):
  few = school.train(tmp_path / 'few', epochs=(1, 4))
  same(arrays(few), [a[[1, 3]] for a in arrays(trained)])


def test_a_stopped_store_goes_on_to_the_same_bits(school, trained, tmp_path):
  class Stop(Exception):
    pass

  def stop(done, total):
    if done > total / 2:
      raise Stop

  path = tmp_path / 'stopped'
  with pytest.raises(Stop):
    school.train(path, report=stop)
  assert len(ExpertStore.open(path).experts) == 1
  same(arrays(school.train(path)), arrays(trained))


def test_progress_ends_at_its_total(school, tmp_path):
  told = []
  school.train(tmp_path / 'told', report=lambda *place: told.append(place))
  assert told[-1] == (3 * 4 * 3, 3 * 4 * 3)
  assert told == sorted(told)


def test_a_host_source_trains_the_same_experts(school, trained, tmp_path):
  found = school.train(tmp_path / 'host', school.host)
  for a, b in zip(arrays(found), arrays(trained), strict=True):
    np.testing.assert_allclose(a, b, atol=1e-6)


def test_settings_that_change_experts(school, trained, tmp_path):
  settings = {
    'momentum': {'optimizer': optax.sgd(0.1, 0.9)},
    'augment': {'augment': augment.dsa('crop', siamese=False)},
    'epoch_steps': {'epoch_steps': 2},
    'rho': {'rho': 0.1, 'alpha': 0.3},
  }
  for name, change in settings.items():
    found = arrays(school.train(tmp_path / name, num_experts=1, **change))
    np.testing.assert_array_equal(found[0][0], arrays(trained)[0][0])
    assert np.abs(found[0][-1] - arrays(trained)[0][-1]).max() > 1e-4, name


def test_an_expert_that_diverges_is_not_kept(school, tmp_path):
  path = tmp_path / 'diverged'
  with pytest.raises(UserError, match=r'diverged: lower .*step_size'):
    school.train(path, optimizer=optax.sgd(1e38))
  assert ExpertStore.open(path).experts == []


def test_batch_statistics_are_refused():
  network = NETWORKS['convnet']((8, 8, 1), 3, width=4, depth=2, norm='batch')
  with pytest.raises(UserError, match='batch_stats'):
    parameter_shapes(network)


def test_unflatten_undoes_ravel(school):
  params = school.network.init(jax.random.key(0))['params']
  again = unflatten(parameter_shapes(school.network), ravel_pytree(params)[0])
  assert jax.tree.structure(again) == jax.tree.structure(params)
  same(jax.tree.leaves(again), jax.tree.leaves(params))


def flat_direction(p, g, above, rho, alpha):
  """FTD's direction in plain NumPy: `above(p)` is the gradient there."""
  climb = rho * p**2 * g / np.linalg.norm(np.abs(p) * g)
  second = above(p + climb)
  cosine = g @ second / np.linalg.norm(g) / np.linalg.norm(second)
  along = cosine * np.linalg.norm(g) * second / np.linalg.norm(second)
  return second - alpha * (g - along)


def test_flat_step_is_the_published_formula(school, x64):
  network, rate = school.network, 0.1
  model = fresh_model(network, optax.sgd(rate), jax.random.key(0))
  cast = lambda t: jax.tree.map(
    lambda a: a.astype(jnp.float64) if a.dtype == jnp.float32 else a, t
  )
  model = cast(model)
  batch = Batch(cast(school.real.take(jnp.arange(20))), jnp.ones(20))
  flat, unravel = ravel_pytree(model.variables['params'])

  def gradient(p):
    variables = {'params': unravel(jnp.asarray(p))}
    found, _ = batch_gradient(network, soft_cross_entropy, variables, batch)
    return np.asarray(ravel_pytree(found)[0])

  p = np.asarray(flat)
  direction = flat_direction(p, gradient(p), gradient, rho=0.5, alpha=0.3)
  moved = flat_step(
    network,
    optax.sgd(rate),
    soft_cross_entropy,
    model,
    batch,
    rho=0.5,
    alpha=0.3,
  )
  found = np.asarray(ravel_pytree(moved.variables['params'])[0])
  np.testing.assert_allclose(found, p - rate * direction, rtol=1e-9, atol=1e-12)
