"""Watches the metrics that a run writes anyhow, for what a user must know."""

import numpy as np

from dd_jax.evaluation import diagnoses

_NAMES = ('grad_norm', 'step_size')


class Watch:
  """What was seen of the rows so far; nothing is computed on the device."""

  def __init__(self) -> None:
    self._recent: dict[str, np.ndarray] = {}
    self._losses = diagnoses.Losses(0, np.inf, 0.0, -np.inf)

  def rows(
    self, steps: np.ndarray, rows: dict[str, np.ndarray]
  ) -> dict[str, str]:
    """Looks at finished steps.

    Args:
      steps: int `[n]`, from 1.
      rows: each metric, `[n]`.

    Returns:
      Lines by the kind of what they warn of.
    """
    self._losses = _joined(self._losses, rows['loss'])
    for name in set(_NAMES) & set(rows):
      held = self._recent.get(name, np.zeros(0))
      joined = np.concatenate([held, np.asarray(rows[name])])
      self._recent[name] = joined[-diagnoses.RECENT :]
    return diagnoses.of_rows(int(steps[-1]), self._recent)

  def whole(self, classes: int) -> str | None:
    """What the losses of all steps warn of, or None."""
    return diagnoses.of_losses(self._losses, classes)


def _joined(before: diagnoses.Losses, loss: np.ndarray) -> diagnoses.Losses:
  """The losses so far and those of further steps."""
  steps = before.steps + len(loss)
  return diagnoses.Losses(
    steps,
    min(before.low, float(np.min(loss))),
    (before.mean * before.steps + float(np.sum(loss))) / steps,
    max(before.high, float(np.max(loss))),
  )


def ridge(steps: np.ndarray, rows: dict[str, np.ndarray]) -> str | None:
  """Says where a kernel's ridge had to be raised first, or None."""
  raised = np.flatnonzero(rows.get('ridge_raised', np.zeros(0)) > 0)
  if not raised.size:
    return None
  value = float(rows['ridge_raised'][raised[0]])
  return (
    'a kernel matrix could not be factorised, so its ridge was raised, '
    f'first at step {steps[raised[0]]:,} (ridge_raised = {value:g})'
  )
