"""The protocol that a configuration names, under the name that tells it."""

import functools
from typing import NamedTuple

import jax

from dd_jax.data.source import Source
from dd_jax.evaluation.protocols import Protocol, Setting, protocol
from dd_jax.evaluation.teacher import Teacher
from dd_jax.evaluation.ticks import Report
from dd_jax.kernels import Ridge
from dd_jax.run import labels, parts, recipe
from dd_jax.run.recipe import Config


class Asked(NamedTuple):
  """Which protocol, and what a run may ask of it.

  Attributes:
    name: one of `PROTOCOLS`.
    encoding: of the labels that it is given.
    steps: of a learner; 0 for the protocol's own.
    mesh: whose `data` axis learners are split over, or None.
    held_out: real training images to choose by, or None.
    teacher: labels what learners are shown, or None.
    report: told how far learners are, or None.
  """

  name: str
  encoding: str
  steps: int
  mesh: jax.sharding.Mesh | None = None
  held_out: Source | None = None
  teacher: Teacher | None = None
  report: Report | None = None


def protocol_of(
  asked: Asked, config: Config, setting: parts.Setting
) -> Protocol:
  """A protocol on a run's data; its name says what of it was replaced.

  Args:
    asked: which.
    config: of the run: its kernel, ridge and `evaluation`.
    setting: of its images.

  Raises:
    UserError: there is none, or a network does not suit these images.
  """
  section = config['evaluation']
  learner = section['network']
  chosen = protocol(
    asked.name,
    Setting(
      image_shape=setting.image_shape,
      num_classes=setting.num_classes,
      label_encoding=asked.encoding,
      network=parts.build_network(learner, setting)
      if learner['name']
      else None,
      kernel=functools.partial(parts.build_kernel, config['kernel'], setting),
      ridge=Ridge(config['method'].get('ridge', 1e-6)),
      steps=asked.steps or None,
      networks=section['networks'],
      mirrors=section['mirror'] != 'never',
      held_out=asked.held_out,
      teacher=asked.teacher,
      mesh=asked.mesh,
      platform=setting.platform,
      report=asked.report,
    ),
  )
  chosen = labels.under(chosen, config, asked.encoding)
  changes = [] if chosen.exact else _changes(learner, asked.steps)
  changes += labels.named(config)
  return chosen._replace(name=_named(chosen.name, changes))


def _changes(learner: Config, steps: int) -> list[str]:
  """What of a protocol was replaced."""
  changes = [f'{steps} steps'] if steps else []
  if learner['name']:
    plain = recipe.settings(recipe.NETWORKS[learner['name']])
    own = [f'{k}={v}' for k, v in learner.items() if plain.get(k) != v]
    changes.append(' '.join([learner['name'], *own[1:]]))
  return changes


def _named(name: str, changes: list[str]) -> str:
  """A protocol's name and what was replaced, in one pair of brackets."""
  own, _, told = name.removesuffix(')').partition(' (')
  told = ', '.join([told, *changes] if told else changes)
  return f'{own} ({told})' if told else own
