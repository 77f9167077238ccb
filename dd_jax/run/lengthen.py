"""More outer steps for a run than it was started with.

Step `t` draws and moves as it did before, so the run goes on as one would that
had been so long from its start, as long as nothing is spread over the length: a
schedule is, unless it is constant.
"""

from collections.abc import Mapping
from typing import Any

from dd_jax.run.recipe import takes
from dd_jax.types import UserError


def lengthens(held: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
  """Whether a run is to have more steps than it was started with.

  Args:
    held: its identity, as `run.json` holds it.
    wanted: the identity that is asked for.
  """
  before = held.get('config', {}).get('num_steps', 0)
  return bool(0 < before < wanted['config']['num_steps'])


def as_long_as(
  held: Mapping[str, Any], wanted: Mapping[str, Any]
) -> dict[str, Any]:
  """`wanted` with the number of steps of `held`: all else must be equal."""
  steps = held['config']['num_steps']
  return {**wanted, 'config': {**wanted['config'], 'num_steps': steps}}


def check_schedules(config: Mapping[str, Any], before: int) -> None:
  """Refuses a length that would change the steps that were made.

  Args:
    config: of the run, longer.
    before: the steps that it was started with.

  Raises:
    UserError: a schedule ends with the run.
  """
  for section in ('optimizer', 'inner_optimizer'):
    schedule = config[section]['schedule']
    if takes(config['method']['name'], section) and schedule != 'constant':
      raise UserError(
        f'--num_steps={config["num_steps"]}: {section}.schedule={schedule!r} '
        f'is over the {before} steps that the run was started with; only a '
        'constant one can be lengthened: distil anew in another --workdir'
      )
