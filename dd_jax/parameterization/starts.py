"""Starts: how the images of a support set are initialised.

A `Start` is `(key, source, ipc) -> [k * ipc, h, w, c]`, class-major, in model
space; what it reads of the source it reads on the host, once.
"""

from collections.abc import Callable
from typing import TypeAlias

import jax
import jax.numpy as jnp
import numpy as np

from dd_jax.checks import check_least
from dd_jax.data.by_class import (
  check_counts,
  class_members,
  numpy_generator,
  repeats,
  take_images,
)
from dd_jax.data.source import Source
from dd_jax.kernels.feature_map import (
  add_equations,
  distilled_features,
  no_equations,
)
from dd_jax.kernels.ridge import Ridge, solve
from dd_jax.types import DistilledData, Key, UserError

Start: TypeAlias = Callable[[Key, Source, int], jax.Array]
"""`(key, source, ipc) -> image [k * ipc, h, w, c]`."""

_KMEANS_EXAMPLES = 5000
_TAKE = 1024
_START_RIDGE = 1e-2


def real(key: Key, source: Source, ipc: int) -> jax.Array:
  """`ipc` different real images of every class.

  Of a class with fewer all, and copies of them with a tenth of normal noise.
  """
  return _real_images(key, source, real_indices(key, source, ipc))


def real_indices(key: Key, source: Source, ipc: int) -> np.ndarray:
  """Draws `ipc` different examples of every class: int32 `[k, ipc]`.

  Of a class with fewer all, again and again.

  Raises:
    UserError: if a class has none.
  """
  check_least(1, ipc=ipc)
  check_counts(source, 1)
  rng = numpy_generator(key)
  drawn = [
    rng.choice(members, min(ipc, len(members)), replace=False)
    for members in class_members(source)
  ]
  return np.stack([np.resize(members, ipc) for members in drawn])


def _real_images(key: Key, source: Source, index: np.ndarray) -> jax.Array:
  """Images of `index [k, ipc]`; noise keeps the copies from moving as one."""
  image = take_images(source, index.reshape(-1))
  return _with_noise(key, image, repeats(source, index.shape[1]).reshape(-1))


def _with_noise(key: Key, image: jax.Array, where: np.ndarray) -> jax.Array:
  """`image [n, h, w, c]` plus a tenth of normal noise `where [n]` is true."""
  if not where.any():
    return image
  key = jax.random.fold_in(key, 1)
  noise = 0.1 * jax.random.normal(key, image.shape, image.dtype)
  return image + where.reshape(-1, 1, 1, 1) * noise


def noise(key: Key, source: Source, ipc: int) -> jax.Array:
  """Standard normal pixels."""
  shape = (source.num_classes * ipc, *source.image_shape)
  real = take_images(source, np.zeros(1, np.int32))
  return jax.random.normal(key, shape, real.dtype)


def unit_noise(key: Key, source: Source, ipc: int) -> jax.Array:
  """Normal pixels, every image of length 1 (RaT-BPTT, for whitened sets)."""
  image = noise(key, source, ipc)
  length = jnp.sqrt(jnp.sum(image**2, (1, 2, 3), keepdims=True))
  return image / length


def class_means(key: Key, source: Source, ipc: int) -> jax.Array:
  """Every image is its class's mean plus a tenth of normal noise.

  The noise keeps the images of a class from moving as one.
  """
  check_counts(source, 1)
  means = [
    jnp.mean(take_images(source, members), 0)
    for members in class_members(source)
  ]
  image = jnp.repeat(jnp.stack(means), ipc, 0)
  return image + 0.1 * jax.random.normal(key, image.shape, image.dtype)


def kmeans(key: Key, source: Source, ipc: int) -> jax.Array:
  """The real images nearest to `ipc` k-means centres of each class.

  Of a class with fewer images, as `real`.
  """
  return _real_images(key, source, kmeans_indices(key, source, ipc))


