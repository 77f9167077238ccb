"""From the folder of a run to its configuration, and to the command for it."""

import shlex
from collections.abc import Mapping
from typing import Any

from dd_jax.run import recipe, settings
from dd_jax.run.fields import flat, text
from dd_jax.types import UserError

_FLAGS = ('dataset', 'method', 'ipc', 'seed', 'num_steps')


def configuration(
  held: Mapping[str, Any], named: Mapping[str, Any], fields: Mapping[str, str]
) -> recipe.Config:
  """The configuration of a run that was started before.

  Paths are not in it: of a data set and a store of experts, the last part.

  Args:
    held: what `run.json` holds.
    named: values of the flags that were given again.
    fields: `--config.FIELD=VALUE` given again, by dotted field.

  Raises:
    UserError: the run is of a method that is not installed, or the flags name
      another method.
  """
  method = held['config']['method']['name']
  asked = named.get('method', method)
  if asked != method:
    raise UserError(f'--method={asked}: the run to resume is of {method}')
  if method not in recipe.METHODS:
    raise UserError(
      f'--resume: the run is of the method {method!r}, not known here; name '
      'the file that has it with --config'
    )
  config = recipe.update(recipe.default(method), held['config'])
  # How long it is was found when it was started.
  changes = {k: v for k, v in named.items() if k not in ('method', 'minutes')}
  own = {'name': config['network']['name']}
  if changes.get('network') == own:  # given again, not changed
    changes.pop('network')
  return settings.change(recipe.update(config, changes), fields)


def command(config: recipe.Config) -> str:
  """The command line that starts a run of this configuration anew."""
  named = {**config, 'method': config['method']['name']}
  given = {k: named[k] for k in _FLAGS}
  fields: dict[str, str] = {}
  # Another name brings other fields with it, so names come first.
  for names_only in (True, False):
    base = settings.configuration(None, given, fields)
    for field, value in _differing(config, base).items():
      if field.endswith('.name') or not names_only:
        fields[field] = text(value)
  flags = [f'--{k}={v}' for k, v in given.items()]
  changes = [f'--config.{k}={v}' for k, v in fields.items()]
  return shlex.join(['dd-jax', 'distill', *flags, *changes])


def _differing(config: recipe.Config, base: recipe.Config) -> dict[str, Any]:
  ours, theirs = flat(config), flat(base)
  return {k: v for k, v in ours.items() if theirs.get(k) != v}
