"""The laws of `dd_jax.distiller.Distiller`, over every method that keeps them.

The laws are functions of `dd_jax.testing`, which says what each asks; those of
a method in someone else's program are in `programs_test.py`. A new method,
network or parameterization is one more line in `CASES`.

Run as a script with names of cases, this file compares one device with two (law
4) and prints what it found as JSON: devices can only be chosen before JAX
starts.
"""

import functools
import json
import pathlib
import sys
import tempfile

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from sklearn.datasets import load_digits

from dd_jax import augment, testing
from dd_jax.data.labels import LabelEncoding
from dd_jax.data.source import resident
from dd_jax.distiller import budget
from dd_jax.experts import (
  ExpertStore,
  Recipe,
  ResidentExperts,
  train_experts,
  with_experts,
)
from dd_jax.kernels import Ridge, dense_kernel, leaky_kernel, linear_kernel
from dd_jax.methods.bptt import bptt
from dd_jax.methods.cafe import cafe
from dd_jax.methods.closed_form import closed_form
from dd_jax.methods.datadam import datadam
from dd_jax.methods.datm import datm
from dd_jax.methods.dc import dc
from dd_jax.methods.dcc import dcc
from dd_jax.methods.dd import dd
from dd_jax.methods.dm import dm
from dd_jax.methods.dsa import dsa
from dd_jax.methods.frepo import frepo
from dd_jax.methods.ftd import ftd
from dd_jax.methods.idc import idc
from dd_jax.methods.idm import idm
from dd_jax.methods.kip import kip
from dd_jax.methods.label_distillation import label_distillation
from dd_jax.methods.label_distillation_ridge import label_distillation_ridge
from dd_jax.methods.label_solve import label_solve
from dd_jax.methods.m3d import m3d
from dd_jax.methods.mtt import mtt
from dd_jax.methods.rat_bptt import rat_bptt
from dd_jax.methods.rcig import rcig
from dd_jax.methods.rfad import rfad
from dd_jax.methods.selection import SELECTIONS, selection
from dd_jax.methods.tesla import tesla
from dd_jax.networks import NETWORKS, Network
from dd_jax.parameterization import (
  STARTS,
  frequency,
  from_distilled,
  generator,
  hallucinator,
  latent,
  memory,
  multi_formation,
  pixels,
)
from dd_jax.run import parts, recipe
from dd_jax.testing import devices, laws
from dd_jax.testing.cases import bits
from dd_jax.types import DistilledData, UserError

CLASSES = 3
IPC = 2
BATCH = 12
SHAPE = (8, 8, 1)
CENTRED = LabelEncoding('centred')


@functools.cache
def digits():
  bunch = load_digits(n_class=CLASSES)
  image = (bunch.images[:90, ..., None] - 5) / 6
  return image.astype(np.float32), bunch.target[:90].astype(np.int32)


def source(dtype=np.float32):
  image, label = digits()
  real = resident(image.astype(dtype), label, CLASSES, None)
  params = jnp.asarray(trajectories(), dtype)
  row = jnp.arange(params.shape[1], dtype=jnp.int32)
  return with_experts(real, ResidentExperts(params, row))


def small_mlp():
  return NETWORKS['mlp'](SHAPE, CLASSES, width=8, depth=1)


@functools.cache
def trajectories():
  """Three experts on the digits, each epoch of four: `[3, 5, parameters]`."""
  with jax.enable_x64(False), tempfile.TemporaryDirectory() as folder:
    image, label = digits()
    real = resident(image, label, CLASSES, None)
    made = {'recipe': {'count': 3, 'epochs': 4}, 'epochs': list(range(5))}
    store = ExpertStore.start(pathlib.Path(folder) / 'experts', made)
    how = Recipe(small_mlp(), optax.sgd(0.1), 3, 4, batch_size=30)
    train_experts(how, store, jax.random.key(0), real, real)
    return np.stack([store.read(i) for i in range(3)])


def image_set(**settings):
  return pixels(IPC, encoding=CENTRED, **settings)


def another_artefact():
  image = np.random.default_rng(0).normal(size=(IPC * CLASSES, *SHAPE))
  # On the device: a start that hands out this very buffer shares it.
  return from_distilled(DistilledData(jnp.asarray(image, jnp.float32), None))


