"""Scoring a distilled set and the baselines beside it, on the test set."""

import dataclasses
import functools
import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import jax

from dd_jax.cache import Cache
from dd_jax.data.prepare import Prepared
from dd_jax.data.subset import head
from dd_jax.distiller import Distiller
from dd_jax.evaluation.features import trained_features
from dd_jax.evaluation.metrics import Measure, Wanted
from dd_jax.evaluation.protocols import Protocol
from dd_jax.evaluation.score import Score, evaluate, of_draws
from dd_jax.evaluation.teacher import Teacher
from dd_jax.evaluation.tester import Tester, parameters
from dd_jax.evaluation.ticks import Gauge
from dd_jax.methods import baselines
from dd_jax.platform import Platform, here
from dd_jax.run import (
  judge,
  labels,
  metrics,
  parts,
  recipe,
  registries,
  stages,
  whole,
)
from dd_jax.run.recipe import Config
from dd_jax.run.result import Validation
from dd_jax.run.schooling import School
from dd_jax.run.writers import Writer
from dd_jax.types import DistilledData, Key

_CACHE_VERSION = 1
_SCORE_VERSION = 3  # of what is kept of a score of real images
_FEATURE_SEED = 0
_WHOLE = 'whole'
_OF_LABELS = ('labels', 'teacher')
_OF_METRICS = ('metrics', 'metric_examples', 'attack')
# Nothing to the whole set.
_OF_SELECTIONS = ('ipc', 'counts', 'learners', 'features')


class Whole(NamedTuple):
  """What became of a learner of the whole training set.

  Attributes:
    plan: how long it was trained, or why there is none.
    score: None where there is none.
  """

  plan: whole.Plan
  score: Score | None


