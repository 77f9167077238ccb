"""What scores a set of a run: its data, its protocols, its teacher."""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax

from dd_jax.cache import Cache
from dd_jax.data.prepare import Prepared
from dd_jax.distiller import Distiller
from dd_jax.evaluation.features import trained_features
from dd_jax.evaluation.metrics import Wanted
from dd_jax.evaluation.protocols import Protocol
from dd_jax.evaluation.score import Score, evaluate
from dd_jax.evaluation.teacher import Teacher
from dd_jax.platform import Platform
from dd_jax.run import judge, metrics, parts, recipe
from dd_jax.run.recipe import Config
from dd_jax.run.schooling import School
from dd_jax.run.score_bar import ScoreBar
from dd_jax.run.writers import Writer
from dd_jax.types import DistilledData, Key

_CACHE_VERSION = 1
_FEATURE_SEED = 0


@dataclasses.dataclass(frozen=True, eq=False)
class Examiner:
  """Scores any set under the protocols of one run.

  Attributes:
    config: of the run.
    prepared: its data.
    cache: where what takes long is kept.
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

  @functools.cache  # noqa: B019 (a scorer lives for one run)
  def protocol(self, name: str, encoding: str, steps: int) -> Protocol:
    """A protocol on this run's data; see `judge.protocol_of`.

    Trains the teacher, where there is one that is not yet trained.
    """
    return self.made(name, encoding, steps, self.teacher)

  def made(
    self, name: str, encoding: str, steps: int, teacher: Teacher | None
  ) -> Protocol:
    """As `protocol`, with a teacher that is there, or none."""
    held_out = self.prepared.validation
    report = self.bar.gauge if self.writers else None
    asked = judge.Asked(
      name, encoding, steps, self.mesh, held_out, teacher, report
    )
    return judge.protocol_of(asked, self.config, self.setting)

  @functools.cached_property
  def bar(self) -> ScoreBar:
    """Tells how far scoring is."""
    return ScoreBar(self.config, self.platform, self.writers)

  @functools.cached_property
  def teacher(self) -> Teacher | None:
    """Trained on the real training split, cached; None where none is asked."""
    return self.school.teacher() if self.school else None

  @functools.cached_property
  def school(self) -> School | None:
    """Where the teacher is trained; None where none is asked."""
    if self.config['evaluation']['labels'] != 'teacher':
      return None
    return School(
      self.config,
      self.setting,
      self.prepared,
      self.cache,
      self.data_identity(),
      self.writers,
    )

  def evaluated(
    self, chosen: Protocol, key: Key, data: DistilledData, count: int
  ) -> Score:
    """What `count` learners of a set reach on the test set."""
    test, wanted = self.prepared.test, metrics.of(self._wanted, chosen)
    return evaluate(chosen, key, data, test, num_learners=count, wanted=wanted)

  @functools.cached_property
  def _wanted(self) -> Wanted | None:
    return metrics.wanted(self.config, self.prepared)

  def data_identity(self) -> dict[str, Any]:
    """Of the data, as what is cached of them is known by."""
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

  def _features(self, name: str) -> Callable[..., Any] | None:
    in_pixels = self.config['evaluation']['features'] == 'pixels'
    if in_pixels or name not in recipe.SELECTIONS:
      return None
    # Trained once a selection asks: a random one does not.
    return lambda image: self._network_features(image)

  @functools.cached_property
  def _network_features(self) -> Callable[..., Any]:
    """Penultimate features of the `dc` protocol's ConvNet on real data."""
    section = feature_network()
    return trained_features(
      parts.build_network(section, self.setting),
      jax.random.key(_FEATURE_SEED),
      self.prepared.train,
      self.cache,
      {'features': section, **self.data_identity()},
    )


def feature_network() -> Config:
  """The learner of the `dc` protocol."""
  return {'name': 'convnet', **recipe.settings(recipe.NETWORKS['convnet'])}
