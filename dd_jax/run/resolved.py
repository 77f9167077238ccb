"""What the fields of a configuration stand for that leave it to a rule."""

from collections.abc import Iterator
from typing import Any

from dd_jax.data.prepare import Prepared
from dd_jax.run import recipe
from dd_jax.run.recipe import Config

_OWN = "the protocol's own"


def resolved(
  config: Config, prepared: Prepared, steps: int
) -> dict[str, int | str]:
  """What stands for 0, -1 and '', by the field's dotted name.

  Args:
    config: as `recipe.default` makes it.
    prepared: the data of the run.
    steps: outer steps of the run.

  Returns:
    Fields that a rule decides, alone; the others are what they say.
  """
  left = {**_data(prepared), **_evaluation(config, prepared)}
  left |= {'num_steps': steps, 'validate_every': 'never'}
  if recipe.expert_span(config) is not None:
    left |= _experts(config, prepared)
  found = {k: v for k, v in left.items() if _open(_value(config, k))}
  return found | dict.fromkeys(_optional(config), 'by its own rule')


def _data(prepared: Prepared) -> dict[str, int | str]:
  h, w, _ = prepared.dataset.image_shape
  return {
    'image_size': f'as they are: {h} x {w}',
    'validation': len(prepared.validation),
  }


def _evaluation(config: Config, prepared: Prepared) -> dict[str, int | str]:
  return {
    'evaluation.network.name': _OWN,
    'evaluation.steps': _OWN,
    'evaluation.validation_steps': config['evaluation']['steps'] or _OWN,
    'evaluation.validation_examples': len(prepared.validation),
  }


def _experts(config: Config, prepared: Prepared) -> dict[str, int | str]:
  one_pass = -(-len(prepared.train) // config['experts']['batch_size'])
  return {
    'experts.store': 'trained for this run, and kept',
    'experts.epochs': recipe.expert_epochs(config),
    'experts.epoch_steps': one_pass,
  }


def _optional(config: Config) -> Iterator[str]:
  """Settings of parts at 0, which their factories take for None."""
  for section, factory in recipe.factories(config).items():
    for name, value in recipe.converted(factory, config[section]).items():
      if value is None:
        yield f'{section}.{name}'


def _open(value: Any) -> bool:
  return value in ('', 0, -1)


def _value(config: Config, name: str) -> Any:
  value: Any = config
  for field in name.split('.'):
    value = value[field]
  return value
