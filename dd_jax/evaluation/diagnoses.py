"""Signs that a run is dead or a score means nothing: values in, lines out.

Each line says what was seen and what to change. None of these signs can come of
a run that learns.
"""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from dd_jax.evaluation import tally
from dd_jax.evaluation.score import Score

RECENT = 10
"""Rows in a row that must agree before they are a sign."""
_LONG = 20  # steps of a run whose losses are a sign
_NO_STEP = 1e-8  # a learned step size below it moves no float32 weight
_STILL = 1e-3  # of the loss: it did not move
_GUESS = 1e-2  # of ln k: the mean loss of a learner that knows nothing
_NOISE = 5e-2  # of ln k: what a batch may do to it


def of_rows(step: int, rows: Mapping[str, np.ndarray]) -> dict[str, str]:
  """Signs in the metrics of the latest steps.

  Args:
    step: the last of them.
    rows: `[n]` each; of fewer than `RECENT` steps nothing is said.

  Returns:
    Lines by the kind of sign.
  """
  recent = {k: v[-RECENT:] for k, v in rows.items() if len(v) >= RECENT}
  sizes, gradients = recent.get('step_size'), recent.get('grad_norm')
  if sizes is not None and np.all(sizes < _NO_STEP):
    return {
      'step size': (
        f'the learned step size is {sizes[-1]:.3g} at step {step:,}: '
        'learners no longer move, and nothing is learned. Start it higher or '
        'let it move less (config.method.step_size, step_size_rate), or lower '
        'config.optimizer.learning_rate'
      )
    }
  if gradients is not None and not np.any(gradients):
    return {
      'gradient': (
        f'the gradient is exactly 0 at step {step:,} and was for the last '
        f'{RECENT} steps: nothing is learned. Start from real images, or lower '
        'the learning rate or the step size inside, which may have left all '
        'activations at 0'
      )
    }
  return {}


class Losses(NamedTuple):
  """The losses of all steps of a run.

  Attributes:
    steps: how many.
    low: the least.
    mean: of all.
    high: the greatest.
  """

  steps: int
  low: float
  mean: float
  high: float


def of_losses(losses: Losses, k: int) -> str | None:
  """A loss that did not move in a whole run, or that of a guess; or None.

  Args:
    losses: of fewer than 20 steps nothing is said.
    k: classes.
  """
  steps, low, mean, high = losses
  if steps < _LONG or not high:
    return None
  guess = math.log(k)
  near = abs(mean - guess) < _GUESS * guess
  if near and max(guess - low, high - guess) < _NOISE * guess:
    what = f'stayed at {mean:.4g}, that of a guess among {k:,} classes (ln {k})'
  elif high - low < _STILL * abs(high):
    what = f'stayed at {mean:.4g}'
  else:
    return None
  return (
    f'the loss {what}, in all {steps:,} steps: nothing was learned. Try a '
    'higher learning rate, more inner steps or a larger step size inside, or a '
    'start from real images'
  )


def of_score(
  score: Score, random: Score | None, class_names: Sequence[str]
) -> list[str]:
  """Signs in the score of a distilled set.

  Args:
    score: of the set, under the headline protocol.
    random: of a random selection of real images under it, or None.
    class_names: in label order.
  """
  found = []
  if score.undecided:
    found.append(_diverged(score, 'the distilled set'))
  elif score.counts is not None:
    found += _one_class(score.counts, class_names)
  if random is not None and score.mean < random.mean:
    found.append(
      f'the distilled set scores {score.mean:.1f} % under {score.protocol}, '
      f'below the {random.mean:.1f} % of as many random real images: train '
      'longer, lower the learning rate, or see whether the loss fell'
    )
  return found


def of_others(scores: Mapping[str, Score]) -> list[str]:
  """Signs in scores beside the headline: learners that diverged.

  Args:
    scores: by what was scored.
  """
  return [_diverged(s, name) for name, s in scores.items() if s.undecided]


def _diverged(score: Score, what: str) -> str:
  return (
    f'{score.undecided:,} answers of learners trained on {what} under '
    f'{score.protocol} are not finite, and count as wrong: the learners '
    'diverged. Lower the learned step size or the size of the labels, or score '
    'under another protocol'
  )


def _one_class(counts: tally.Counts, class_names: Sequence[str]) -> list[str]:
  """Where the answers are one class, or no better than the commonest one."""
  said, seen = tally.said(counts), [sum(row) for row in counts]
  if np.count_nonzero(said) == 1:
    name = class_names[int(np.argmax(said))]
    return [
      f'every test image is called {name!r}: the learners know nothing of the '
      'others. Look at the labels, and at the step size of the protocol'
    ]
  right = sum(row[i] for i, row in enumerate(counts))
  largest = int(np.argmax(seen))
  if right <= seen[largest]:
    share = 100 * seen[largest] / sum(seen)
    return [
      f'the distilled set scores {100 * right / sum(seen):.1f} %, no more than '
      f'calling every test image {class_names[largest]!r} would '
      f'({share:.1f} %): see the accuracy by class'
    ]
  return []
