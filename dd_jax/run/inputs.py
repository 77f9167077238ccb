"""What a run is given and what it reads, told as it is read."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from dd_jax import artifact
from dd_jax.artifact import Artifact
from dd_jax.cache import Cache
from dd_jax.data import fitting, preprocess
from dd_jax.data.dataset import Dataset, described
from dd_jax.data.prepare import Prepared, prepare
from dd_jax.data.preprocess import Preprocessing
from dd_jax.platform import here
from dd_jax.run import (
  counts,
  invariances,
  judge,
  loading,
  pace,
  parts,
  recipe,
  stages,
)
from dd_jax.run.recipe import Config
from dd_jax.run.scoring import Scorer
from dd_jax.run.stages import tell
from dd_jax.run.workdir import Workdir
from dd_jax.run.writers import Writer
from dd_jax.types import UserError

_LOOKED_AT = 64  # images
_ALIKE = 0.02  # a whitening stored in 16 bits is off by 0.004


class Given(NamedTuple):
  """The arguments of `run`."""

  config: Config
  workdir: Workdir | None
  writers: Sequence[Writer]
  command: Callable[[Mapping[str, str]], str]
  mesh: jax.sharding.Mesh | None
  estimate: bool
  plan: dict[str, Any] | None = None  # as `result.json` holds it


class Loaded(NamedTuple):
  """What a run reads, as it was found."""

  dataset: Dataset
  start: Artifact | None
  fitted: str | Preprocessing


def loaded_of(given: Given, dataset: Dataset | None) -> Loaded:
  """The data, and other sets that the run starts from."""
  config = given.config
  with stages.told(given.writers, f'loading {config["dataset"]}'):
    held = dataset or loading.load_dataset(config)
  tell(given.writers, [described(held), *held.provenance['notes']])
  start, fitted = parts.started_from(config), parts.preprocessing(config)
  return Loaded(held, start, fitted)


def decided_of(given: Given, loaded: Loaded) -> tuple[Given, list[str]]:
  """The run with what its images decide of it, and lines that say so."""
  config = counts.decided(given.config, loaded.dataset.class_names)
  _check_counts(config, loaded)
  with stages.told(given.writers, 'asking which augmentation images allow'):
    found = invariances.decide(config, loaded.dataset, Cache())
  command = lambda changes: given.command({**found.changes, **changes})
  return given._replace(config=found.config, command=command), found.notes


def _check_counts(config: Config, loaded: Loaded) -> None:
  """Refuses unequal numbers where classes are compared, before anything else.

  Raises:
    UserError: names the method.
  """
  if not counts.by_class(config):
    return
  try:
    parts.build(recipe.changed(config, {'augment': 'none'}), _setting(loaded))
  except UserError as error:
    name = config['method']['name']
    raise UserError(f'--total, --counts with {name}: {error}') from None


def _setting(loaded: Loaded) -> parts.Setting:
  """What objects depend on before images are preprocessed."""
  dataset, start = loaded.dataset, loaded.start
  return parts.Setting(
    dataset.image_shape,
    dataset.num_classes,
    start=start.data if start else None,
    platform=here(),
  )


def check_suits(given: Given, loaded: Loaded) -> None:
  """Builds all that makes or scores a set, before its images are whitened.

  Raises:
    UserError: something does not suit these images, or another part.
  """
  config, setting = given.config, _setting(loaded)
  parts.check_range(config, loaded.fitted, loaded.dataset.name)
  parts.build(config, setting)
  section = config['evaluation']
  for name in (section['protocol'], *section['others']):
    asked = judge.Asked(name, config['label_encoding'], section['steps'])
    judge.protocol_of(asked, config, setting)


def prepared_of(given: Given, loaded: Loaded, cache: Cache) -> Prepared:
  """The data in model space; first told of, as that may take minutes."""
  dataset, config = loaded.dataset, given.config
  method, steps = config['method']['name'], f'{config["num_steps"]:,} steps'
  if config['minutes']:
    steps = f'{config["minutes"]:g} min in all, at most {steps}'
  lines = [
    f'preprocessing: {config["preprocessing"]}{_whitening(loaded)}',
    f'{method}: {counts.told(config)}, {steps}, scored under '
    f'{config["evaluation"]["protocol"]}, on {jax.devices()[0].device_kind}',
  ]
  tell(given.writers, lines)
  with stages.told(given.writers, 'preparing the images'):
    prepared = prepare(dataset, loaded.fitted, cache=cache)
  if loaded.start:
    check_start(config, loaded.start, prepared)
  return prepared


def check_start(config: Config, start: Artifact, prepared: Prepared) -> None:
  """Refuses a set whose preprocessing has this run's name and other numbers.

  Args:
    config: of the run.
    start: the set that it starts from.
    prepared: its data.

  Raises:
    UserError: real images look otherwise under it.
  """
  image = jnp.asarray(prepared.dataset.train.image[:_LOOKED_AT])
  own, theirs = (
    p.apply(image) for p in (prepared.preprocessing, start.preprocessing)
  )
  apart = float(jnp.std(own - theirs) + jnp.abs(jnp.mean(own - theirs)))
  share = apart / float(jnp.std(own))
  if share > _ALIKE:
    path = config['parameterization']['start']
    raise UserError(
      f'parameterization.start={path!r}: its {start.preprocessing.name} was '
      f'fitted to other images: the same ones differ by {share:.1%} of their '
      f'deviation; --config.preprocessing={path} takes that one'
    )


def _whitening(loaded: Loaded) -> str:
  """What a fit does, and how long, where it takes more than a moment."""
  image, fitted = loaded.dataset.train.image, loaded.fitted
  if not isinstance(fitted, str) or fitted not in fitting.NAMES:
    return ''
  seconds = fitting.seconds(fitted, image.shape, loaded.dataset.name)
  if seconds < stages.PATIENCE:
    return ''
  return (
    f', whitening {image[0].size:,} values from {len(image):,} images (about '
    f'{pace.clock(seconds)}, unless it is kept from before)'
  )


def scorer_of(
  given: Given, loaded: Loaded, prepared: Prepared, cache: Cache
) -> Scorer:
  """What scores a run on its data, and tells how far it is."""
  first = loaded.start.data if loaded.start else None
  return Scorer(
    given.config, prepared, cache, given.mesh, first, here(), given.writers
  )


def identity_of(config: Config, loaded: Loaded) -> dict[str, Any]:
  """All that makes two runs the same run, as nested JSON."""
  provenance = loaded.dataset.provenance
  found = {'config': loading.portable(config), 'data': provenance}
  # The name of a file, distilled.npz as a rule, would not tell.
  if loaded.start:
    found['start'] = {'sha256': artifact.digest(loaded.start)}
  if isinstance(loaded.fitted, Preprocessing):
    found['preprocessing'] = {'sha256': preprocess.digest(loaded.fitted)}
  return found
