"""From a data set to sources in model space."""

import io
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from dd_jax.cache import Cache
from dd_jax.data import dataset as datasets
from dd_jax.data import fitting, preprocess, source
from dd_jax.data.preprocess import Preprocessing

_CACHE_VERSION = 1
BUDGET_BYTES = 4 << 30
_CHUNK_BYTES = 64 << 20


class Prepared(NamedTuple):
  """A data set in model space.

  Attributes:
    train: what methods learn from.
    validation: what runs select by.
    test: looked at once, at the end.
    preprocessing: fitted to the training split alone, or given.
    dataset: what all this was made from.
    identity: of the preprocessing, for caches: its name, and where it was given
      its digest too.
  """

  train: source.Source
  validation: source.Source
  test: source.Source
  preprocessing: Preprocessing
  dataset: datasets.Dataset
  identity: str


def prepare(
  dataset: datasets.Dataset,
  recipe: str | Preprocessing = 'standardise',
  *,
  budget_bytes: int = BUDGET_BYTES,
  cache: Cache | None = None,
) -> Prepared:
  """Fits a preprocessing and puts the data where they are fast to take.

  uint8 images under a per-channel preprocessing stay uint8 on the device and
  are preprocessed as they are taken. Others are preprocessed once and kept in
  float32. What does not fit `budget_bytes` stays on the host, as stored, and is
  preprocessed as it is fetched.

  Args:
    dataset: the data set.
    recipe: one of `fitting.NAMES`, or one fitted before: an artefact's.
    budget_bytes: the most device memory for all three splits together.
    cache: where fits that take long are kept, or None.

  Raises:
    UserError: there is no such recipe, or it does not suit these images.
  """
  if isinstance(recipe, Preprocessing):
    preprocess.check_suits(recipe, dataset.image_shape)
    preprocessing = recipe
    identity = f'{recipe.name} {preprocess.digest(recipe)}'
  else:
    preprocessing, identity = fitted(dataset, recipe, cache), recipe
  fits = resident_bytes(dataset, preprocessing) <= budget_bytes
  place = _resident if fits else _hosted
  train, validation, test = (
    place(arrays, dataset.num_classes, preprocessing)
    for arrays in (dataset.train, dataset.validation, dataset.test)
  )
  return Prepared(train, validation, test, preprocessing, dataset, identity)


def fitted(
  dataset: datasets.Dataset, recipe: str, cache: Cache | None = None
) -> Preprocessing:
  """Fits `recipe`, or finds it in the cache; only whitening is kept there.

  Args:
    dataset: to whose training images.
    recipe: one of `fitting.NAMES`.
    cache: where fits that take long are kept, or None.

  Raises:
    UserError: there is no such recipe, or it does not suit these images.
  """
  identity = {
    'version': _CACHE_VERSION,
    'preprocessing': recipe,
    'provenance': dataset.provenance,
    'shape': dataset.train.image.shape,
  }
  held = _read(cache.get(identity)) if cache else None
  if held is not None:
    return held
  found = fitting.fit(recipe, dataset.train.image, dataset=dataset.name)
  if cache and found.zca is not None:
    buffer = io.BytesIO()
    np.savez(buffer, **preprocess.to_arrays(found))  # type: ignore[arg-type]
    cache.put(identity, buffer.getvalue())
  return found


def _read(content: bytes | None) -> Preprocessing | None:
  """A fit as it was cached, or None where it is absent or damaged."""
  try:
    with np.load(io.BytesIO(content or b''), allow_pickle=False) as file:
      return preprocess.from_arrays({k: file[k] for k in file.files})
  except Exception:  # damaged archives raise almost anything
    return None


def resident_bytes(
  dataset: datasets.Dataset, preprocessing: Preprocessing
) -> int:
  """Device memory for all splits of `dataset`, images and indices, in bytes."""
  images = (dataset.train, dataset.validation, dataset.test)
  stays = _stays_uint8(dataset.train.image, preprocessing)
  per_pixel = 1 if stays else 4
  # A class table has a row as long as the largest class.
  return sum(
    a.image.size * per_pixel + 4 * a.label.size + 4 * _table_size(a.label)
    for a in images
  )


def apply_in_chunks(
  preprocessing: Preprocessing, image: np.ndarray
) -> np.ndarray:
  """Preprocesses `[n, h, w, c]` on the device, a bounded chunk at a time."""
  out = np.empty(image.shape, np.float32)
  size = max(1, _CHUNK_BYTES // max(1, 4 * image[:1].size))
  for start in range(0, len(image), size):
    chunk = jnp.asarray(image[start : start + size])
    out[start : start + size] = preprocessing.apply(chunk)
  return out


def _stays_uint8(image: np.ndarray, preprocessing: Preprocessing) -> bool:
  return image.dtype == np.uint8 and preprocessing.per_channel


def _table_size(label: np.ndarray) -> int:
  count = np.bincount(label)
  return len(count) * int(count.max(initial=0))


def _resident(
  arrays: datasets.Arrays, num_classes: int, preprocessing: Preprocessing
) -> source.ResidentSource:
  if _stays_uint8(arrays.image, preprocessing):
    return source.resident(
      arrays.image, arrays.label, num_classes, preprocessing
    )
  image = apply_in_chunks(preprocessing, arrays.image)
  return source.resident(image, arrays.label, num_classes, None)


def _hosted(
  arrays: datasets.Arrays, num_classes: int, preprocessing: Preprocessing
) -> source.HostSource:
  return source.HostSource(
    arrays.image, arrays.label, preprocessing, num_classes
  )