def factorised(factory, **settings):
  return factory(IPC, SHAPE, CLASSES, encoding=CENTRED, **settings)


def with_adversary():
  small = {'hallucinators': 2, 'downsample': 2, 'labels': 'fixed'}
  judge = NETWORKS['mlp'](SHAPE, CLASSES, depth=1, width=4)
  return factorised(hallucinator, club=0.1, network=judge, **small)


FACTORISED = {
  'multi-formation': lambda: factorised(multi_formation, factor=3),
  'memory': lambda: factorised(memory, bases=4, labels='simplex'),
  'hallucinator': lambda: factorised(
    hallucinator, hallucinators=2, downsample=2
  ),
  'adversary': with_adversary,
  'frequency': lambda: factorised(frequency, labels='logits'),
  'latent': lambda: factorised(latent, size=2),
  'generator': lambda: factorised(generator, width=2, size=3),
}

# What is learned, by name; each also says what of it a gradient moves.
PARAMETERIZATIONS = {
  **FACTORISED,
  'free': lambda: image_set(labels='free'),
  'simplex': lambda: image_set(labels='simplex'),
  'logits': lambda: image_set(labels='logits'),
  'fixed': lambda: image_set(labels='fixed'),
  'label-only': lambda: image_set(learn_images=False),
  'label-only-simplex': lambda: image_set(labels='simplex', learn_images=False),
  'frepo-labels': lambda: image_set(label_rule='frepo'),
  **{
    f'start-{name}': functools.partial(image_set, start=start)
    for name, start in STARTS.items()
  },
  'start-artefact': lambda: image_set(start=another_artefact()),
}


def make_kip(parameterization='free', optimizer=None, get='ntk', **settings):
  kernel = dense_kernel(get, activation=settings.pop('activation', 'relu'))
  return kip(
    PARAMETERIZATIONS[parameterization](),
    kernel,
    optimizer or optax.adam(1e-2),
    batch_size=BATCH,
    **settings,
  )


def make_solve(parameterization='free', optimizer=None, get='ntk'):
  del optimizer
  made = PARAMETERIZATIONS[parameterization]()
  return label_solve(made, dense_kernel(get), batch_size=BATCH)


def make_frepo(
  parameterization='frepo-labels',
  optimizer=None,
  norm='none',
  network='frepo_convnet',
  **settings,
):
  # More features than support images: the regression is well conditioned.
  size = {'width': 64} if network == 'mlp' else {'width': 4, 'norm': norm}
  learner = NETWORKS[network](SHAPE, CLASSES, depth=2, **size)
  defaults = {'pool_size': 3, 'max_age': 4}
  return frepo(
    PARAMETERIZATIONS[parameterization](),
    in_double(learner),
    optimizer or optax.lamb(3e-3),
    batch_size=BATCH,
    **{**defaults, **settings},
  )


def make_closed_form(kernel, optimizer=None):
  del optimizer
  # Digits have pixels that are always the same: a ridge that float32 can solve.
  return closed_form(
    kernel,
    IPC,
    start=STARTS['real'],
    batch_size=BATCH,
    real_ridge=Ridge(0.1),
  )


def make_rfad(parameterization='free', optimizer=None, **settings):
  learner = NETWORKS['nngp_convnet'](SHAPE, CLASSES, depth=2, width=4)
  return rfad(
    PARAMETERIZATIONS[parameterization](),
    in_double(learner),
    optimizer or optax.adabelief(1e-3),
    SHAPE,
    batch_size=BATCH,
    **{'networks': 2, **settings},
  )


def make_rcig(parameterization='free', optimizer=None, **settings):
  # Iterations until the systems are solved: rounding grows on the way there.
  few = {'pool_size': 2, 'max_age': 4, 'inner_steps': 2, 'iterations': 100}
  size = {'width': 4, 'norm': 'none', 'sharpness': 60.0}
  return rcig(
    PARAMETERIZATIONS[parameterization](),
    in_double(NETWORKS['frepo_convnet'](SHAPE, CLASSES, depth=2, **size)),
    optimizer or optax.adabelief(3e-3),
    batch_size=BATCH,
    **{**few, **settings},
  )