def kmeans_indices(
  key: Key,
  source: Source,
  ipc: int,
  features: Callable[[np.ndarray], np.ndarray] | None = None,
) -> np.ndarray:
  """Examples nearest to the k-means centres of each class: int32 `[k, ipc]`.

  Args:
    key: decides the first centres, and which 5,000 examples of a larger class
      are looked at.
    source: the real data.
    ipc: centres for each class.
    features: `(indices [m]) -> [m, d]`; by default pixels in model space.

  Of a class with fewer than `ipc` all, again and again.

  Raises:
    UserError: if a class has none.
  """
  from sklearn.cluster import KMeans  # a second to import

  check_least(1, ipc=ipc)
  check_counts(source, 1)
  rng = numpy_generator(key)
  chosen = []
  for members in class_members(source):
    if len(members) > _KMEANS_EXAMPLES:
      members = rng.choice(members, _KMEANS_EXAMPLES, replace=False)
    x = (
      features(members)
      if features
      else np.asarray(take_images(source, members)).reshape(len(members), -1)
    )
    seed = int(rng.integers(2**31))
    count = min(ipc, len(members))
    centres = KMeans(count, n_init=1, random_state=seed).fit(x).cluster_centers_
    chosen.append(np.resize(members[_nearest(x, centres)], ipc))
  return np.stack(chosen).astype(np.int32)


def _nearest(x: np.ndarray, centres: np.ndarray) -> np.ndarray:
  """A different row of `x` for each centre, nearest first served."""
  distance = np.stack([np.sum((x - c) ** 2, 1) for c in centres])
  rows: list[int] = []
  for row in distance:
    row[rows] = np.inf
    rows.append(int(np.argmin(row)))
  return np.array(rows)


def with_repeats(start: Start) -> Start:
  """`start` for factorised sets, which may want more images than there are.

  Where the smallest class has fewer, its images come again, each time with a
  tenth of normal noise, so that two of them never move as one.
  """

  def started(key: Key, source: Source, count: int) -> jax.Array:
    check_counts(source, 1)
    most = min(count, int(np.asarray(source.class_count).min()))
    image = start(key, source, most)
    if most == count:
      return image
    order = np.arange(count) % most
    many = image.reshape(-1, most, *image.shape[1:])[:, order]
    again = np.tile(np.arange(count) >= most, source.num_classes)
    return _with_noise(key, many.reshape(-1, *image.shape[1:]), again)

  return started


def from_distilled(data: DistilledData) -> Start:
  """Starts from another distilled set, such as a loaded artefact.

  Raises (when called):
    UserError: if it has another number of images or another image shape.
  """

  def start(key: Key, source: Source, ipc: int) -> jax.Array:
    del key
    expected = (source.num_classes * ipc, *source.image_shape)
    if data.image.shape != expected:
      raise UserError(
        f'start: the artefact holds images of shape {data.image.shape}; this '
        f'run needs {expected}'
      )
    return jnp.asarray(data.image)

  return start


def closed_form(key: Key, source: Source, ipc: int) -> jax.Array:
  """What linear ridge regression would choose, in closed form.

  One pass over all real data (see `kernels.feature_map`); images of a class
  differ as real ones do, and each has the norm of the real image that it
  stands for.
  """
  around = real(key, source, ipc)
  flat = around.reshape(around.shape[0], -1)
  k = source.num_classes
  sums = no_equations(flat.shape[1], k, flat.dtype)
  for i in range(0, len(source), _TAKE):
    batch = source.take(jnp.arange(i, min(i + _TAKE, len(source))))
    target = batch.label - 1 / k
    phi = batch.image.reshape(batch.image.shape[0], -1)
    sums = add_equations(sums, phi, target)
  weights = solve(sums.gram, sums.moment, Ridge(_START_RIDGE)).weights
  image = distilled_features(weights, flat, 0.0).features
  norm = lambda x: jnp.linalg.norm(x, axis=1, keepdims=True)
  return (image * norm(flat) / norm(image)).reshape(around.shape)


STARTS: dict[str, Start] = {
  'real': real,
  'noise': noise,
  'unit_noise': unit_noise,
  'class_means': class_means,
  'kmeans': kmeans,
  'closed_form': closed_form,
}
"""By name."""
