"""A method in someone else's program, over the families of `contract_test.py`.

A few in the suite, all of them under the marker `slow`.
"""

import functools

import contract_test
import optax
import pytest
from contract_test import CASES, source

from dd_jax.parameterization import STARTS, pixels
from dd_jax.testing import programs

QUICK = ['kip free', 'mtt', 'herding']
FAMILIES = [
  *QUICK,
  'label_distillation',
  'match dm',
  'closed_form',
  'label_solve',
  'frepo none',
  'frepo simplex',
  'rfad',
  'rcig',
  'bptt',
  'bptt simplex, nested, two networks',
  'rat_bptt',
  'dd',
  'dd one start, soft labels',
  'label_distillation_ridge',
  'tesla',
  'tesla soft labels',
  'ftd',
  'datm',
  'match m3d',
  'match datadam',
  'match idm',
  'match cafe',
  'dc',
  'dcc',
  'idc',
  'kip memory',
  'kip adversary',
]
# What is trained with batch statistics besides, and decoded in other ways.
DOUBLE = ['frepo batch', 'match dm, batch norm', 'dc batch norm, minibatches']
DOUBLE += ['label_solve memory', 'kip hallucinator', 'kip frequency']

WINDOW = 'the steps before the window are a loop of traced length'
CORNER = 'labels at a corner of the simplex: its projection has a kink there'
EQUAL = 'synthetic images equal real ones: distances are clipped at zero there'
UNDIFFERENTIABLE = {
  'rat_bptt': (WINDOW, 'no derivative .*Reverse-mode'),
  'label_distillation_ridge': (CORNER, 'where the difference is'),
  'match m3d': (EQUAL, 'where the difference is'),
}
"""Where no derivative through an outer step is: why, and what is said."""


def over(names):
  """Over `names`, those that are not quick as slow tests."""
  slow = lambda name: () if name in QUICK else pytest.mark.slow
  named = [pytest.param(name, marks=slow(name)) for name in names]
  return pytest.mark.parametrize('name', named)


# Float64 draws other experts, and the first is too poor to choose images by.
SETTINGS = {'datm': {'expert_labels': False}}


def make(name, **settings):
  return functools.partial(CASES[name], **SETTINGS.get(name, {}), **settings)


def smooth(name):
  """The method under an optimiser that can be differentiated."""
  return make(name, optimizer=optax.sgd(0.1))


@over(FAMILIES)
def test_under_vmap(name):
  programs.under_vmap(smooth(name), source())


@over(FAMILIES)
def test_inside_scan(name):
  programs.inside_scan(smooth(name), source())


@over([name for name in FAMILIES if name not in UNDIFFERENTIABLE])
def test_under_grad(name):
  programs.under_grad(smooth(name), source())


@pytest.mark.slow
@pytest.mark.parametrize('name', UNDIFFERENTIABLE)
def test_what_has_no_derivative_is_known(name):
  with pytest.raises(AssertionError, match=UNDIFFERENTIABLE[name][1]):
    programs.under_grad(smooth(name), source())


@pytest.mark.slow
def test_labels_inside_the_simplex_have_a_derivative():
  make = smooth('label_distillation_ridge')
  programs.under_grad(inside_the_simplex(make), source())


def inside_the_simplex(make):
  """Starts with labels that are no corners."""

  def made():
    method = make()

    def init(key, source):
      state = method.init(key, source)
      label = state.params['data']['label']
      inner = 0.7 * label + 0.3 / label.shape[-1]
      data = {**state.params['data'], 'label': inner}
      return state._replace(params={**state.params, 'data': data})

    return method._replace(init=init)

  return made


@pytest.mark.slow
def test_m3d_has_a_derivative_where_no_two_images_are_equal(monkeypatch):
  noise = lambda: pixels(2, labels='fixed', start=STARTS['noise'])
  monkeypatch.setitem(contract_test.PARAMETERIZATIONS, 'fixed', noise)
  programs.under_grad(smooth('match m3d'), source())


@over(FAMILIES + DOUBLE)
def test_in_float64(name, monkeypatch):
  # Learners as a user has them: their parameters stay float32.
  monkeypatch.setattr(contract_test, 'in_double', lambda network: network)
  programs.in_float64(make(name), source())


# What decodes, solves or draws in a precision of its own, and a pool of each
# kind; the others are slow.
SINGLE = ['kip free', 'label_solve', 'closed_form', 'herding', 'rcig']
SINGLE += ['match cafe', 'kip start-noise', 'kip start-class_means']


@pytest.mark.parametrize(
  'name',
  [
    pytest.param(name, marks=() if name in SINGLE else pytest.mark.slow)
    for name in dict.fromkeys([*SINGLE, *FAMILIES, *DOUBLE])
  ],
)
def test_in_float32(name, monkeypatch):
  monkeypatch.setattr(contract_test, 'in_double', lambda network: network)
  programs.in_float32(make(name), source())
