"""The metrics that a configuration asks for, and what they are measured on."""

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
  """Refuses metrics that a protocol's learners do not have.

  Raises:
    UserError: names the metric and the protocol.
  """
  for name in config['evaluation']['metrics']:
    asked = f'evaluation.metrics={name!r}: {protocol.name}'
    if not isinstance(protocol.score, Tester):
      raise UserError(f'{asked} tells accuracies alone')
    if name in OF_PROBABILITIES and not protocol.probabilities:
      raise UserError(
        f'{asked} trains nothing by cross-entropy, and the answers are no '
        'probabilities; leave out one of the two'
      )
