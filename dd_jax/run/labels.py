"""Which labels learners are trained on: the regime of a score.

`own`: those of the set, hard or soft as they are. `hard`: the largest entry of
each. `teacher`: those that a network gives to all that a learner is shown, see
`evaluation.teacher`. Selections of real images beside a set are scored under
the same regime.
"""

import jax
import numpy as np

from dd_jax.data.labels import LabelEncoding
from dd_jax.evaluation.protocols import Protocol
from dd_jax.evaluation.protocols.base import hardened
from dd_jax.run.recipe import Config
from dd_jax.types import DistilledData, UserError

REGIMES = ('own', 'hard', 'teacher')


def under(chosen: Protocol, config: Config, encoding: str) -> Protocol:
  """A protocol under the regime that a configuration names.

  Args:
    chosen: made with the teacher, where there is one.
    config: of the run.
    encoding: of the labels that it is given.

  Raises:
    UserError: a teacher, where learners cannot follow one.
  """
  regime = config['evaluation']['labels']
  if regime == 'teacher' and not chosen.taught:
    raise UserError(
      f"evaluation.labels='teacher': learners of {chosen.name} cannot follow "
      'one: it needs batches, trained on by cross-entropy; allowed are '
      'own, hard'
    )
  if regime != 'hard':
    return chosen
  return chosen._replace(score=hardened(encoding, chosen.score))


def named(config: Config) -> list[str]:
  """What a protocol's name says of the regime: nothing of the set's own."""
  section = config['evaluation']
  if section['labels'] == 'own':
    return []
  if section['labels'] == 'hard':
    return ['hard labels']
  teacher = section['teacher']
  steps = f' of {teacher["steps"]} steps' if teacher['steps'] else ''
  warm = teacher['temperature']
  return [
    f'labels of {teacher["network"]}{steps}'
    + (f' at temperature {warm:g}' if warm != 1 else '')
  ]


def kind(config: Config, data: DistilledData) -> str:
  """What the labels come to: 'hard', 'soft', or 'teacher'.

  Args:
    config: of the run.
    data: the set, its labels in the configuration's encoding.
  """
  regime: str = config['evaluation']['labels']
  if regime != 'own':
    return regime
  label = np.asarray(data.label)
  one_hot = jax.nn.one_hot(label.argmax(-1), label.shape[-1])
  hard = LabelEncoding(config['label_encoding']).encode(one_hot)
  return 'hard' if np.allclose(label, hard, atol=1e-6) else 'soft'


def of_selections(config: Config) -> str:
  """As `kind`, of real images, whose own labels are hard."""
  return 'teacher' if config['evaluation']['labels'] == 'teacher' else 'hard'
