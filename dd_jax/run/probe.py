"""What a run takes on this machine: its loop, its learners, its experts.

Everything is measured on a scratch state and thrown away, on the very programs
that the run has, so that only their number of steps is left to choose.
"""

import math
import tempfile
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from dd_jax.data.prepare import Prepared
from dd_jax.data.source import Source
from dd_jax.data.subset import head
from dd_jax.distiller import Distiller
from dd_jax.experts import (
  ExpertStore,
  ResidentExperts,
  train_experts,
  with_experts,
)
from dd_jax.experts.source import BUDGET_BYTES
from dd_jax.run import parts, recipe
from dd_jax.run.costs import Learner
from dd_jax.run.input_pipeline import input_pipeline
from dd_jax.run.loop import Programs, lowered
from dd_jax.run.placement import Placement
from dd_jax.run.recipe import Config
from dd_jax.run.scoring import Scorer
from dd_jax.types import DistilledData

_ENOUGH_SECONDS = 0.5  # what takes this long is measured well enough
_TESTED = 128  # test examples that a learner is measured on
_SHORT, _LONG, _LONGER = 2, 4, 40  # steps of a learner
_BATCH_VALUES = 1 << 21  # pixel values in an expert's batch, to measure it by
_SMALL_BATCH = 16  # images of one, at least


class Loop(NamedTuple):
  """The outer loop of a run, measured.

  Attributes:
    start: seconds until it stands compiled, the first state made.
    step: seconds of one outer step.
    memory: bytes that it holds.
  """

  start: float
  step: float
  memory: int


def loop(
  distiller: Distiller,
  source: Any,
  seed: int,
  mesh: jax.sharding.Mesh | None,
  programs: Programs,
) -> Loop:
  """Runs a few outer steps of a method.

  Args:
    distiller: the method.
    source: as `driver.distill` takes it.
    seed: of the run.
    mesh: as `driver.distill` takes it.
    programs: keeps the loop, for the run itself.
  """
  before = time.perf_counter()
  placement = Placement(mesh)
  keys = jax.random.split(jax.random.key(seed), 3)
  key = placement.put(keys[1])
  state = placement.put(distiller.init(keys[0], source))
  pipeline = input_pipeline(distiller, source, key, 0, placement)
  try:
    program = programs.compiled(
      lowered(distiller.update, pipeline, placement, (state, key), 0)
    )
    start = time.perf_counter() - before

    def run(state: Any, first: int, count: int) -> Any:
      data = pipeline.data(first)
      made = program(state, key, data, np.int32(first), np.int32(count))
      return jax.block_until_ready(made)[0]

    step = _step_seconds(run, state)
  finally:
    pipeline.close()
  return Loop(start, step, programs.memory)


def _step_seconds(run: Callable[[Any, int, int], Any], state: Any) -> float:
  """Seconds a step: of the first where it is slow, else of those after it."""
  first, count = 0, 1
  while True:
    before = time.perf_counter()
    state = run(state, first, count)
    seconds = time.perf_counter() - before
    if seconds > _ENOUGH_SECONDS or count >= 256:
      return seconds / count
    first, count = first + count, 2 * count


def learner(scorer: Scorer, name: str, data: DistilledData) -> Learner:
  """Trains learners of a protocol for a few steps, and tests them.

  Args:
    scorer: of the run.
    name: of the protocol.
    data: a set of the run's size.
  """
  config = scorer.config
  encoding, own = config['label_encoding'], config['evaluation']['steps']
  chosen = scorer.protocol(name, encoding, own)
  test = head(scorer.prepared.test, _TESTED)
  share = len(scorer.prepared.test) / len(test)

  def seconds(steps: int) -> float:
    score = scorer.protocol(name, encoding, steps).score
    keys = jax.random.split(jax.random.key(0), 1)
    return _second(lambda: score(keys, data, test))

  if chosen.exact or chosen.steps is None:
    return Learner(share * seconds(own), 0.0, 0)
  short = seconds(_SHORT)
  more = _LONG if short > _ENOUGH_SECONDS else _LONGER
  step = max(1e-6, (seconds(more) - short) / (more - _SHORT))
  fixed = share * max(0.0, short - _SHORT * step)
  return Learner(fixed, step, int(chosen.steps(data)))


def _second(work: Callable[[], Any]) -> float:
  """Seconds of `work` once it is compiled."""
  jax.block_until_ready(work())
  before = time.perf_counter()
  jax.block_until_ready(work())
  return time.perf_counter() - before


def as_many(source: Any, config: Config) -> Source:
  """A source of as many experts as the run has, all of them alike.

  What the loop reads then has the sizes that it has in the run.

  Args:
    source: as `scratch_experts` gives it.
    config: of the run.
  """
  span, last = recipe.expert_span(config), config['experts']['keep_last']
  assert span is not None
  kept = span._replace(last=span.last or last)
  epochs = list(kept.epochs(recipe.expert_epochs(config)))
  rows = source.experts.params[0, np.minimum(epochs, 1)]
  count = config['experts']['count']
  if count * rows.nbytes > BUDGET_BYTES:
    return source  # those of the run stay on the host
  row = np.zeros(max(epochs) + 1, np.int32)
  row[epochs] = np.arange(len(epochs))
  params = jnp.broadcast_to(rows, (count, *rows.shape))
  held = ResidentExperts(jnp.array(params), jnp.asarray(row))
  return with_experts(source.real, held)


def measured_batch(size: int, image_shape: tuple[int, ...]) -> int:
  """Images in a batch that an expert's step is measured on.

  All, or of large ones so many that a step is still nothing but its images: it
  then takes as much longer as the batch is larger.

  Args:
    size: of the batches.
    image_shape: `(h, w, c)`.
  """
  enough = _BATCH_VALUES // math.prod(image_shape)
  return min(size, max(_SMALL_BATCH, enough))


def scratch_experts(config: Config, prepared: Prepared) -> tuple[Source, float]:
  """A source with an expert of three steps, and what one step takes.

  Args:
    config: of a run whose method reads experts.
    prepared: its data.

  Returns:
    `(source, seconds)`: all epochs but the first are the same.
  """
  setting = parts.Setting(
    prepared.train.image_shape, prepared.train.num_classes
  )
  made = parts.build_experts(config, setting)
  batch = measured_batch(made.batch_size, prepared.train.image_shape)
  short = made._replace(
    num_experts=1, epochs=1, epoch_steps=3, batch_size=batch
  )
  times: list[float] = []
  with tempfile.TemporaryDirectory() as folder:
    about = {'version': 1, 'epochs': [0, 1], 'recipe': {'epochs': 1}}
    store = ExpertStore.start(folder, about)
    train_experts(
      short,
      store,
      jax.random.key(0),
      prepared.train,
      head(prepared.validation, _TESTED),
      report=lambda done, total: times.append(time.perf_counter()),
    )
    rows = np.array(store.read(0))
  step = (times[-1] - times[0]) / 2  # a step compiles, two more do not
  step *= made.batch_size / batch
  epochs = recipe.expert_epochs(config)
  row = np.minimum(np.arange(epochs + 1), 1).astype(np.int32)
  experts = ResidentExperts(jnp.asarray(rows)[None], jnp.asarray(row))
  return with_experts(prepared.train, experts), step