def make_bptt(
  parameterization='free',
  optimizer=None,
  method=bptt,
  network='mlp',
  **settings,
):
  sizes = {
    'mlp': {'width': 8, 'depth': 1},
    'convnet': {'width': 4, 'depth': 2},
    'lenet': {},
  }
  return method(
    PARAMETERIZATIONS[parameterization](),
    in_double(NETWORKS[network](SHAPE, CLASSES, **sizes[network])),
    optimizer or optax.adam(1e-2),
    batch_size=BATCH,
    **({} if method not in (bptt, rat_bptt) else {'inner_steps': 4}),
    **settings,
  )


def make_trajectory(method, labels='fixed', optimizer=None, **settings):
  return method(
    pixels(IPC, labels=labels),
    in_double(small_mlp()),
    optimizer or optax.adam(1e-2),
    **{
      'inner_steps': 3,
      'segments': BATCH,
      'step_size': 0.1,
      'step_size_rate': 1e-4,
      **settings,
    },
  )


def make_matching(method, optimizer=None, norm='instance', **settings):
  learner = NETWORKS['convnet'](SHAPE, CLASSES, depth=2, width=4, norm=norm)
  return method(
    PARAMETERIZATIONS['fixed'](),
    in_double(learner),
    optimizer or optax.sgd(1e-2, momentum=0.5),
    augment=augment.dsa(),
    batch_size=BATCH,
    **settings,
  )


def make_idm(optimizer=None):
  sizes = {'queue_size': 4, 'queue_interval': 2}
  return make_matching(idm, optimizer, train_steps=2, **sizes)


def make_cafe(optimizer=None):
  sizes = {'readings': 2, 'reading_size': 4, 'outer_cap': 3, 'inner_cap': 3}
  return make_matching(cafe, optimizer, **sizes)


def make_gradients(
  method=dc,
  labels='free',
  optimizer=None,
  network='mlp',
  norm='instance',
  **settings,
):
  size = {'width': 8, 'depth': 1}
  size |= {'width': 4, 'norm': norm} if network == 'convnet' else {}
  count = CLASSES if method is idc else IPC
  return method(
    pixels(IPC, labels=labels),
    in_double(NETWORKS[network](SHAPE, CLASSES, **size)),
    optimizer or optax.sgd(1e-2, 0.5),
    count,
    batch_size=BATCH,
    **settings,
  )


def make_idc(optimizer=None, **settings):
  sizes = {'train_size': BATCH, 'inner_batch_size': 8, 'inner_steps': 2}
  return make_gradients(idc, 'fixed', optimizer, **{**sizes, **settings})


def make_selection(name, optimizer=None):
  del optimizer
  return selection(SELECTIONS[name], IPC, encoding=CENTRED)


def in_double(network):
  """The network with parameters in float64, where that is switched on."""
  if not jax.config.jax_enable_x64:
    return network
  cast = functools.partial(jax.tree.map, lambda a: a.astype(jnp.float64))
  return Network(lambda key: cast(network.init(key)), network.apply)


