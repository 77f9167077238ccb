"""From the result of a run to the artefact that is kept of it."""

from typing import Any

import jax
import numpy as np

from dd_jax import distiller
from dd_jax.artifact import Artifact
from dd_jax.data.dataset import Dataset
from dd_jax.data.prepare import Prepared
from dd_jax.data.preprocess import Preprocessing
from dd_jax.run import counts, loading, recipe, registries
from dd_jax.run.machine import versions
from dd_jax.run.recipe import Config
from dd_jax.run.result import Result


def packaged(config: Config, prepared: Prepared, result: Result) -> Artifact:
  """The distilled set of a run, with all that is known of it.

  Args:
    config: of the run.
    prepared: its data.
    result: how it ended.
  """
  data = jax.tree.map(np.asarray, result.data)
  metadata = {
    **known(config, prepared.dataset, prepared.preprocessing),
    'budget': _budget(config, result),
  }
  if data.factors is not None:
    metadata['decoder'] = recipe.decoder(config)
  outside = registries.added(registries.named(config))
  if outside:
    metadata['parts'] = outside
  start = np.asarray(prepared.preprocessing.display(result.start.image))
  return Artifact(data, prepared.preprocessing, start, metadata)


def known(
  config: Config, dataset: Dataset, preprocessing: Preprocessing
) -> dict[str, Any]:
  """What the metadata of any set say of its making.

  Args:
    config: by which it was made, or comes closest to it.
    dataset: from which.
    preprocessing: under which its images are.
  """
  return {
    'method': config['method']['name'],
    'dataset': dataset.provenance,
    'class_names': list(dataset.class_names),
    'label_encoding': config['label_encoding'],
    'preprocessing': {
      'name': preprocessing.name,
      'unit_norm': preprocessing.unit_norm,
    },
    'ipc': counts.ipc(config),
    **counts.by_class(config),
    'config': loading.portable(config),
    'seed': config['seed'],
    'versions': versions(),
  }


def _budget(config: Config, result: Result) -> dict[str, Any]:
  """What the set takes, and what a learner sees of it."""
  cost = distiller.budget(result.state, result.data)
  classes = result.data.label.shape[1]
  plain = result.data.image[0].size + classes * recipe.learns_labels(config)
  return {
    'stored_floats': cost.floats,
    'stored_bytes': cost.bytes,
    'stored_images_per_class': round(cost.bytes / (4 * plain * classes), 3),
    'decoded_images': len(result.data.image),
  }
