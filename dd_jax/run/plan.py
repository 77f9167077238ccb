"""A run that ends in the time that is asked for: its settings and its cost.

What a run costs is measured (`probe`), what is too dear made cheaper
(`afford`), and the number of steps follows (`costs.length`). The outcome is an
ordinary configuration, which repeats to the bit wherever it is run: only how it
was found depends on the machine.
"""

import dataclasses
import functools
import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax

from dd_jax.cache import Cache
from dd_jax.data.prepare import Prepared
from dd_jax.data.source import Source
from dd_jax.platform import here
from dd_jax.run import afford, experts, fields, parts, probe, recipe
from dd_jax.run.costs import Costs, Learner, Length, length
from dd_jax.run.loop import Programs
from dd_jax.run.pace import Ahead
from dd_jax.run.recipe import Config, copied
from dd_jax.run.scoring import Scorer
from dd_jax.run.stages import tell
from dd_jax.run.writers import Writer
from dd_jax.types import DistilledData

LEAST_STEPS = 20
"""Outer steps of a run, at least, whatever they take."""
_SCORING = 0.35  # of the time, at most, where that can be
_VALIDATION = 0.02  # of the time, each
_EXPERTS = 0.3  # of the time
_EXPERTS_TIMED = 0.5  # of the time to distil in
_MEASURING = 0.3  # of the time; from there on the next try is the last


class Plan(NamedTuple):
  """A run before it runs.

  Attributes:
    config: with all that was found in it.
    costs: of its parts.
    changes: what was found, by dotted field, as `--config.FIELD=` takes it.
    lines: what the user is told.
  """

  config: Config
  costs: Costs
  changes: dict[str, str]
  lines: tuple[str, ...]

  def record(self, minutes: float) -> dict[str, Any]:
    """Plain values for `result.json`."""
    length = self.config['num_steps'], self.config['validate_every']
    return {
      'minutes': minutes,
      'changes': self.changes,
      'seconds': {k: round(v, 4) for k, v in self.costs._asdict().items()},
      'total': round(self.costs.total(*length), 1),
    }


@dataclasses.dataclass(frozen=True, eq=False)
class Bench:
  """Where runs on one set of data are measured.

  Attributes:
    prepared: the data.
    cache: of experts.
    mesh: as of the run.
    start: the set that the run starts from, or None.
    writers: told what is measured.
    programs: keeps the last loop, for the run itself.
  """

  prepared: Prepared
  cache: Cache
  mesh: jax.sharding.Mesh | None = None
  start: DistilledData | None = None
  writers: Sequence[Writer] = ()
  programs: Programs = dataclasses.field(default_factory=Programs)

  def scorer(self, config: Config) -> Scorer:
    """A scorer of that configuration, on this machine."""
    return Scorer(
      config,
      self.prepared,
      self.cache,
      self.mesh,
      self.start,
      here(),
      self.writers,
    )

  def learner(self, config: Config, name: str) -> Learner:
    """A learner of that protocol, measured once for each kind of network.

    A narrow one is measured, and a wider one said to cost as the square of the
    width, which is a bound: a wide one itself could take longer than the run.
    """
    section = afford.learner_network(config, name)
    width = section.get('width', 0)
    narrow = min(width, afford.WIDTH)
    changes: Config = {'network': section, 'steps': 0}
    if width:
      changes['network'] = {**section, 'width': narrow}
    measured = recipe.update(copied(config), {'evaluation': changes})
    network = json.dumps(measured['evaluation']['network'], sort_keys=True)
    held = self._learner(name, network, _Held(measured))
    scale = (width / narrow) ** 2 if width else 1.0
    own = config['evaluation']['steps'] if held.steps else 0
    steps = own or held.steps
    return Learner(scale * held.fixed, scale * held.step, steps)

  @functools.cache  # noqa: B019 (a bench lives for one plan)
  def _learner(self, name: str, network: str, held: '_Held') -> Learner:
    section = json.loads(network)
    width = f' of width {section["width"]}' if 'width' in section else ''
    tell(self.writers, [f'measuring: a learner of {name}{width}'])
    scorer = self.scorer(held.value)
    return probe.learner(scorer, name, self._set(scorer, held.value))

  def _set(self, scorer: Scorer, config: Config) -> DistilledData:
    """A set of the size that the run makes."""
    key, source = jax.random.key(config['seed']), self.prepared.train
    if recipe.takes_parameterization(config['method']['name']):
      made = parts.build_parameterization(config, scorer.setting)
      return DistilledData(*made.decode(*made.init(key, source)))
    size = {k: config[k] for k in ('ipc', 'counts')}
    chosen = recipe.update(recipe.default('random'), size)
    method = scorer.build(chosen)
    return method.distilled(method.init(key, source))