CASES = {
  **{
    f'kip {name}': functools.partial(make_kip, name)
    for name in PARAMETERIZATIONS
  },
  'kip nngp': functools.partial(make_kip, get='nngp'),
  'kip erf': functools.partial(make_kip, activation='erf'),
  'kip augmented': functools.partial(
    make_kip, target_augment=augment.composed('flip_shift')
  ),
  'label_solve': make_solve,
  'label_solve memory': functools.partial(make_solve, 'memory'),
  'label_solve nngp': functools.partial(make_solve, 'start-kmeans', get='nngp'),
  **{
    f'frepo {norm}': functools.partial(make_frepo, norm=norm)
    for norm in ('none', 'instance', 'batch')
  },
  **{
    f'frepo {name}': functools.partial(make_frepo, name, network='mlp')
    for name in ('simplex', 'logits', 'fixed', 'label-only', 'start-noise')
  },
  'frepo convnet': functools.partial(
    make_frepo, norm='instance', network='convnet'
  ),
  'frepo flip, minibatches': functools.partial(
    make_frepo, network='mlp', flip=True, inner_batch_size=4, inner_steps=2
  ),
  'closed_form': functools.partial(make_closed_form, linear_kernel()),
  'closed_form leaky': functools.partial(make_closed_form, leaky_kernel()),
  'rfad': make_rfad,
  'rfad squared error, fixed labels': functools.partial(
    make_rfad, 'fixed', loss='squared_error', networks=1
  ),
  'rfad transform': functools.partial(make_rfad, transform_rate=1e-3),
  'rcig': make_rcig,
  'rcig simplex, flip': functools.partial(make_rcig, 'simplex', flip=True),
  'bptt': functools.partial(make_bptt, network='convnet'),
  'bptt simplex, nested, two networks': functools.partial(
    make_bptt, 'simplex', plan='nested', networks=2, inner_batch_size=4
  ),
  'rat_bptt': functools.partial(
    make_bptt,
    method=rat_bptt,
    window=3,
    inner_optimizer=optax.adam(0.01, eps_root=1e-12),
  ),
  'rat_bptt auto, augmented': functools.partial(
    make_bptt,
    'start-unit_noise',
    method=rat_bptt,
    window=3,
    placement='forward',
    inner_optimizer=optax.sgd(0.1),
    plan='auto',
    inner_augment=augment.flip,
  ),
  'dd': functools.partial(make_bptt, 'fixed', method=dd, batches=2),
  'dd one start, soft labels': functools.partial(
    make_bptt, method=dd, init_seed=3, plan='nested'
  ),
  'label_distillation': functools.partial(
    make_bptt,
    'label-only-simplex',
    method=label_distillation,
    inner_step_size=0.5,
    gap=2,
  ),
  'label_distillation_ridge': functools.partial(
    make_bptt,
    'label-only-simplex',
    method=label_distillation_ridge,
    inner_batch_size=4,
    gap=2,
  ),
  'mtt': functools.partial(make_trajectory, mtt),
  'mtt minibatches, augmented': functools.partial(
    make_trajectory,
    mtt,
    'simplex',
    support_batch=4,
    inner_augment=augment.dsa('crop_scale', siamese=False),
    plan='nested',
  ),
  'tesla': functools.partial(make_trajectory, tesla),
  'tesla soft labels': functools.partial(
    make_trajectory, tesla, soft_labels=True
  ),
  'ftd': functools.partial(make_trajectory, ftd, average=0.5),
  'datm': functools.partial(
    make_trajectory, datm, 'logits', ipc=IPC, max_start=2, first_stop=1
  ),
  **{
    f'match {method.__name__}': functools.partial(make_matching, method)
    for method in (dm, m3d, datadam)
  },
  'match dm, batch norm': functools.partial(make_matching, dm, norm='batch'),
  'match m3d, kept': functools.partial(
    make_matching, m3d, discrepancy='fourier', network_steps=3
  ),
  'match idm': make_idm,
  'match cafe': make_cafe,
  'dc': functools.partial(make_gradients, network='convnet'),
  'dc batch norm, minibatches': functools.partial(
    make_gradients,
    network='convnet',
    norm='batch',
    inner_batch_size=4,
    outer_steps=2,
  ),
  'dc both, magnitude': functools.partial(
    make_gradients, level='both', distance='magnitude', matched='all'
  ),
  'dsa': functools.partial(make_gradients, dsa, 'fixed'),
  'dcc': functools.partial(make_gradients, dcc, 'simplex', warm_up=1),
  'idc': functools.partial(make_idc, network='convnet'),
  'idc l1': functools.partial(make_idc, distance='l1', matched='weights'),
  **{name: functools.partial(make_selection, name) for name in SELECTIONS},
}
GRADIENTS = [c for c in CASES if c.startswith(('dc', 'dsa', 'idc'))]
MATCHING = [c for c in CASES if c.startswith(('mtt', 'tesla', 'ftd', 'datm'))]
LEARNING = [
  c for c in CASES if c.startswith(('kip', 'frepo', 'rcig', 'rfad', 'match'))
]
FAMILIES = [
  'kip free',
  'label_solve',
  'frepo batch',
  'rcig',
  'herding',
]
LEARNING += MATCHING + GRADIENTS
FAMILIES += ['dc', 'idc', 'mtt', 'datm', 'match idm', 'match cafe']
UNROLLED = ('bptt', 'rat_bptt', 'dd', 'label_distillation')
LEARNING += [c for c in CASES if c.startswith(UNROLLED)]
FAMILIES += ['rat_bptt', 'dd', 'label_distillation']


