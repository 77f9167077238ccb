"""Cheaper settings, one after the other, until a part of a run is cheap enough.

What is given up first changes a figure least: the whole training set as a
reference, further protocols, learners, the baselines but one, then the
learner's width and its steps.
"""

from collections.abc import Callable, Iterator

from dd_jax.evaluation.protocols.rfad_nn import RATES
from dd_jax.run import recipe
from dd_jax.run.costs import Learner
from dd_jax.run.recipe import Config, changed

LEARNERS = 2
"""Learners of a score, at least: fewer have no deviation."""
WIDTH = 32
"""Of a network, at least."""
LEARNER_STEPS = 50
"""Of a learner, at least."""
EXPERTS = 2
"""Trajectories, at least."""
EPOCH_STEPS = 20
"""Of an expert's epoch, at least."""
_BATCH = 64  # real images of an outer step, at least

_CONVNET: Config = {'name': 'convnet', 'width': 128}
_FREPO: Config = {'name': 'frepo_convnet', 'width': 128, 'norm': 'none'}
OWN_LEARNERS: dict[str, Config] = {
  'dc': _CONVNET,
  'dc-mnist': _CONVNET,
  'dsa': _CONVNET,
  'mtt': _CONVNET,
  'datm': _CONVNET,
  'rat': _CONVNET,
  'idc': _CONVNET,
  'frepo': _FREPO,
  'rcig': _FREPO,
  'krr-feature': _FREPO,
  'kip-nn': {'name': 'kip_convnet', 'width': 1024},
  **{name: {'name': 'nngp_convnet', 'width': 1024} for name in RATES},
}
"""The networks of protocols that can be had narrower."""

Measure = Callable[[Config, str], Learner]
"""`(config, protocol) -> a learner of that protocol, measured`."""


def scores(config: Config) -> Iterator[tuple[str, int]]:
  """Every protocol that a run is scored under, and how many learners it has.

  Baselines have learners of the first; of a protocol that is exact only a
  random selection has more than one, and all are counted here. A learner of the
  whole training set takes as long as all of the set, at most (`whole`).
  """
  section = config['evaluation']
  sets = 1 + len(section['baselines']) + (section['whole'] != 'no')
  yield section['protocol'], sets * section['learners']
  for name in dict.fromkeys(section['others']):
    yield name, section['learners']


def scoring_seconds(config: Config, measure: Measure) -> float:
  """Seconds of all scores on the test set."""
  return sum(n * measure(config, p).seconds for p, n in scores(config))


def learner_network(config: Config, protocol: str) -> Config:
  """The section of the network that a protocol trains; empty if not known."""
  given: Config = config['evaluation']['network']
  return given if given['name'] else OWN_LEARNERS.get(protocol, {})


def scoring(config: Config, measure: Measure, seconds: float) -> Config:
  """A configuration whose scoring takes `seconds`, or is as cheap as it gets.

  Args:
    config: left as it is.
    measure: a learner's cost.
    seconds: for all scores.
  """
  for cheaper in (_no_whole, _no_others, _fewer_learners, _one_baseline):
    if scoring_seconds(config, measure) <= seconds:
      return config
    config = cheaper(config)
  while scoring_seconds(config, measure) > seconds:
    narrower = _narrower_learner(config)
    if narrower is None:
      return _fewer_steps(config, measure, seconds)
    config = narrower
  return config


def validation(config: Config, measure: Measure, seconds: float) -> Config:
  """A configuration whose validations take `seconds` each, or that has none."""
  section = config['evaluation']
  learner = measure(config, section['protocol'])
  count = max(1, section['validation_learners'])
  steps = section['validation_steps'] or learner.steps
  if count * (learner.fixed + steps * learner.step) <= seconds:
    return config
  fewer = int((seconds - learner.fixed) / max(learner.step, 1e-9))
  if not learner.steps or fewer < LEARNER_STEPS:
    return changed(config, {'validate_every': 0})
  changes = {'validation_learners': 1, 'validation_steps': min(fewer, steps)}
  return changed(config, {'evaluation': changes})


def experts(config: Config, epoch_steps: int, most: float) -> Config:
  """A configuration whose experts take at most that many steps, if it can be.

  Args:
    config: left as it is.
    epoch_steps: of one pass of the training data.
    most: steps of all experts together.
  """
  section = config['experts']
  length = section['epoch_steps'] or epoch_steps
  each = recipe.expert_epochs(config) * length
  count = min(section['count'], max(EXPERTS, int(most / each)))
  changes: Config = {'count': count}
  if count * each > most:
    shorter = int(most / count / recipe.expert_epochs(config))
    changes['epoch_steps'] = min(length, max(EPOCH_STEPS, shorter))
  return changed(config, {'experts': changes})


def loop(config: Config) -> Config | None:
  """A configuration whose outer steps are cheaper, or None.

  Networks of half the width first, then half the real images.
  """
  width = config['network'].get('width', 0)
  batch = config['method'].get('batch_size', 0)
  if recipe.takes(config['method']['name'], 'network') and width > WIDTH:
    half = {'network': {'width': max(WIDTH, width // 2)}}
    return changed(config, half)
  if batch > _BATCH:
    half = {'method': {'batch_size': max(_BATCH, batch // 2)}}
    return changed(config, half)
  return None


def cheapest(config: Config) -> Config:
  """The configuration whose outer steps are the cheapest that there are."""
  cheaper = loop(config)
  return cheapest(cheaper) if cheaper else config


def _no_whole(config: Config) -> Config:
  return changed(config, {'evaluation': {'whole': 'no'}})


def _no_others(config: Config) -> Config:
  return changed(config, {'evaluation': {'others': ()}})


def _fewer_learners(config: Config) -> Config:
  learners = min(LEARNERS, config['evaluation']['learners'])
  return changed(config, {'evaluation': {'learners': learners}})


def _one_baseline(config: Config) -> Config:
  names = config['evaluation']['baselines']
  kept = ('random',) if 'random' in names else names[:1]
  return changed(config, {'evaluation': {'baselines': kept}})


def _narrower_learner(config: Config) -> Config | None:
  """Learners of half the width."""
  section = learner_network(config, config['evaluation']['protocol'])
  width = section.get('width', 0) // 2
  if width < WIDTH:
    return None
  half = {'network': {**section, 'width': width}}
  return changed(config, {'evaluation': half})


def _fewer_steps(config: Config, measure: Measure, seconds: float) -> Config:
  """Learners of as many steps as there is time for."""
  learner = measure(config, config['evaluation']['protocol'])
  count = sum(n for _, n in scores(config))
  fewer = int((seconds / count - learner.fixed) / max(learner.step, 1e-9))
  steps = min(learner.steps, max(LEARNER_STEPS, fewer))
  return changed(config, {'evaluation': {'steps': steps}})
