"""Scoring a distilled set and the baselines beside it, on the test set."""

import functools
from typing import Any, NamedTuple

import jax

from dd_jax.data.subset import head
from dd_jax.evaluation.score import Score
from dd_jax.evaluation.tester import Tester, parameters
from dd_jax.run import labels, metrics, parts, whole
from dd_jax.run.examiner import Examiner, feature_network
from dd_jax.run.references import References
from dd_jax.run.result import Validation
from dd_jax.run.score_bar import WHOLE
from dd_jax.run.stages import tell
from dd_jax.types import DistilledData, Key


class Whole(NamedTuple):
  """What became of a learner of the whole training set.

  Attributes:
    plan: how long it was trained, or why there is none.
    score: None where there is none.
  """

  plan: whole.Plan
  score: Score | None


class Scorer(Examiner):
  """Scores what a run made, and what it is compared with."""

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
    encoding = self.config['label_encoding']
    for name in self.protocols:
      made = self.made(name, encoding, section['steps'], None)
      if name == section['protocol']:
        metrics.check(self.config, made)
      else:
        tell(self.writers, metrics.left_out(self.config, made))
    if self.school:
      self.school.network()
    if section['features'] == 'network':
      parts.build_network(feature_network(), self.setting)

  @property
  def exact(self) -> list[str]:
    """Those of its protocols that train no learner."""
    encoding = self.config['label_encoding']
    steps = self.config['evaluation']['steps']
    return [
      name
      for name in self.protocols
      if self.made(name, encoding, steps, None).exact
    ]

  @property
  def protocols(self) -> tuple[str, ...]:
    """The headline protocol and the others, each once."""
    return self.bar.protocols

  def scores(self, key: Key, data: DistilledData) -> dict[str, Score]:
    """The headline protocol's score and the others', by name."""
    names = self.bar.counted(self.protocols, 0)
    return {name: self._score(name, key, data) for name in names}

  def baselines(self, key: Key) -> dict[str, Score]:
    """Selections of real images under the headline protocol, cached.

    The deviation of a random selection is over draws, one learner each; of the
    others, over learners.
    """
    names = self.config['evaluation']['baselines']
    told = self.bar.counted(names, len(self.protocols))
    return {name: self._real.selected(name, key) for name in told}

  def whole_set(self, key: Key, data: DistilledData) -> Whole | None:
    """A learner of the whole training set, cached; None where none is asked.

    Args:
      key: of the learner.
      data: the distilled set: how long it is learned from decides how long the
        whole set may be.
    """
    if self.config['evaluation']['whole'] == 'no':
      return None
    plan = self._real.plan(len(data.image))
    [score] = [
      None if plan.reason else self._real.whole(plan, key)
      for _ in self.bar.counted((WHOLE,), self.bar.total - 1)
    ]
    return Whole(plan, score)

  def _score(self, name: str, key: Key, data: DistilledData) -> Score:
    section = self.config['evaluation']
    chosen = self.protocol(
      name, self.config['label_encoding'], section['steps']
    )
    return self.evaluated(chosen, key, data, section['learners'])

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
    if self.school and self.teacher:
      found['teacher'] = self.school.told(self.teacher)
    return found

  @functools.cached_property
  def _real(self) -> References:
    return References(self)
