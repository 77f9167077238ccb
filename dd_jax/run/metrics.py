"""The metrics that a configuration asks for, and what they are measured on."""

from collections.abc import Sequence

from dd_jax.data.prepare import Prepared
from dd_jax.data.source import HostSource
from dd_jax.data.subset import head
from dd_jax.evaluation.metrics import OF_PROBABILITIES, Pixels, Wanted
from dd_jax.evaluation.protocols import Protocol
from dd_jax.evaluation.tester import Tester
from dd_jax.run.recipe import Config
from dd_jax.types import UserError

_WHITE = 255


def wanted(config: Config, prepared: Prepared) -> Wanted | None:
  """What `evaluation.metrics` asks of learners; None where it asks nothing."""
  section, dataset = config['evaluation'], prepared.dataset
  if not section['metrics']:
    return None
  test = HostSource(
    dataset.test.image, dataset.test.label, None, dataset.num_classes
  )
  few = head(test, section['metric_examples'])
  assert isinstance(few, HostSource)  # as `test` is
  pixels = Pixels(few.image, few.label, prepared.preprocessing)
  return Wanted(section['metrics'], pixels, section['attack'] / _WHITE)


def check(config: Config, protocol: Protocol) -> None:
  """Refuses metrics that the headline protocol's learners do not have.

  Raises:
    UserError: names the metric and the protocol.
  """
  for name, reason in _lacking(_asked(config), protocol).items():
    raise UserError(
      f'evaluation.metrics={name!r}: {protocol.name} {reason}; leave out one '
      'of the two'
    )


def left_out(config: Config, protocol: Protocol) -> list[str]:
  """Lines that say which metrics another protocol's learners do not have."""
  lacking = _lacking(_asked(config), protocol)
  return [f'{protocol.name} {why}: no {name}' for name, why in lacking.items()]


def of(wanted: Wanted | None, protocol: Protocol) -> Wanted | None:
  """Those of `wanted` that a protocol's learners have, or None."""
  if wanted is None:
    return None
  lacking = _lacking(wanted.names, protocol)
  names = tuple(name for name in wanted.names if name not in lacking)
  return wanted._replace(names=names) if names else None


def _asked(config: Config) -> tuple[str, ...]:
  found: tuple[str, ...] = config['evaluation']['metrics']
  return found


def _lacking(names: Sequence[str], protocol: Protocol) -> dict[str, str]:
  """The metrics that a protocol's learners do not have, and why."""
  if not isinstance(protocol.score, Tester):
    return dict.fromkeys(names, 'tells accuracies alone')
  if protocol.probabilities:
    return {}
  why = 'trains nothing by cross-entropy, and the answers are no probabilities'
  return {name: why for name in names if name in OF_PROBABILITIES}