@dataclasses.dataclass(frozen=True)
class _Held:
  """A configuration beside a cache's key, no part of it."""

  value: Config = dataclasses.field(compare=False)


def estimated(bench: Bench, config: Config, spent: Callable[[], float]) -> Plan:
  """What a run costs, its settings left as they are.

  Args:
    bench: measures.
    config: of the run, `num_steps` among it.
    spent: seconds since the run began.
  """
  missing = experts.missing(config, bench.prepared, bench.cache)
  source, step = _source(bench, config, missing)
  found = _loop(bench, config, source)
  trained = step * missing * _expert_steps(bench, config)
  costs = _costs(bench, config, found, trained)._replace(spent=spent())
  told = costs.describe(config['num_steps'], config['validate_every'])
  return Plan(config, costs, {}, (told,))


def of_steps(bench: Bench, config: Config, step: float, spent: float) -> Costs:
  """What a run costs that is under way.

  Args:
    bench: measures the learners; it has the loop.
    config: of the run.
    step: seconds of an outer step.
    spent: seconds since the run began.
  """
  loop = probe.Loop(0.0, step, bench.programs.memory)
  return _costs(bench, config, loop, 0.0)._replace(spent=spent)


def found(bench: Bench, config: Config, spent: Callable[[], float]) -> Plan:
  """The run that ends within `config['minutes']`, nearest to what is asked.

  Args:
    bench: measures.
    config: its `num_steps` is never exceeded.
    spent: seconds since the run began.
  """
  seconds = 60 * config['minutes']
  made = afford.scoring(config, bench.learner, _SCORING * seconds)
  if made['validate_every']:
    made = afford.validation(made, bench.learner, _VALIDATION * seconds)
  missing = experts.missing(made, bench.prepared, bench.cache)
  source, step = _source(bench, made, missing)
  if missing:
    one_pass = _one_pass(bench, made)
    made = afford.experts(made, one_pass, _EXPERTS * seconds / step)
    missing = experts.missing(made, bench.prepared, bench.cache)
    source = probe.as_many(source, made)
  trained = step * missing * _expert_steps(bench, made)
  trajectories = recipe.expert_span(config) is not None  # of this network
  while True:
    measured = _loop(bench, made, source)
    costs = _costs(bench, made, measured, trained)._replace(spent=spent())
    chosen = length(costs, seconds, config['num_steps'], LEAST_STEPS)
    cheaper = afford.loop(made)
    if costs.total(*chosen) <= seconds or not cheaper or trajectories:
      return _planned(config, made, costs, chosen)
    late = spent() > _MEASURING * seconds
    made = afford.cheapest(cheaper) if late else cheaper


def timed(bench: Bench, config: Config, seconds: float) -> Plan:
  """The run that distils for `seconds`: experts and outer steps, no more.

  Compiling is not counted. Nothing is validated, the last state is returned:
  what is equal for all methods is the time to distil in.

  Args:
    bench: measures.
    config: its `num_steps` is never exceeded.
    seconds: of distilling.
  """
  made = recipe.changed(config, {'validate_every': 0})
  missing = experts.missing(made, bench.prepared, bench.cache)
  source, step = _source(bench, made, missing)
  if missing:
    most = _EXPERTS_TIMED * seconds / step
    made = afford.experts(made, _one_pass(bench, made), most)
    missing = experts.missing(made, bench.prepared, bench.cache)
  trained = step * missing * _expert_steps(bench, made)
  room = seconds - trained
  measured = _loop(bench, made, source)
  if LEAST_STEPS * measured.step > room and not trained:
    made = afford.cheapest(made)
    measured = _loop(bench, made, source)
  steps = min(made['num_steps'], max(1, int(room / max(measured.step, 1e-9))))
  made = recipe.changed(made, {'num_steps': steps, 'minutes': 0.0})
  costs = Costs(0.0, trained, measured.start, measured.step, 0.0, 0.0, 0)
  changes = differing(config, made)
  text = ', '.join(f'{k}={v}' for k, v in changes.items())
  told = f'for {seconds:g} s of distilling on this machine: {text}'
  return Plan(made, costs, changes, (told,))