@dataclasses.dataclass(frozen=True, eq=False)
class Scorer:
  """Scores sets for one run: its data, its protocols, its baselines.

  Attributes:
    config: of the run.
    prepared: its data.
    cache: where baselines are kept.
    mesh: whose `data` axis learners are split over, or None.
    start: the set that the run starts from, or None.
    platform: what its networks and kernels run on.
    writers: told which score is at work, and how many there are.
  """

  config: Config
  prepared: Prepared
  cache: Cache
  mesh: jax.sharding.Mesh | None = None
  start: DistilledData | None = None
  platform: Platform | None = None
  writers: Sequence[Writer] = ()

  @property
  def setting(self) -> parts.Setting:
    """What the run's objects depend on."""
    source = self.prepared.train
    return parts.Setting(
      source.image_shape,
      source.num_classes,
      start=self.start,
      platform=self.platform,
      preprocessing=self.prepared.preprocessing,
      report=self._pool if self.writers else None,
    )

  def _pool(self, done: int, total: int) -> None:
    for writer in self.writers:
      writer.progress('training the pool', done, total)

  def build(self, config: Config) -> Distiller:
    """Makes a method on this run's data."""
    name = config['method']['name']
    setting = self.setting._replace(features=self._features(name))
    return parts.build(config, setting)

  def validation(self) -> Validation | None:
    """How the run selects, or None where nothing is validated."""
    section = self.config['evaluation']
    if not self.validates:
      return None
    chosen = self.protocol(
      section['protocol'],
      self.config['label_encoding'],
      section['validation_steps'] or section['steps'],
    )
    held_out = head(self.prepared.validation, section['validation_examples'])
    count = 1 if chosen.exact else section['validation_learners']

    def score(key: Key, data: DistilledData) -> jax.Array:
      return chosen.score(jax.random.split(key, count), data, held_out).mean()

    name = (
      f'validation accuracy ({chosen.name}, {len(held_out):,} held-out '
      'training examples)'
    )
    return Validation(score, self.config['validate_every'], name)

  @property
  def validates(self) -> bool:
    """Whether states are scored while the run lasts."""
    return bool(self.config['validate_every'] and self.config['num_steps'])

  def check(self) -> None:
    """Builds all that will score, so that what does not suit is refused now.

    Raises:
      UserError: a protocol or a network does not suit these images.
    """
    section = self.config['evaluation']
    for name in (section['protocol'], *section['others']):
      encoding = self.config['label_encoding']
      made = self._made(name, encoding, section['steps'], None)
      metrics.check(self.config, made)
    if self._school:
      self._school.network()
    if section['features'] == 'network':
      parts.build_network(_feature_network(), self.setting)

  @property
  def exact(self) -> list[str]:
    """Those of its protocols that train no learner."""
    encoding = self.config['label_encoding']
    steps = self.config['evaluation']['steps']
    return [
      name
      for name in self.protocols
      if self._made(name, encoding, steps, None).exact
    ]

  def scores(self, key: Key, data: DistilledData) -> dict[str, Score]:
    """The headline protocol's score and the others', by name."""
    names = self._counted(self.protocols, 0)
    return {name: self._score(name, key, data) for name in names}

  def baselines(self, key: Key) -> dict[str, Score]:
    """Selections of real images under the headline protocol, cached.

    The deviation of a random selection is over draws, one learner each; of the
    others, over learners.
    """
    names = self.config['evaluation']['baselines']
    told = self._counted(names, len(self.protocols))
    return {name: self._baseline(name, key) for name in told}

  def whole_set(self, key: Key, data: DistilledData) -> Whole | None:
    """A learner of the whole training set, cached; None where none is asked.

    Args:
      key: of the learner.
      data: the distilled set: how long it is learned from decides how long the
        whole set may be.
    """
    if self.config['evaluation']['whole'] == 'no':
      return None
    plan = self._plan(len(data.image))
    [score] = [
      None if plan.reason else self._whole(plan, key)
      for _ in self._counted((_WHOLE,), self._total - 1)
    ]
    return Whole(plan, score)

  def _plan(self, images: int) -> whole.Plan:
    section, kernel = self.config['evaluation'], self.config['kernel']['name']
    asked = whole.Asked(section['whole'], kernel, section['learners'], images)
    chosen = self.protocol(section['protocol'], 'one-hot', section['steps'])
    return whole.plan(asked, chosen, self.prepared.train)

  def _whole(self, plan: whole.Plan, key: Key) -> Score:
    steps = plan.steps or self.config['evaluation']['steps']
    identity = {**self._identity(_WHOLE, key), 'steps': steps}
    identity = {k: v for k, v in identity.items() if k not in _OF_SELECTIONS}
    return self._cached(
      identity,
      lambda: self._score_one_hot(
        key, whole.data(self.prepared.train), 1, steps
      ),
    )

  @property
  def protocols(self) -> tuple[str, ...]:
    """The headline protocol and the others, each once."""
    section = self.config['evaluation']
    return tuple(dict.fromkeys((section['protocol'], *section['others'])))

  @property
  def _total(self) -> int:
    """How many scores there are in all."""
    section = self.config['evaluation']
    baselines = len(section['baselines']) + (section['whole'] != 'no')
    return len(self.protocols) + baselines

  def _counted(self, names: Sequence[str], before: int) -> Iterator[str]:
    """The names of scores, reported as they are begun and when all are done."""
    total = self._total
    for done, name in enumerate(names, before):
      self._progress(done, total)
      share = functools.partial(self._share, done, total)
      self._gauge.begin(self._trained_apart(name), share)
      with stages.told(self.writers, f'scoring {self._what(name)}'):
        yield name
      self._gauge.end()
    if names and before + len(names) == total:
      self._progress(total, total)

  def _trained_apart(self, name: str) -> int:
    """How many learners of a score are trained one after the other."""
    apart = not (self.platform or here()).batches_networks
    several = name == 'random' or (apart and name != _WHOLE)
    return self.config['evaluation']['learners'] if several else 1

  def _share(self, done: int, total: int, share: float) -> None:
    if share < 1:  # what is done is told by the next
      self._progress(done + share, total)

  @functools.cached_property
  def _gauge(self) -> Gauge:
    return Gauge()

  def _what(self, name: str) -> str:
    """What is scored, by the name of a protocol, a selection, or the whole."""
    headline = self.config['evaluation']['protocol']
    if name == _WHOLE:
      return f'all training images under {headline}'
    if name in baselines():
      return f'{name} images under {headline}'
    return f'under {name}'

  def _progress(self, done: float, total: int) -> None:
    for writer in self.writers:
      writer.progress('scoring', done, total)

  def _score(self, name: str, key: Key, data: DistilledData) -> Score:
    section = self.config['evaluation']
    chosen = self.protocol(
      name, self.config['label_encoding'], section['steps']
    )
    return self._evaluated(chosen, key, data, section['learners'])

  def _evaluated(
    self, chosen: Protocol, key: Key, data: DistilledData, count: int
  ) -> Score:
    test, wanted = self.prepared.test, self._wanted
    return evaluate(chosen, key, data, test, num_learners=count, wanted=wanted)

  @functools.cached_property
  def _wanted(self) -> Wanted | None:
    return metrics.wanted(self.config, self.prepared)

  @functools.cache  # noqa: B019 (a scorer lives for one run)
  def protocol(self, name: str, encoding: str, steps: int) -> Protocol:
    """A protocol on this run's data; see `judge.protocol_of`.

    Trains the teacher, where there is one that is not yet trained.
    """
    return self._made(name, encoding, steps, self.teacher)

  def _made(
    self, name: str, encoding: str, steps: int, teacher: Teacher | None
  ) -> Protocol:
    held_out = self.prepared.validation
    report = self._gauge if self.writers else None
    asked = judge.Asked(
      name, encoding, steps, self.mesh, held_out, teacher, report
    )
    return judge.protocol_of(asked, self.config, self.setting)

  @functools.cached_property
  def teacher(self) -> Teacher | None:
    """Trained on the real training split, cached; None where none is asked."""
    return self._school.teacher() if self._school else None

  @functools.cached_property
  def _school(self) -> School | None:
    if self.config['evaluation']['labels'] != 'teacher':
      return None
    return School(
      self.config,
      self.setting,
      self.prepared,
      self.cache,
      self._data_identity(),
      self.writers,
    )

  def learner(self, data: DistilledData) -> dict[str, Any]:
    """What the headline protocol trains, as plain values.

    Its network, None for the protocol's own; how many numbers that learns; its
    steps on this set and the images of one. None where nothing is trained, or
    the protocol does not tell.
    """
    section = self.config['evaluation']
    encoding = self.config['label_encoding']
    made = self.protocol(section['protocol'], encoding, section['steps'])
    score, named = made.score, section['network']
    return {
      'network': named if named['name'] else None,
      'parameters': parameters(score) if isinstance(score, Tester) else None,
      'steps': int(made.steps(data)) if made.steps else None,
      'batch': min(made.batch, len(data.image)) if made.batch else None,
    }

  def labels(self, data: DistilledData) -> dict[str, Any]:
    """The label regime of a set, and who the teacher was, as plain values."""
    found: dict[str, Any] = {
      'kind': labels.kind(self.config, data),
      'selections': labels.of_selections(self.config),
    }
    if self._school and self.teacher:
      found['teacher'] = self._school.told(self.teacher)
    return found

  def _baseline(self, name: str, key: Key) -> Score:
    fresh = lambda: self._fresh_baseline(name, key)
    return self._cached(self._identity(name, key), fresh, name)

  def _cached(
    self, identity: dict[str, Any], fresh: Callable[[], Score], *selection: str
  ) -> Score:
    """A score of real images as it was kept, or a fresh one, now kept."""
    if self._unknown(*selection):
      return fresh()
    held = _read_score(self.cache.get(identity))
    if held is not None:
      return held
    score = fresh()
    self.cache.put(identity, json.dumps(score._asdict()).encode())
    return score

  def _unknown(self, *selection: str) -> bool:
    """Whether what scores real images may change under the same name."""
    section = self.config['evaluation']
    used = [
      *(('selection', name) for name in selection),
      ('protocol', section['protocol']),
      ('kernel', self.config['kernel']['name']),
      ('network', section['network']['name']),
    ]
    return bool(registries.added(used))

  def _fresh_baseline(self, name: str, key: Key) -> Score:
    return self._random(key) if name == 'random' else self._selected(name, key)

  def _selected(self, name: str, key: Key) -> Score:
    return self._score_one_hot(key, self._selection(name, key), None)

  def _random(self, key: Key) -> Score:
    count = self.config['evaluation']['learners']
    keys = jax.random.split(key, count)
    scores = [
      self._score_one_hot(k, self._selection('random', k), 1) for k in keys
    ]
    return of_draws(scores)

  def _score_one_hot(
    self,
    key: Key,
    data: DistilledData,
    learners: int | None,
    steps: int | None = None,
  ) -> Score:
    section = self.config['evaluation']
    steps = section['steps'] if steps is None else steps
    chosen = self.protocol(section['protocol'], 'one-hot', steps)
    count = learners or section['learners']
    found = self._evaluated(chosen, key, data, count)
    return found._replace(counts=None)

  def _selection(self, name: str, key: Key) -> DistilledData:
    size = {k: self.config[k] for k in ('ipc', 'counts')}
    config = recipe.update(recipe.default(name), size)
    method = self.build(config)
    return method.distilled(method.init(key, self.prepared.train))

  def _features(self, name: str) -> Callable[..., Any] | None:
    in_pixels = self.config['evaluation']['features'] == 'pixels'
    if in_pixels or name not in recipe.SELECTIONS:
      return None
    # Trained once a selection asks: a random one does not.
    return lambda image: self._network_features(image)

  @functools.cached_property
  def _network_features(self) -> Callable[..., Any]:
    """Penultimate features of the `dc` protocol's ConvNet on real data."""
    section = _feature_network()
    return trained_features(
      parts.build_network(section, self.setting),
      jax.random.key(_FEATURE_SEED),
      self.prepared.train,
      self.cache,
      {'features': section, **self._data_identity()},
    )

  def _data_identity(self) -> dict[str, Any]:
    provenance = self.prepared.dataset.provenance
    return {
      'version': _CACHE_VERSION,
      # A protocol and a preprocessing may treat a set by its name.
      'dataset': provenance['name'],
      'sha256': provenance['sha256'],
      'validation': provenance['validation'],
      'preprocessing': self.prepared.identity,
      # Only where it is another set's.
      **{k: provenance[k] for k in ('class_order',) if k in provenance},
    }

  def _identity(self, name: str, key: Key) -> dict[str, Any]:
    section = self.config['evaluation']
    kept = (
      'protocol',
      'learners',
      'network',
      'networks',
      'steps',
      'features',
    )
    return {
      **self._data_identity(),
      'score': _SCORE_VERSION,
      'selection': name,
      'ipc': self.config['ipc'],
      'key': jax.random.key_data(key).tolist(),
      'kernel': self.config['kernel'],
      'ridge': self.config['method'].get('ridge', 1e-6),
      **{k: section[k] for k in kept},
      # Not in those of earlier versions.
      **{k: section[k] for k in ('mirror',) if section[k]},
      **{k: section[k] for k in _OF_METRICS if section['metrics']},
      **{k: section[k] for k in _OF_LABELS if section['labels'] != 'own'},
      **{k: self.config[k] for k in ('counts',) if self.config[k]},
    }


def _read_score(content: bytes | None) -> Score | None:
  """A score as it was cached, or None where the file is absent or damaged."""
  try:
    fields = json.loads(content or b'')
    held = dict(fields).get('metrics')
    told = held and {k: Measure(*v) for k, v in held.items()}
    values = tuple(fields['values'])
    return Score(**{**fields, 'values': values, 'metrics': told})
  except (ValueError, TypeError, KeyError):
    return None


def _feature_network() -> Config:
  """The learner of the `dc` protocol."""
  return {'name': 'convnet', **recipe.settings(recipe.NETWORKS['convnet'])}
