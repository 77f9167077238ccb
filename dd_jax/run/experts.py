"""The experts of a run: those of a named store, or trained first and kept."""

import hashlib
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax

from dd_jax.cache import Cache
from dd_jax.data.prepare import Prepared
from dd_jax.data.source import Source
from dd_jax.experts import (
  ExpertStore,
  Span,
  identity,
  load_experts,
  train_experts,
  with_experts,
)
from dd_jax.run import loading, parts, recipe, registries
from dd_jax.run.recipe import Config
from dd_jax.run.writers import Writer
from dd_jax.types import UserError

_STREAM = 2  # folded into the run's key for the experts
_NOT_IDENTITY = ('store', 'keep_last', 'at_once')


def check(config: Config, prepared: Prepared) -> None:
  """Refuses, before any compute, experts that a run could not read.

  Raises:
    UserError: the named store is of another network, data set, preprocessing or
      version, is incomplete, or lacks epochs.
  """
  span = recipe.expert_span(config)
  if span is None:
    return
  recipe.expert_epochs(config)
  if config['experts']['store']:
    _named(config, prepared, span)


def source(
  config: Config,
  prepared: Prepared,
  cache: Cache,
  writers: Sequence[Writer] = (),
  mesh: jax.sharding.Mesh | None = None,
) -> tuple[Source, dict[str, Any] | None]:
  """The training data, with experts beside them where the method reads any.

  Args:
    config: of the run.
    prepared: its data.
    cache: beside which experts are kept that no store was named for.
    writers: told of progress.
    mesh: over whose `data` axis experts are split.

  Returns:
    `(source, what result.json says of the experts)`.
  """
  span = recipe.expert_span(config)
  if span is None:
    return prepared.train, None
  if config['experts']['store']:
    store = _named(config, prepared, span)
  else:
    store = _cached(wanted(config, prepared), cache)
    train(store, config, prepared, writers, mesh)
  return with_experts(prepared.train, load_experts(store)), summary(store)


def missing(config: Config, prepared: Prepared, cache: Cache) -> int:
  """How many experts a run has to train first; nothing is written."""
  if recipe.expert_span(config) is None or config['experts']['store']:
    return 0
  count: int = config['experts']['count']
  try:
    held = ExpertStore.open(_folder(wanted(config, prepared), cache))
  except UserError:  # none yet, or a damaged one that is begun anew
    return count
  return count - len(held.experts)


def wanted(config: Config, prepared: Prepared) -> dict[str, Any]:
  """All that the experts of a run depend on; see `experts.identity`."""
  span = recipe.expert_span(config)
  if span is None:
    raise UserError(
      f'method={config["method"]["name"]}: reads no experts; name one that '
      'does, such as mtt'
    )
  section = {
    k: v for k, v in config['experts'].items() if k not in _NOT_IDENTITY
  }
  section['epochs'] = recipe.expert_epochs(config)
  if config['experts']['keep_last']:
    span = span._replace(last=True)
  provenance = prepared.dataset.provenance
  network = config['network']
  return identity(
    network={**network, **registries.added([('network', network['name'])])},
    data={k: provenance[k] for k in ('name', 'sha256', 'validation')},
    preprocessing=prepared.identity,
    recipe=section,
    epochs=span.epochs(section['epochs']),
    seed=config['seed'],
  )


def train(
  store: ExpertStore,
  config: Config,
  prepared: Prepared,
  writers: Sequence[Writer] = (),
  mesh: jax.sharding.Mesh | None = None,
) -> None:
  """Trains what a store lacks; see `experts.train_experts`."""
  missing = store.count - len(store.experts)
  if not missing:
    return
  loading.check_held_out(prepared, 'experts are scored on some')
  data = prepared.train
  setting = parts.Setting(data.image_shape, data.num_classes)

  def report(done: int, total: int) -> None:
    for writer in writers:
      writer.progress('experts', done, total)

  for writer in writers:
    writer.message(f'training {missing} experts, kept in {store.path}')
  key = jax.random.fold_in(jax.random.key(config['seed']), _STREAM)
  train_experts(
    parts.build_experts(config, setting),
    store,
    key,
    data,
    prepared.validation,
    mesh=mesh,
    report=report,
  )


def summary(store: ExpertStore) -> dict[str, Any]:
  """Plain values for the record: how many, how good, and their cost."""
  scores = [e['accuracy'] for e in store.experts]
  return {
    'count': len(scores),
    'epochs': store.identity['recipe']['epochs'],
    'validation_accuracy': round(sum(scores) / len(scores), 2),
    'seconds': round(sum(e['seconds'] for e in store.experts), 1),
  }


def _named(config: Config, prepared: Prepared, span: Span) -> ExpertStore:
  store = ExpertStore.open(config['experts']['store'])
  store.check(wanted(config, prepared))
  store.check_span(span)
  return store


def _cached(about: dict[str, Any], cache: Cache) -> ExpertStore:
  """The store of this identity, begun anew where it is damaged."""
  folder = _folder(about, cache)
  try:
    return ExpertStore.start(folder, about)
  except UserError:
    shutil.rmtree(folder)
    return ExpertStore.start(folder, about)


def _folder(about: dict[str, Any], cache: Cache) -> Path:
  """Where experts of this identity are kept."""
  text = json.dumps(about, sort_keys=True)
  name = hashlib.sha256(text.encode()).hexdigest()[:32]
  return Path(cache.directory) / 'experts' / name