# Every method once, every way to decode once; the rest of `CASES` is slow.
DAILY = {
  'kip free', 'kip simplex', 'kip label-only',
  *(f'kip {name}' for name in FACTORISED),
  'label_solve', 'closed_form', 'frepo batch', 'rfad', 'rcig', 'bptt',
  'rat_bptt', 'dd', 'label_distillation', 'label_distillation_ridge', 'mtt',
  'tesla soft labels', 'ftd', 'datm', 'match dm', 'match m3d', 'match datadam',
  'match idm', 'match cafe', 'dc', 'dsa', 'dcc', 'idc', *SELECTIONS,
}  # fmt: skip


def each(names):
  """Over `names`; the tests of one run together, so it is made once."""
  group = pytest.mark.xdist_group
  marks = lambda name: [
    group(name), *([] if name in DAILY else [pytest.mark.slow])
  ]  # fmt: skip
  named = [pytest.param(name, marks=marks(name)) for name in names]
  return pytest.mark.parametrize('name', named)


def test_every_case_of_the_suite_is_known():
  assert set(CASES) >= DAILY
  assert {name for name in FAMILIES if name not in DAILY} == set()


@functools.lru_cache(maxsize=2)
def case(name):
  """One method, made and compiled once for all tests of this file."""
  return testing.case(CASES[name], source())


def run(name, count, state=None, first=0):
  """Updates of a method as the driver makes them."""
  return testing.run(case(name), count, state, first)


SOME = ('donated', 'sources_agree', 'through_orbax', 'whole')  # of families
APART = ('class_major',)  # below
EVERYWHERE = [law for law in testing.LAWS if law not in (*SOME, *APART)]


@pytest.mark.parametrize('law', EVERYWHERE)
@each(CASES)
def test_law(name, law):
  testing.LAWS[law](case(name))


@pytest.mark.parametrize('law', SOME)
@each(FAMILIES)
def test_law_of_a_family(name, law):
  testing.LAWS[law](case(name))


# 4. Leading axis.


@each(CASES)
def test_leading_axis(name):
  held = case(name)
  expected = 1 if name in SELECTIONS else BATCH
  assert {x.shape[0] for x in jax.tree.leaves(held.batch)} == {expected}


SHARDED = [
  'kip free',
  'kip simplex',
  'label_solve',
  'frepo instance',
  'frepo batch',
  'frepo flip, minibatches',
  'closed_form',
  'rfad',
  'rcig',
  'bptt',
  'rat_bptt',
  'dd',
  'label_distillation',
  'label_distillation_ridge',
  'mtt',
  'tesla soft labels',
  'match dm',
  'match idm',
  'match cafe',
  'dc',
  'dcc',
  'idc',
]


# One of each way to read a batch: whole, per class, segments, a sweep.
SHARDED_DAILY = ['kip free', 'match dm']


@pytest.mark.parametrize(
  'names',
  [
    pytest.param(SHARDED_DAILY, id='daily'),
    pytest.param(
      [name for name in SHARDED if name not in SHARDED_DAILY],
      id='others',
      marks=pytest.mark.slow,
    ),
  ],
)
def test_two_devices_agree_with_one(names, on_two_devices):
  for name, seen in json.loads(on_two_devices(__file__, *names)).items():
    found = devices.Found(**seen)
    try:
      devices.check(found)
    except AssertionError as error:
      raise AssertionError(f'{name}: {error}') from error
    assert found.split == BATCH // 2, name


def compare_devices(name):
  """One update on one device and on two."""
  make = functools.partial(CASES[name], optimizer=optax.sgd(0.1))
  return devices.compare(make, source())._asdict()


# 6. Class-major.


@each(CASES)
def test_class_major(name):
  held = case(name)
  data = held.method.distilled(held.state)
  count = per_class(name, data)
  assert data.image.shape == (CLASSES * count, *SHAPE)
  if name == 'label_solve memory':  # mixtures, solved: of no one class
    return
  # Label solve's are zero until the first batch.
  laws.class_major(held, 8 if name.startswith('label_solve') else 0)


