"""One score of one set, as a comparison takes it."""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from dd_jax.report import facts


class Entry(NamedTuple):
  """One score of one set; what is not known is None.

  Attributes:
    run: where it stands, or '' for the random images beside it.
    method: by which the set was made.
    data: that it was scored on.
    ipc: images per class; None where classes have unequal numbers.
    protocol: how; '' where the set was not scored.
    score: `mean`, `std`, `values`, `runs`, as in result.json; or nothing.
    random: the same of random images beside it.
    seeds: of distilling, in the order of the values where there are several.
    examples: of the test set.
    stored_bytes: what the set takes.
    seconds: of distilling, from the first state on.
    network: that learned, where several were asked for; else ''.
    of_learners: deviation over learners of one set, where the score's own is
      over distillation seeds.
    published: a figure under the same protocol, and where it is from.
    labels: that learners were trained on: 'hard', 'soft', 'teacher'; '' where
      a record does not tell.
    by_class: images of each class, where they differ.
  """

  run: str
  method: str | None
  data: str | None
  ipc: int | None
  protocol: str
  score: Mapping[str, Any]
  random: Mapping[str, Any] | None
  seeds: tuple[int, ...]
  examples: int | None
  stored_bytes: int | None
  seconds: float | None
  network: str = ''
  of_learners: float | None = None
  published: tuple[float, str] | None = None
  labels: str = ''
  by_class: tuple[int, ...] = ()

  @property
  def size(self) -> str:
    """`10 per class`, or `22 in all`; '' where it is not known."""
    if self.by_class:
      return f'{sum(self.by_class):,} in all'
    return '' if self.ipc is None else f'{self.ipc:,} per class'

  @property
  def kind(self) -> tuple[str, str, str]:
    """What scores share that can be held against each other."""
    return str(self.data), self.size, self.protocol

  @property
  def plain_protocol(self) -> str:
    """The protocol without its network: `dc (300 steps)`."""
    own, _, told = self.protocol.removesuffix(')').partition(' (')
    kept = [p for p in told.split(', ') if p.split()[:1] != self._first]
    return f'{own} ({", ".join(kept)})' if any(kept) else own

  @property
  def _first(self) -> list[str]:
    return self.network.split()[:1]


def entries(run: str, record: Mapping[str, Any]) -> list[Entry]:
  """The headline and the other scores of a record.

  Args:
    run: what it is called.
    record: as in `result.json`, or as `evaluate --output` writes it; of one
      network, its name is `network`.
  """
  test = record.get('test_set', {})
  seed = record.get('seed')
  headline = Entry(
    run,
    record.get('method'),
    record.get('dataset'),
    record.get('images_per_class'),
    record['protocol'],
    record['test_accuracy'],
    record.get('baselines', {}).get('random'),
    () if seed is None else (seed,),
    test.get('examples'),
    record.get('stored_bytes'),
    facts.distilling(record),
    record.get('network', ''),
    labels=record.get('labels', {}).get('kind', ''),
    by_class=facts.by_class(record),
  )
  others = record.get('other_scores', {})
  return [
    headline,
    *(
      headline._replace(protocol=name, score=score, random=None)
      for name, score in others.items()
    ),
  ]


def over_seeds(found: Sequence[Entry]) -> Entry:
  """The score of several sets that differ in the seed of distilling alone.

  Its deviation is over the sets, each by the mean of its learners; that over
  the learners of a set is pooled.
  """
  first, count = found[0], len(found)
  if count == 1:
    return first
  means = [entry.score['mean'] for entry in found]
  spreads = [entry.score.get('std') for entry in found]
  known = [s for s in spreads if s is not None]
  score = {
    'mean': statistics.fmean(means),
    'std': statistics.stdev(means),
    'values': means,
    'runs': f'{count} seeds, {first.score.get("runs") or "one score"}',
  }
  return first._replace(
    score=score,
    seeds=tuple(seed for entry in found for seed in entry.seeds),
    seconds=_mean(entry.seconds for entry in found),
    of_learners=statistics.fmean(s * s for s in known) ** 0.5
    if known
    else None,
  )


def _mean(values: Iterable[float | None]) -> float | None:
  known = [value for value in values if value is not None]
  return statistics.fmean(known) if known else None
