"""Scores as they are begun, told: which of how many, and how far it is."""

import functools
from collections.abc import Iterator, Sequence

from dd_jax.evaluation.ticks import Gauge
from dd_jax.methods import baselines
from dd_jax.platform import Platform, here
from dd_jax.run import stages
from dd_jax.run.recipe import Config
from dd_jax.run.writers import Writer

WHOLE = 'whole'
"""The name of a learner of all training images."""


class ScoreBar:
  """Tells of the scores of a run, one after the other.

  Attributes:
    gauge: moved by learners as they are trained.
  """

  def __init__(
    self, config: Config, platform: Platform | None, writers: Sequence[Writer]
  ) -> None:
    """Tells nothing yet.

    Args:
      config: of the run: which scores there are.
      platform: what learners run on.
      writers: that are told.
    """
    self.gauge = Gauge()
    self._section = config['evaluation']
    self._platform = platform or here()
    self._writers = writers

  def counted(self, names: Sequence[str], before: int) -> Iterator[str]:
    """The names of scores, reported as they are begun and when all are done.

    Args:
      names: of protocols, of selections, or `WHOLE`.
      before: how many scores came before them.
    """
    total = self.total
    for done, name in enumerate(names, before):
      self._progress(done, total)
      share = functools.partial(self._share, done, total)
      self.gauge.begin(self._trained_apart(name), share)
      with stages.told(self._writers, f'scoring {self._what(name)}'):
        yield name
      self.gauge.end()
    if names and before + len(names) == total:
      self._progress(total, total)

  @property
  def protocols(self) -> tuple[str, ...]:
    """The headline protocol and the others, each once."""
    named = (self._section['protocol'], *self._section['others'])
    return tuple(dict.fromkeys(named))

  @property
  def total(self) -> int:
    """How many scores there are in all."""
    real = len(self._section['baselines']) + (self._section['whole'] != 'no')
    return len(self.protocols) + real

  def _trained_apart(self, name: str) -> int:
    """How many learners of a score are trained one after the other."""
    apart = not self._platform.batches_networks
    several = name == 'random' or (apart and name != WHOLE)
    return self._section['learners'] if several else 1

  def _what(self, name: str) -> str:
    """What is scored, in words."""
    headline = self._section['protocol']
    if name == WHOLE:
      return f'all training images under {headline}'
    if name in baselines():
      return f'{name} images under {headline}'
    return f'under {name}'

  def _share(self, done: int, total: int, share: float) -> None:
    if share < 1:  # what is done is told by the next
      self._progress(done + share, total)

  def _progress(self, done: float, total: int) -> None:
    for writer in self._writers:
      writer.progress('scoring', done, total)
