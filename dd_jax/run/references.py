"""Real images under the protocols of a run: selections, and all of them."""

import dataclasses
import json
from collections.abc import Callable
from typing import Any

import jax

from dd_jax.evaluation.metrics import Measure
from dd_jax.evaluation.score import Score, of_draws
from dd_jax.run import recipe, registries, whole
from dd_jax.run.examiner import Examiner
from dd_jax.run.score_bar import WHOLE
from dd_jax.types import DistilledData, Key

_SCORE_VERSION = 3  # of what is kept of a score of real images
_OF_LABELS = ('labels', 'teacher')
_OF_METRICS = ('metrics', 'metric_examples', 'attack')
# Nothing to the whole set.
_OF_SELECTIONS = ('ipc', 'counts', 'learners', 'features')


@dataclasses.dataclass(frozen=True)
class References:
  """Scores of real images, each kept once it is known.

  Attributes:
    by: what scores them.
  """

  by: Examiner

  def selected(self, name: str, key: Key) -> Score:
    """Of a selection by name, under the headline protocol.

    The deviation of a random one is over draws, one learner each; of the
    others, over learners.
    """
    fresh = lambda: self._fresh(name, key)
    return self._cached(self._identity(name, key), fresh, name)

  def plan(self, images: int) -> whole.Plan:
    """How long a learner of all training images is trained, if at all.

    Args:
      images: of the distilled set, whose learners take as long as they take.
    """
    section = self.by.config['evaluation']
    kernel = self.by.config['kernel']['name']
    asked = whole.Asked(section['whole'], kernel, section['learners'], images)
    chosen = self.by.protocol(section['protocol'], 'one-hot', section['steps'])
    return whole.plan(asked, chosen, self.by.prepared.train)

  def whole(self, plan: whole.Plan, key: Key) -> Score:
    """Of one learner of all training images."""
    steps = plan.steps or self.by.config['evaluation']['steps']
    identity = {**self._identity(WHOLE, key), 'steps': steps}
    identity = {k: v for k, v in identity.items() if k not in _OF_SELECTIONS}
    return self._cached(
      identity,
      lambda: self._score_one_hot(
        key, whole.data(self.by.prepared.train), 1, steps
      ),
    )

  def _cached(
    self, identity: dict[str, Any], fresh: Callable[[], Score], *selection: str
  ) -> Score:
    """A score of real images as it was kept, or a fresh one, now kept."""
    if self._unknown(*selection):
      return fresh()
    held = _read_score(self.by.cache.get(identity))
    if held is not None:
      return held
    score = fresh()
    self.by.cache.put(identity, json.dumps(score._asdict()).encode())
    return score

  def _unknown(self, *selection: str) -> bool:
    """Whether what scores real images may change under the same name."""
    section = self.by.config['evaluation']
    used = [
      *(('selection', name) for name in selection),
      ('protocol', section['protocol']),
      ('kernel', self.by.config['kernel']['name']),
      ('network', section['network']['name']),
    ]
    return bool(registries.added(used))

  def _fresh(self, name: str, key: Key) -> Score:
    if name == 'random':
      return self._random(key)
    return self._score_one_hot(key, self._selection(name, key), None)

  def _random(self, key: Key) -> Score:
    count = self.by.config['evaluation']['learners']
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
    section = self.by.config['evaluation']
    steps = section['steps'] if steps is None else steps
    chosen = self.by.protocol(section['protocol'], 'one-hot', steps)
    count = learners or section['learners']
    found = self.by.evaluated(chosen, key, data, count)
    return found._replace(counts=None)

  def _selection(self, name: str, key: Key) -> DistilledData:
    size = {k: self.by.config[k] for k in ('ipc', 'counts')}
    config = recipe.update(recipe.default(name), size)
    method = self.by.build(config)
    return method.distilled(method.init(key, self.by.prepared.train))

  def _identity(self, name: str, key: Key) -> dict[str, Any]:
    section = self.by.config['evaluation']
    kept = (
      'protocol',
      'learners',
      'network',
      'networks',
      'steps',
      'features',
    )
    return {
      **self.by.data_identity(),
      'score': _SCORE_VERSION,
      'selection': name,
      'ipc': self.by.config['ipc'],
      'key': jax.random.key_data(key).tolist(),
      'kernel': self.by.config['kernel'],
      'ridge': self.by.config['method'].get('ridge', 1e-6),
      **{k: section[k] for k in kept},
      # Not in those of earlier versions.
      **{k: section[k] for k in ('mirror',) if section[k]},
      **{k: section[k] for k in _OF_METRICS if section['metrics']},
      **{k: section[k] for k in _OF_LABELS if section['labels'] != 'own'},
      **{k: self.by.config[k] for k in ('counts',) if self.by.config[k]},
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
