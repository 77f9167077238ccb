"""One run for each of several seeds, and what they have in common."""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from dd_jax.types import UserError

FILE = 'summary.json'
"""What is written beside the runs' folders."""


def parse(flag: str | None) -> list[int]:
  """The seeds of `--seed=0,1,2`; none where it was not given.

  Raises:
    UserError: no whole number, or the same one twice.
  """
  if flag is None:
    return []
  try:
    found = [int(part) for part in flag.split(',')]
  except ValueError:
    raise UserError(
      f'--seed={flag}: must be a whole number, or several with commas between'
    ) from None
  if len(set(found)) < len(found):
    raise UserError(f'--seed={flag}: names a seed twice')
  return found


def folder(seed: int | str) -> str:
  """Where the run of a seed lies, beside the others; of '*', all of them."""
  return f'seed_{seed}'


def summary(results: Mapping[int, Mapping[str, Any]]) -> dict[str, Any]:
  """Test scores over runs that differ in their seed alone, as plain values.

  Args:
    results: what each `result.json` holds, by seed.

  Returns:
    As `record.score` gives: every value is the mean of one run, the
    deviation is that over runs.
  """
  first = next(iter(results.values()))
  runs = list(results.values())
  whole = [run.get('whole', {}) for run in runs]
  alike = {k: v for k, v in whole[0].items() if k in ('runs', 'epochs')}
  scored = all('mean' in score for score in whole)
  return {
    'seeds': list(results),
    'folders': [folder(seed) for seed in results],
    'protocol': first['protocol'],
    'test_accuracy': _over([run['test_accuracy'] for run in runs]),
    **({'whole': {**_over(whole), **alike}} if scored else {}),
    **{
      group: {
        name: _over([run[group][name] for run in runs]) for name in first[group]
      }
      for group in ('baselines', 'other_scores')
    },
  }


def _over(scores: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
  """The mean and sample deviation of the means, in percent."""
  values = [score['mean'] for score in scores]
  return {
    'mean': statistics.fmean(values),
    'std': statistics.stdev(values),
    'values': values,
  }
