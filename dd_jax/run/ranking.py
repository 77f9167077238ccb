"""Architectures scored on a distilled set, on random images and on all data."""

import itertools
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import jax
import numpy as np

from dd_jax.evaluation.ranks import agreement
from dd_jax.run.recipe import Config
from dd_jax.run.scoring import Scorer
from dd_jax.types import DistilledData, UserError

PROXIES = ('set', 'random')
"""What may stand for all data."""
_T = TypeVar('_T')


def grid(choices: Mapping[str, Sequence[Any]]) -> list[Config]:
  """ConvNets by every combination of their settings."""
  return [
    {'name': 'convnet', **dict(zip(choices, values, strict=True))}
    for values in itertools.product(*choices.values())
  ]


def drawn(networks: Sequence[Config], count: int, seed: int) -> list[Config]:
  """So many of them, at random, in their order; all where 0 is asked for."""
  if not count or count >= len(networks):
    return list(networks)
  rng = np.random.default_rng(seed)
  kept = rng.choice(len(networks), count, replace=False)
  return [networks[i] for i in sorted(kept)]


def scored(scorer: Scorer, data: DistilledData) -> dict[str, Any]:
  """Means in percent and seconds of one architecture, as plain values.

  Args:
    scorer: with that architecture, `random` its one baseline.
    data: the distilled set.

  Raises:
    UserError: it does not suit the images, or all data cannot be learned from.
  """
  scorer.check()
  key = jax.random.key(scorer.config['seed'])
  own, seconds = _timed(lambda: scorer.scores(key, data))
  random, _ = _timed(lambda: scorer.baselines(key))
  whole, longer = _timed(lambda: scorer.whole_set(key, data))
  if whole is None or whole.score is None:
    reason = whole.plan.reason if whole else '--config.evaluation.whole=no'
    raise UserError(f'all data: {reason}')
  [headline] = own.values()
  return {
    'protocol': headline.protocol,
    'set': headline.mean,
    'random': random['random'].mean,
    'whole': whole.score.mean,
    'epochs': whole.plan.epochs,
    'seconds': {'set': round(seconds, 3), 'whole': round(longer, 3)},
  }


def summary(lines: Sequence[Mapping[str, Any]], top: int) -> dict[str, Any]:
  """What the set's ranking is worth, beside that of random images.

  Args:
    lines: as `scored` gives them, two and more.
    top: architectures that would be trained on all data.
  """
  real = [line['whole'] for line in lines]
  found: dict[str, Any] = {
    name: agreement([line[name] for line in lines], real, top)._asdict()
    for name in PROXIES
  }
  spent = {
    name: sum(line['seconds'][name] for line in lines)
    for name in ('set', 'whole')
  }
  order = sorted(lines, key=lambda line: -line['set'])[:top]
  again = sum(line['seconds']['whole'] for line in order)
  return {
    'architectures': len(lines),
    **found,
    'seconds': {**spent, 'saved': spent['whole'] - spent['set'] - again},
  }


def _timed(work: Callable[[], _T]) -> tuple[_T, float]:
  began = time.perf_counter()
  found = work()
  return found, time.perf_counter() - began
