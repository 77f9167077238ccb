"""What is given up, and in which order."""

import pytest

from dd_jax.run import afford, recipe
from dd_jax.run.costs import Learner
from dd_jax.run.recipe import copied


def measure(config, name):
  """A step costs as the square of the width does; of `dc` alone, half."""
  width = config['evaluation']['network'].get('width', 128)
  steps = config['evaluation']['steps'] or 300
  share = 0.5 if name == 'dc' else 1.0
  return Learner(0.5, share * 1e-5 * width**2, steps)


def config(**evaluation):
  found = recipe.default('dm')
  evaluation = {'protocol': 'dc', 'others': ('frepo',), **evaluation}
  return recipe.update(found, {'evaluation': evaluation})


def test_the_cost_of_scoring_counts_every_learner():
  made = config(learners=3, baselines=('random', 'kmeans'))
  dc, frepo = measure(made, 'dc').seconds, measure(made, 'frepo').seconds
  assert afford.scoring_seconds(made, measure) == 4 * 3 * dc + 3 * frepo
  made['evaluation']['whole'] = 'no'
  assert afford.scoring_seconds(made, measure) == 3 * 3 * dc + 3 * frepo


@pytest.mark.parametrize('seconds', [1e9, 450, 300, 200, 120, 60, 30, 5])
def test_scoring_fits_where_it_can_and_nothing_is_given_up_in_vain(seconds):
  start = config()
  held = copied(start)
  made = afford.scoring(start, measure, seconds)
  assert start == held
  section = made['evaluation']
  fits = afford.scoring_seconds(made, measure) <= seconds
  assert fits or section['steps'] == afford.LEARNER_STEPS
  assert section['learners'] >= afford.LEARNERS
  assert section['network'].get('width', 128) >= afford.WIDTH
  assert 'random' in section['baselines']
  order = [
    section['whole'] == 'no',
    section['others'] == (),
    section['learners'] < 5,
    section['baselines'] == ('random',),
    bool(section['network']['name']),
    bool(section['steps']),
  ]
  assert order == sorted(order, reverse=True)
  if seconds == 1e9:
    assert made == held


def test_an_exact_protocol_has_no_steps_to_give_up():
  exact = lambda config, name: Learner(100.0, 0.0, 0)
  made = afford.scoring(config(), exact, 1.0)
  assert made['evaluation']['steps'] == 0


@pytest.mark.parametrize('seconds', [1e9, 30.0, 5.0, 0.1])
def test_a_validation_fits_or_there_is_none(seconds):
  start = config(validation_learners=2)
  made = afford.validation(start, measure, seconds)
  section = made['evaluation']
  learner = measure(made, 'dc')
  steps = section['validation_steps'] or learner.steps
  cost = section['validation_learners'] * (learner.fixed + steps * learner.step)
  assert cost <= seconds or made['validate_every'] == 0
  assert (made == start) == (seconds == 1e9)


@pytest.mark.parametrize('most', [1e9, 2000, 500, 100, 1])
def test_experts_fit_or_are_as_few_and_short_as_they_get(most):
  start = recipe.update(recipe.default('mtt'), {'experts': {'count': 6}})
  made = afford.experts(start, 200, most)
  section = made['experts']
  length = section['epoch_steps'] or 200
  steps = section['count'] * recipe.expert_epochs(made) * length
  fewest = section['count'] == afford.EXPERTS
  assert steps <= most or (fewest and length == afford.EPOCH_STEPS)
  assert (made == start) == (most == 1e9)


def test_outer_steps_become_cheaper_until_they_cannot():
  made, seen = recipe.default('dm'), []
  while made:
    seen.append((made['network']['width'], made['method']['batch_size']))
    made = afford.loop(made)
  assert seen == [(128, 256), (64, 256), (32, 256), (32, 128), (32, 64)]
  kip = recipe.update(recipe.default('kip'), {'method': {'batch_size': 64}})
  assert afford.loop(kip) is None  # has no network


def test_the_cheapest_steps_are_those_that_no_other_is_cheaper_than():
  """And nothing else of the run is changed."""
  start = recipe.default('dm')
  end = afford.cheapest(start)
  assert afford.loop(end) is None and end['network']['width'] == afford.WIDTH
  one = start
  while (cheaper := afford.loop(one)) is not None:
    one = cheaper
  assert one == end != start == recipe.default('dm')


@pytest.mark.parametrize('name', afford.OWN_LEARNERS)
def test_a_protocol_that_gets_a_narrower_network_gets_one_of_its_kind(name):
  start = config(protocol=name, others=())
  dear = lambda config, name: Learner(1e9, 0.0, 0)
  made = afford.scoring(start, dear, 1.0)['evaluation']['network']
  own = afford.OWN_LEARNERS[name]
  assert made['name'] == own['name'] and made['width'] == afford.WIDTH
  assert made.get('norm') == own.get('norm', made.get('norm'))