def per_class(name, data):
  if name.split()[-1] not in FACTORISED:
    return IPC
  assert len(data.image) > CLASSES * IPC and len(data.image) % CLASSES == 0
  return len(data.image) // CLASSES


@each([name for name in CASES if name.split()[-1] in FACTORISED])
def test_factors_are_within_the_budget(name):
  held = case(name)
  image = held.method.distilled(held.state).image
  plain = CLASSES * IPC * (int(np.prod(SHAPE)) + CLASSES)
  assert budget(held.state).bytes <= 4 * plain < 4 * image.size


# What an update is for.


@each(LEARNING)
def test_learns(name):
  """The loss falls where key, batch and network stay the same."""
  held = case(name)
  key, step, state = jax.random.key(3), jnp.int32(0), held.state
  losses = []
  for _ in range(9):
    state, metrics = held.update(key, step, state, held.batch)
    losses.append(float(metrics['loss']))
    kept = held.state
    state = state._replace(models=kept.models, adversary=kept.adversary)
  assert losses[-1] < losses[0] - 1e-6
  moved = jax.tree.map(
    lambda a, b: bool(np.any(np.asarray(a) != np.asarray(b))),
    state.params['data'],
    held.state.params['data'],
  )
  assert all(jax.tree.leaves(moved)), moved
  fixed = held.method.distilled(state), held.method.distilled(held.state)
  if 'label-only' in name:
    assert bits(fixed[0].image) == bits(fixed[1].image)
  if 'fixed' in name:
    assert bits(fixed[0].label) == bits(fixed[1].label)


@each(SELECTIONS)
def test_selection_learns_nothing(name):
  state, metrics = run(name, 2)
  assert bits(state) == bits(case(name).state)
  assert metrics['loss'] == 0


# Pairs that cannot work.


def build(method, changes):
  config = recipe.update(recipe.default(method), {'ipc': IPC, **changes})
  return parts.build(config, parts.Setting(SHAPE, CLASSES))


REFUSED = {
  'nothing to learn': (
    'kip',
    {'parameterization': {'labels': 'fixed', 'learn_images': False}},
    "learn_images=False with labels='fixed'",
  ),
  'no images': ('kip', {'ipc': 0}, 'ipc=0'),
  'nothing to factorise': (
    'herding',
    {'parameterization': {'name': 'memory'}},
    "parameterization.name='memory': herding has images of its own",
  ),
  'fewer images than classes': (
    'kip',
    {'parameterization': {'name': 'memory', 'bases': 100}},
    'ipc=2: fewer images than classes would fit: 100 bases take 1,600 of',
  ),
  'labels': (
    'frepo',
    {'parameterization': {'labels': 'hard'}},
    "labels='hard'",
  ),
  'label rule': (
    'frepo',
    {'parameterization': {'label_rule': 'krr'}},
    "label_rule='krr'",
  ),
  'too deep': ('frepo', {'network': {'depth': 5}}, 'depth=5'),
  'kernel': ('label_solve', {'kernel': {'get': 'cntk'}}, "get='cntk'"),
  'random features': ('rfad', {'method': {'loss': 'mse'}}, "loss='mse'"),
  'inner problem': ('rcig', {'method': {'iterations': 0}}, 'iterations=0'),
  'features': (
    'closed_form', {'kernel': {'name': 'dense'}}, 'allowed are linear, leaky'
  ),
  'learning rate': ('kip', {'optimizer': {'learning_rate': 0.0}}, 'rate=0.0'),
}  # fmt: skip


@pytest.mark.parametrize('name', REFUSED)
def test_refused_before_any_compute(name):
  method, changes, words = REFUSED[name]
  with pytest.raises(UserError) as error:
    build(method, changes)
  assert words in str(error.value) and '\n' not in str(error.value)


def test_refuses_an_artefact_of_another_size():
  method = make_kip('start-artefact')
  image, label = digits()
  fewer = resident(image[label < 2], label[label < 2], 2, None)
  with pytest.raises(UserError, match=r'artefact holds .*\(6, 8, 8, 1\)'):
    method.init(jax.random.key(0), fewer)


if __name__ == '__main__':
  print(json.dumps({name: compare_devices(name) for name in sys.argv[1:]}))