def _planned(asked: Config, made: Config, costs: Costs, chosen: Length) -> Plan:
  every = chosen.every if made['validate_every'] else 0
  fixed = {'num_steps': chosen.steps, 'validate_every': every, 'minutes': 0.0}
  config = recipe.changed(made, fixed)
  changes = differing(asked, config)
  minutes = asked['minutes']
  text = ', '.join(f'{k}={v}' for k, v in changes.items())
  lines = [f'for {minutes:g} min on this machine: {text}']
  lines.append(costs.describe(chosen.steps, every))
  if costs.total(chosen.steps, every) > 60 * minutes:
    lines.append(
      f'minutes={minutes:g}: measuring, scoring and {chosen.steps} steps take '
      'longer here; what helps is more time or a smaller --image_size'
    )
  return Plan(config, costs, changes, tuple(lines))


def ahead(scorer: Scorer, held: Mapping[str, Any] | None) -> Ahead:
  """What a run has ahead of it besides its outer steps.

  Args:
    scorer: of the run.
    held: what `Plan.record` gave of it, or None: scoring is then counted in
      validations, of as many steps each.
  """
  every = scorer.config['validate_every']
  if held is not None:
    seconds = held['seconds']
    validation = seconds['validation'] or math.inf
    return Ahead(every, validation, seconds['scoring'])
  section = scorer.config['evaluation']
  learners = sum(count for _, count in afford.scores(scorer.config))
  own = max(1, section['validation_learners'])
  return Ahead(every, scored=learners / own)


def differing(asked: Config, made: Config) -> dict[str, str]:
  """What leads from one configuration to the other, as text, by dotted field.

  A name that brings other fields with it comes before them.
  """
  base, named = copied(asked), {}
  name = made['evaluation']['network']['name']
  if name and name != base['evaluation']['network']['name']:
    named['evaluation.network.name'] = name
    recipe.update(base, {'evaluation': {'network': {'name': name}}})
  old, new = fields.flat(base), fields.flat(made)
  changed = {k: fields.text(v) for k, v in new.items() if old.get(k) != v}
  changed.pop('minutes', None)
  return {**named, **changed}


def _source(bench: Bench, config: Config, missing: int) -> tuple[Source, float]:
  """What the loop reads, and seconds of a step of an expert in training."""
  if not missing:
    source, _ = experts.source(config, bench.prepared, bench.cache)
    return source, 0.0
  tell(bench.writers, ['measuring: an expert in training'])
  return probe.scratch_experts(config, bench.prepared)


def _loop(bench: Bench, config: Config, source: Source) -> probe.Loop:
  if not config['num_steps']:
    return probe.Loop(0.0, 0.0, 0)
  width = config['network'].get('width', '')
  reads = recipe.takes(config['method']['name'], 'network')
  about = f', networks of width {width}' if reads and width else ''
  tell(bench.writers, [f'measuring: outer steps{about}'])
  method = bench.scorer(config).build(config)
  return probe.loop(method, source, config['seed'], bench.mesh, bench.programs)


def _costs(
  bench: Bench, config: Config, measured: probe.Loop, trained: float
) -> Costs:
  section = config['evaluation']
  learner = bench.learner(config, section['protocol'])
  steps = section['validation_steps'] or learner.steps
  count = 1 if not learner.steps else section['validation_learners']
  return Costs(
    spent=0.0,
    experts=trained,
    start=measured.start,
    step=measured.step,
    validation=count * (learner.fixed + steps * learner.step),
    scoring=afford.scoring_seconds(config, bench.learner),
    memory=measured.memory,
  )


def _one_pass(bench: Bench, config: Config) -> int:
  return -(-len(bench.prepared.train) // config['experts']['batch_size'])


def _expert_steps(bench: Bench, config: Config) -> int:
  """Steps of one expert; 0 where a method reads none."""
  if recipe.expert_span(config) is None:
    return 0
  each = config['experts']['epoch_steps'] or _one_pass(bench, config)
  return recipe.expert_epochs(config) * each
