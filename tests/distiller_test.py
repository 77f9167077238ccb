"""The builder of methods, on a method small enough to check by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from dd_jax.distiller import Budget, State, budget, fresh_buffers, from_loss
from dd_jax.models import ModelPool
from dd_jax.parameterization import Parameterization
from dd_jax.training import Model
from dd_jax.types import DistilledData, LabeledData

KEY = jax.random.key(0)
STEP = jnp.int32(0)
PARAMETERIZATION = Parameterization(
  lambda key, source: ({'image': jnp.full((2, 1, 1, 1), 3.0)}, {'scale': 2.0}),
  lambda params, constants: LabeledData(
    constants['scale'] * params['image'], jnp.eye(2)
  ),
)


def quadratic(learned, batch, context):
  """Half the squared distance of `2 image` to the batch, times `extra`."""
  del context
  gap = learned.data.image - batch
  value = 0.5 * jnp.sum(gap**2) * learned.extra.get('factor', 1.0)
  return value, {'gap': jnp.abs(gap).max()}


def make(loss=quadratic, **settings):
  return from_loss(
    PARAMETERIZATION,
    optax.sgd(0.1),
    loss,
    sample=lambda key, step, source: jnp.ones((2, 1, 1, 1)),
    **settings,
  )


def once(method, state=None):
  state = method.init(KEY, None) if state is None else state
  return method.update(KEY, STEP, state, method.sample(KEY, STEP, None))


def test_a_step_of_gradient_descent():
  state, metrics = once(make())
  # 2 x = 6, so the loss is 25/2 twice and its gradient 2 (6 - 1) = 10 each.
  assert metrics['loss'] == 25 and metrics['gap'] == 5
  np.testing.assert_allclose(metrics['grad_norm'], np.sqrt(200), rtol=1e-6)
  np.testing.assert_allclose(state.params['data']['image'], 2.0, rtol=1e-6)
  assert state.constants['scale'] == 2
  data = make().distilled(state)
  np.testing.assert_allclose(data.image, 4.0, rtol=1e-6)
  assert data.step_size is None and data.temperature is None


def test_what_is_learned_is_projected():
  held = PARAMETERIZATION._replace(
    project=lambda params: {'image': jnp.clip(params['image'], 2.5, 9.0)}
  )
  method = from_loss(
    held,
    optax.sgd(0.1),
    quadratic,
    sample=lambda key, step, source: jnp.ones((2, 1, 1, 1)),
  )
  state, _ = once(method)
  np.testing.assert_allclose(state.params['data']['image'], 2.5, rtol=1e-6)


def test_extra_is_held_without_its_optimiser():
  state, _ = once(make(extra={'factor': jnp.float32(2)}))
  assert state.params['extra']['factor'] == 2
  np.testing.assert_allclose(state.params['data']['image'], 1.0, rtol=1e-6)


def test_extra_moves_by_its_own_optimiser():
  method = make(
    extra={'factor': jnp.float32(2)}, extra_optimizer=optax.sgd(0.01)
  )
  state, _ = once(method)
  # The gradient of the factor is the plain loss, 25.
  np.testing.assert_allclose(state.params['extra']['factor'], 1.75, rtol=1e-6)
  np.testing.assert_allclose(state.params['data']['image'], 1.0, rtol=1e-6)


def counter(retires_at):
  """A pool of one whose network is the number of steps that it took."""

  def put(key, models, slot, model):
    del key, models
    fresh = Model(jnp.float32(0), (), jnp.int32(0))
    old = model.age > retires_at
    return slot, jax.tree.map(lambda a, b: jnp.where(old, a, b), fresh, model)

  return ModelPool(
    init=lambda key, source: (0, Model(jnp.float32(0), (), jnp.int32(0))),
    pick=lambda key, models: models,
    put=put,
    retiring=lambda model: model.age >= retires_at,
  )


def test_advance_moves_the_network_until_it_retires():
  def advance(learned, batch, context):
    del learned, batch
    model = context.model
    return model._replace(variables=model.variables + 1, age=model.age + 1)

  method = make(models=counter(2), advance=advance)
  state, seen = method.init(KEY, None), []
  for _ in range(4):
    state, _ = once(method, state)
    model = state.models[1]
    seen.append((int(model.variables), int(model.age)))
  # The third step is not spent on a network that is about to go.
  assert seen == [(1, 1), (2, 2), (0, 0), (1, 1)]


def test_without_advance_a_network_grows_older():
  state, _ = once(make(models=counter(9)))
  assert state.models[1].age == 1 and state.models[1].variables == 0


def test_advance_sees_what_the_step_made():
  seen = {}

  def advance(learned, batch, context):
    del batch
    seen['image'] = learned.data.image
    return context.model._replace(
      variables=learned.data.image.mean(), age=context.model.age + 1
    )

  state, _ = once(make(models=counter(9), advance=advance))
  np.testing.assert_allclose(state.models[1].variables, 4.0, rtol=1e-6)


def test_the_loss_gets_step_and_network():
  def loss(learned, batch, context):
    value, metrics = quadratic(learned, batch, context)
    return value, {
      **metrics,
      'step': context.step,
      'age': context.model.age,
      'draw': jax.random.uniform(context.key),
    }

  method = make(loss, models=counter(9))
  state = method.init(KEY, None)
  batch = method.sample(KEY, STEP, None)
  _, first = method.update(KEY, jnp.int32(7), state, batch)
  _, other = method.update(jax.random.key(1), jnp.int32(7), state, batch)
  assert first['step'] == 7 and first['age'] == 0
  assert first['draw'] != other['draw']


def test_fresh_buffers():
  a = jnp.ones(3)
  tree = fresh_buffers({'a': a, 'weak': 2.0, 'n': jnp.arange(2)})
  pointer = lambda x: x.unsafe_buffer_pointer()
  assert pointer(tree['a']) != pointer(a)
  assert not any(x.weak_type for x in jax.tree.leaves(tree))
  assert tree['n'].dtype == jnp.int32


@pytest.mark.parametrize('extra', [{}, {'temperature': jnp.ones(5)}])
def test_budget(extra):
  """Params and constants that decode; neither optimiser nor networks."""
  state = State(
    {'data': {'image': jnp.ones((4, 3))}, 'extra': extra},
    {'class': jnp.arange(4, dtype=jnp.int32), 'mean': jnp.ones(3)},
    opt_state=jnp.ones(100),
    models=jnp.ones(100),
  )
  assert budget(state) == Budget(floats=15, bytes=4 * (12 + 4 + 3))


def test_average_follows_what_is_learned_and_is_delivered():
  method = make(average=0.75)
  state, _ = once(method)
  # From 3 the step leads to 2; the average goes a quarter of the way.
  np.testing.assert_allclose(state.params['data']['image'], 2.0, rtol=1e-6)
  np.testing.assert_allclose(state.average['image'], 2.75, rtol=1e-6)
  np.testing.assert_allclose(method.distilled(state).image, 5.5, rtol=1e-6)


def test_gradient_replaces_that_of_the_loss():
  def ones(loss, decode, params, batch, context):
    result = loss(decode(params), batch, context)
    return result, jax.tree.map(jnp.ones_like, params)

  state, metrics = once(make(gradient=ones))
  assert metrics['loss'] == 25
  np.testing.assert_allclose(state.params['data']['image'], 2.9, rtol=1e-6)


def test_deliver_says_what_else_a_learner_must_know():
  method = make(
    extra={'factor': jnp.float32(2)},
    deliver=lambda learned: DistilledData(
      *learned.data, step_size=learned.extra['factor']
    ),
  )
  assert method.distilled(method.init(KEY, None)).step_size == 2
