"""The teacher that a configuration names: trained once, and told of."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax

from dd_jax.cache import Cache
from dd_jax.data.prepare import Prepared
from dd_jax.evaluation.real import Course, trained_on_real, usual_steps
from dd_jax.evaluation.teacher import Teacher
from dd_jax.evaluation.tester import source_accuracy
from dd_jax.networks import Network
from dd_jax.run import parts, recipe, stages
from dd_jax.run.recipe import Config
from dd_jax.run.writers import Writer

_SEED = 0  # of every teacher: it is shared by runs
_LOSS = 'temperature^2 cross-entropy with its softmax, at every step'


class School(NamedTuple):
  """Where a teacher is trained.

  Attributes:
    config: names it, in `evaluation.teacher`.
    setting: of the images.
    prepared: whose training split it learns.
    cache: where it is kept.
    identity: of the data, for the cache.
    writers: told of its training.
  """

  config: Config
  setting: parts.Setting
  prepared: Prepared
  cache: Cache
  identity: dict[str, Any]
  writers: Sequence[Writer]

  def network(self) -> Network:
    """The teacher's.

    Raises:
      UserError: it does not suit these images.
    """
    return parts.build_network(self._section, self.setting)

  def teacher(self) -> Teacher:
    """The trained one: from the cache where it was trained before."""
    network, section = self.network(), self._section
    name = {'teacher': section, 'steps': self._steps, **self.identity}
    course = Course(self._steps, jax.random.key(_SEED), self._report)
    what = f'training a teacher, {section["name"]}, on the real images'
    with stages.told(self.writers, what):
      variables = trained_on_real(
        network, self.prepared.train, course, self.cache, name
      )
    return Teacher(network, variables, self._asked['temperature'])

  def told(self, teacher: Teacher) -> dict[str, Any]:
    """All that a score under it depends on, as plain values."""
    params = jax.tree.leaves(teacher.variables['params'])
    return {
      'network': self._section,
      'parameters': sum(a.size for a in params),
      'steps': self._steps,
      'temperature': teacher.temperature,
      'loss': _LOSS,
      'test_accuracy': round(100 * self._accuracy(teacher), 4),
    }

  def _accuracy(self, teacher: Teacher) -> float:
    return float(source_accuracy(jax.jit(teacher.label), self.prepared.test))

  @property
  def _asked(self) -> Config:
    found: Config = self.config['evaluation']['teacher']
    return found

  @property
  def _section(self) -> Config:
    """Its network, with the usual settings."""
    name = self._asked['network']
    return {'name': name, **recipe.settings(recipe.NETWORKS[name])}

  @property
  def _steps(self) -> int:
    return self._asked['steps'] or usual_steps(self.prepared.train)

  def _report(self, done: int, total: int) -> None:
    for writer in self.writers:
      writer.progress('teacher', done, total)
