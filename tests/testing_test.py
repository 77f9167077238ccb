"""The laws catch what breaks them, and pass what does not."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from dd_jax import testing
from dd_jax.data import sampling
from dd_jax.derivatives import held
from dd_jax.distiller import from_loss
from dd_jax.evaluation.protocols import PROTOCOLS, Protocol
from dd_jax.kernels import dense_kernel, linear_kernel
from dd_jax.methods.selection import herding
from dd_jax.networks import Network, convnet, mlp
from dd_jax.networks.network import Outputs
from dd_jax.parameterization import STARTS, Parameterization, memory, pixels
from dd_jax.testing import devices
from dd_jax.types import LabeledData, UserError

SHAPE, CLASSES = (8, 8, 1), 3


def square(learned, batch, context):
  """The images near the mean of a batch, the nearer the further they are."""
  del context
  gap = learned.data.image - batch.image.mean(0)
  return jnp.mean(gap**4), {}


def method(loss=square):
  def sample(key, step, source):
    del step
    return sampling.uniform(key, source, 4)

  support = pixels(2, start=STARTS['noise'])
  return from_loss(support, optax.sgd(0.1), loss, sample=sample)


def test_a_good_method_passes():
  testing.check_method(method)


def test_a_good_one_may_keep_a_key_in_its_state():
  def make():
    base = method()

    def init(key, source):
      return base.init(key, source)._replace(models=jax.random.clone(key))

    def update(key, step, state, batch):
      state, metrics = base.update(key, step, state, batch)
      return state._replace(models=jax.random.fold_in(state.models, 1)), metrics

    return base._replace(init=init, update=update)

  testing.check_method(make)


# A method for every way to break a law: `(base) -> method`.


def in_state(change):
  """A method whose first state is changed: `change(state, source)`."""
  return lambda base: base._replace(
    init=lambda key, source: change(base.init(key, source), source)
  )


def in_update(change):
  """A method whose updates are changed: `change(state, metrics)`."""
  return lambda base: base._replace(
    update=lambda *given: change(*base.update(*given))
  )


def in_set(change):
  return lambda base: base._replace(
    distilled=lambda state: change(base.distilled(state))
  )


def counting(base):
  """Keeps a counter in Python."""
  count = itertools.count()

  def update(*given):
    state, metrics = base.update(*given)
    return state, {**metrics, 'calls': jnp.float32(next(count))}

  return base._replace(update=update)


def iterating(base):
  """Takes batches from an iterator."""
  count = itertools.count()
  return base._replace(
    sample=lambda key, step, source: source.take(
      (jnp.arange(4) + next(count)) % len(source)
    )
  )


def remembering(base):
  """Gives its first state to everybody."""
  held = []

  def init(key, source):
    held.extend([] if held else [base.init(key, source)])
    return held[0]

  return base._replace(init=init)


def stronger(base):
  """Takes a weakly typed state, and gives another."""
  add = lambda s, m: (s._replace(models=s.models + jnp.float32(1)), m)
  return in_update(add)(in_state(weak)(base))


def shared(state, source):
  return state._replace(models=state.params['data']['image'])


def of_source(state, source):
  return state._replace(models=source.image)


def weak(state, source):
  return state._replace(models=jnp.asarray(1.0))


def eager(base):
  """Looks into the batch before it is fetched."""

  def sample(key, step, source):
    batch = base.sample(key, step, source)
    return batch._replace(image=batch.image / batch.image.max())

  return base._replace(sample=sample)


def stepping(base):
  """Needs the step as a Python number."""
  return base._replace(
    sample=lambda key, step, source: source.take(jnp.arange(4) + int(step) % 9)
  )


def whole_batch(base):
  return base._replace(
    sample=lambda key, step, source: source.take(jnp.arange(len(source)))
  )


def scalar(base):
  return base._replace(
    sample=lambda key, step, source: (base.sample(key, step, source), step)
  )


@jax.custom_batching.custom_vmap
def doubled(x):
  return x


@doubled.def_vmap
def _doubled(size, batched, x):
  return 2 * x, batched[0]


def lost(state, metrics):
  """What it moves by is a constant to whoever differentiates it."""
  return jax.lax.stop_gradient(state), metrics


def in_single(state, metrics):
  to = lambda a: a.astype(jnp.float32) if a.dtype == jnp.float64 else a
  return jax.tree.map(to, state), metrics


def in_double(state, metrics):
  to = lambda a: a.astype(jnp.float64) if a.dtype == jnp.float32 else a
  return jax.tree.map(to, state), metrics


def for_cpu(state, metrics):
  values = jnp.linalg.eigvals(jnp.eye(2) * metrics['loss'])
  return state, {**metrics, 'value': jnp.real(values[0])}


def larger(data):
  return data._replace(
    image=jnp.concatenate([data.image] * 2),
    label=jnp.repeat(jnp.eye(CLASSES), 4, 0),
  )


BROKEN = {
  'weak state': ('closed', in_state(weak), 'weakly typed'),
  'other dtype': (
    'closed',
    in_update(lambda s, m: (s._replace(models=jnp.ones(2)), m)),
    'became',
  ),
  'no loss': ('closed', in_update(lambda s, m: (s, {})), 'no loss'),
  'two traces': ('compiles_once', stronger, 'traced 2 times'),
  'not finite': (
    'compiles_once',
    in_update(lambda s, m: (s, {'loss': m['loss'] / 0})),
    "['loss'] are not finite",
  ),
  'counter': ('pure', counting, 'traced twice, is two programs'),
  'noise': (
    'pure',
    in_state(lambda s, _: s._replace(models=jnp.asarray(np.random.rand(2)))),
    'the same init twice',
  ),
  'iterator': ('sample_is_pure', iterating, 'same key and step'),
  'one batch': ('sample_varies', whole_batch, 'all keys and steps'),
  'looks inside': ('sources_agree', eager, 'before they are fetched'),
  'forgets': ('whole', in_state(weak), 'weakly typed float32[] became'),
  'no axis': ('leading_axis', scalar, "['[1]'] of a batch"),
  'two leaves': ('fresh_buffers', in_state(shared), 'shares its buffer with'),
  'of the source': ('fresh_buffers', in_state(of_source), '[2] is the source'),
  'another tree': (
    'structure',
    lambda base: base._replace(structure=in_state(weak)(base).init),
    'became',
  ),
  'one state': ('donated', remembering, 'lost its buffers'),
  'odd': (
    'shapes', in_set(lambda d: d._replace(image=d.image[:-1])), '5 images'
  ),
  'labels': (
    'shapes', in_set(lambda d: d._replace(label=d.label[:, :2])), '(6, 2)'
  ),
  'order': (
    'class_major', in_set(lambda d: d._replace(label=d.label[::-1])), '[[2, 2]'
  ),
  'noisy set': (
    'distilled_is_pure',
    in_set(lambda d: d._replace(step_size=jnp.asarray(np.random.rand()))),
    'step_size has other values',
  ),
  'hidden': ('counted', in_set(larger), '402 floats for 768 pixels'),
  'cpu alone': ('lowers', in_update(for_cpu), 'tpu'),
  'batched': (
    'under_vmap',
    in_update(lambda s, m: (s, {'loss': doubled(m['loss'])})),
    'alone and at once, differ by',
  ),
  'python step': ('inside_scan', stepping, 'ConcretizationTypeError'),
  'stopped': ('under_grad', in_update(lost), 'where the difference is'),
  'float32': ('in_float64', in_update(in_single), 'float64[6, 8, 8, 1] became'),
  'float64': ('in_float32', in_update(in_double), 'float32[6, 8, 8, 1] became'),
}  # fmt: skip
"""The law, how it is broken, and what is said."""


@pytest.mark.parametrize('name', BROKEN)
def test_a_broken_law_is_named(name):
  law, breaking, words = BROKEN[name]
  others = {*testing.LAWS, *testing.PROGRAMS} - {law}
  with pytest.raises(AssertionError) as error:
    testing.check_method(lambda: breaking(method()), skip=others)
  assert str(error.value).startswith(f'{law}: ')
  assert words in str(error.value), error.value


def test_orbax_needs_arrays():
  make = lambda: in_state(lambda s, _: s._replace(models='text'))(method())
  with pytest.raises(Exception, match=r'text|str'):
    testing.programs.through_orbax(testing.case(make))


def test_every_law_has_a_method_that_breaks_it():
  tried = {law for law, _, _ in BROKEN.values()} | {'through_orbax'}
  assert tried == {*testing.LAWS, *testing.PROGRAMS}


def test_an_unknown_law_is_refused():
  with pytest.raises(UserError, match="skip='pur': unknown"):
    testing.check_method(method, skip=('pur',))


def test_a_constant_of_the_gradient_alone_has_a_derivative():
  """What `held` is for: `stop_gradient` in its place breaks the law."""

  def loss(stop):
    def scaled(learned, batch, context):
      value, metrics = square(learned, batch, context)
      return value * stop(jnp.sum(learned.data.image**2)), metrics

    return scaled

  testing.programs.under_grad(lambda: method(loss(held)))
  with pytest.raises(AssertionError, match='where the difference is'):
    testing.programs.under_grad(lambda: method(loss(jax.lax.stop_gradient)))


FOUND = devices.Found(examples=4, split=2, float64=1e-12, cosine=1.0)


@pytest.mark.parametrize(
  ('changes', 'words'),
  [
    ({'split': 4}, '4 of 4 examples'),
    ({'float64': 1e-7}, 'differ by 1.0e-07'),
    ({'cosine': 0.99}, 'is 0.990000'),
  ],
)
def test_two_devices_that_do_not_agree(changes, words):
  devices.check(FOUND)
  with pytest.raises(AssertionError, match=f'two devices: .*{words}'):
    devices.check(FOUND._replace(**changes))


@pytest.mark.slow  # the contract asks it of methods every day
def test_two_devices_agree_in_a_process_that_has_them(on_two_devices):
  code = (
    'import testing_test\n'
    'from dd_jax.testing import devices\n'
    'devices.agree(testing_test.method)\n'
    "print('agree')"
  )
  assert on_two_devices('-c', code) == 'agree\n'
  if jax.device_count() == 1:
    with pytest.raises(AssertionError, match='two devices: this process has 1'):
      devices.agree(method)


# The other parts.


def small_mlp():
  return mlp(SHAPE, CLASSES, width=8, depth=1)


def changed_network(change):
  """The MLP, its outputs changed: `change(outputs)`."""
  base = small_mlp()

  def apply(variables, image, train=False):
    out, variables = base.apply(variables, image, train)
    return change(out), variables

  return Network(base.init, apply)


def promoting():
  base = small_mlp()

  def apply(variables, image, train=False):
    out, _ = base.apply({'params': variables['params']}, image, train)
    mean = variables['batch_stats'] if not train else image.mean()
    return out, {**variables, 'batch_stats': mean}

  init = lambda key: {**base.init(key), 'batch_stats': jnp.zeros((), 'float32')}
  return Network(init, apply)


NETWORKS = {
  'good': (small_mlp, ''),
  'one draw': (
    lambda: small_mlp()._replace(init=lambda key: small_mlp().init(KEY)),
    'init: the same variables for every key',
  ),
  'no taps': (
    lambda: changed_network(lambda out: out._replace(taps=())), 'outputs: '
  ),
  'together': (
    lambda: changed_network(
      lambda out: out._replace(logits=out.logits - out.logits.mean(0))
    ),
    'alone: an image alone',
  ),
  'statistics': (promoting, 'trains: on float64 images'),
  'constant': (
    lambda: changed_network(
      lambda out: Outputs(jax.lax.stop_gradient(out.logits), *out[1:])
    ),
    'twice: it is zero',
  ),
}  # fmt: skip
KEY = jax.random.key(0)


@pytest.mark.parametrize('name', NETWORKS)
def test_networks(name):
  expect(NETWORKS[name], testing.check_network)


def test_batch_statistics_keep_their_type():
  testing.check_network(
    lambda: convnet(SHAPE, CLASSES, width=4, depth=1, norm='batch')
  )


def expect(row, check):
  """A part that is good passes; of another the law is named."""
  part, words = row
  if not words:
    check(part)
    return
  with pytest.raises(AssertionError) as error:
    check(part)
  assert str(error.value).startswith(words), error.value


def distance_kernel(x1, x2=None):
  """Has no derivative where two images are equal."""
  x1, x2 = (x.reshape(len(x), -1) for x in (x1, x1 if x2 is None else x2))
  return jnp.exp(-jnp.linalg.norm(x1[:, None] - x2[None], axis=-1))


def forgetful_kernel(x1, x2=None):
  """Has no gradient in its second argument."""
  if x2 is None:
    return linear_kernel('nngp')(x1, None)
  return linear_kernel('nngp')(x1, jax.lax.stop_gradient(x2))


KERNELS = {
  'good': (lambda: dense_kernel('ntk'), ''),
  'transposed': (lambda: lambda x, y=None: jnp.ones((2, 3)), 'entries: (2, 3)'),
  'lopsided': (
    lambda: lambda x, y=None: jnp.outer(
      x.sum((1, 2, 3)), (x if y is None else y)[:, 0, 0, 0]
    ),
    'symmetric: its transpose',
  ),
  'negative': (
    lambda: lambda x, y=None: -linear_kernel('nngp')(x, y), 'positive: '
  ),
  'not finite': (lambda: distance_kernel, 'finite: '),
  'forgetful': (lambda: forgetful_kernel, 'exact: in its second argument'),
}  # fmt: skip


@pytest.mark.parametrize('name', KERNELS)
def test_kernels(name):
  expect(KERNELS[name], testing.check_kernel)


def bases():
  return memory(2, SHAPE, CLASSES, bases=4)


def closing_over():
  """Decodes with what its own `init` drew, and stores it nowhere."""
  drawn = []

  def init(key, source):
    drawn.append(STARTS['real'](key, source, 2))
    return {'image': jnp.zeros_like(drawn[-1])}, {}

  def decode(params, constants):
    del constants
    image = params['image'] + (drawn[-1] if drawn else 0)
    return LabeledData(image, jnp.repeat(jnp.eye(CLASSES), 2, 0))

  return Parameterization(init, decode)


PARAMETERIZATIONS = {
  'good': (lambda: pixels(2, labels='simplex'), ''),
  'good, decoded': (bases, ''),
  'noise': (
    lambda: pixels(2)._replace(
      init=lambda key, source: ({'image': jnp.asarray(np.random.rand(3))}, {})
    ),
    'init: of the same key twice',
  ),
  'integers': (
    lambda: pixels(2)._replace(
      init=lambda key, source: ({'image': jnp.arange(6)}, {})
    ),
    'init: params that no gradient moves',
  ),
  'halved': (
    lambda: pixels(2)._replace(
      project=lambda params: jax.tree.map(lambda a: a / 2, params)
    ),
    'project: what it has allowed',
  ),
  'closing over': (closing_over, 'decode: made anew'),
}


@pytest.mark.parametrize('name', PARAMETERIZATIONS)
def test_parameterizations(name):
  expect(PARAMETERIZATIONS[name], testing.check_parameterization)


def scored(score, exact=False):
  """A protocol of that score: `(keys, data, test) -> accuracies`."""
  return lambda setting: Protocol('mine', score, exact)


def draw(keys, data, test):
  return jax.vmap(jax.random.uniform)(keys)


SCORES = {
  'good': (PROTOCOLS['krr-ntk'], ''),
  'percent': (scored(lambda k, d, t: jnp.full(len(k), 90.0)), 'accuracies: '),
  'one for all': (scored(lambda k, d, t: jnp.ones(1)), 'accuracies: '),
  'noise': (scored(lambda k, d, t: np.random.rand(len(k))), 'pure: '),
  'inexact': (scored(draw, exact=True), 'exact: '),
  'chance': (scored(lambda k, d, t: jnp.full(len(k), 0.2)), 'learns: '),
}


@pytest.mark.parametrize('name', SCORES)
def test_protocols(name):
  expect(SCORES[name], testing.check_protocol)


def chosen(index):
  return lambda key, source, ipc, features: index


SELECTIONS = {
  'good': (herding, ''),
  'a list': (chosen([[0]]), 'indices: list'),
  'too many': (chosen(np.zeros((3, 3), np.int32)), 'indices: (3, 3)'),
  'other class': (chosen(np.zeros((3, 2), np.int32)), 'indices: '),
  'twice': (
    chosen(np.array([[0, 0], [1, 1], [2, 2]], np.int32)), 'indices: [0 0]'
  ),
}  # fmt: skip


@pytest.mark.parametrize('name', SELECTIONS)
def test_selections(name):
  expect(SELECTIONS[name], testing.check_selection)
