"""Selection baselines: real images, chosen and left as they are.

Of a class with fewer images than are asked for, all are taken, again and again.
The same artefact and the same scores as any method; `update` is the identity.
"""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from dd_jax.checks import check_least
from dd_jax.data import sampling
from dd_jax.data.by_class import check_counts, class_members, take_images
from dd_jax.data.labels import LabelEncoding
from dd_jax.data.source import Source
from dd_jax.distiller import Distiller, State
from dd_jax.methods.method import Method
from dd_jax.parameterization.per_class import (
  PerClass,
  check_per_class,
  class_index,
  of_each,
)
from dd_jax.parameterization.starts import kmeans_indices, real_indices
from dd_jax.types import DistilledData, Key, LabeledData, Metrics, PyTree

Features = Callable[[jax.Array], jax.Array]
"""`(image [n, h, w, c]) -> [n, d]`."""
Select = Callable[[Key, Source, int, Features], np.ndarray]
"""`(key, source, ipc, features) -> int32 [k, ipc]`."""

_CHUNK = 1000


def selection(
  select: Select,
  ipc: PerClass,
  features: Features | None = None,
  encoding: LabelEncoding = LabelEncoding('one-hot'),
) -> Distiller:
  """A method that keeps `ipc` real images of each class.

  Args:
    select: chooses them.
    ipc: images per class, or those of each class.
    features: what distances are measured in; by default pixels in model space.
    encoding: of the labels.
  """
  measured = features or _pixels

  def taken(select: Select, key: Key, source: Source) -> State:
    check_per_class(ipc)
    label = class_index(ipc, source.num_classes)
    chosen = lambda count: select(key, source, count, measured).reshape(-1)
    image = take_images(source, of_each(chosen, ipc))
    params: PyTree = {'data': {}, 'extra': {}}
    return State(params, {'image': image, 'class': label})

  def update(
    key: Key, step: jax.Array, state: State, batch: LabeledData
  ) -> tuple[State, Metrics]:
    del key, step, batch
    return state, {'loss': jnp.zeros(())}

  def distilled(state: State) -> DistilledData:
    image, index = state.constants['image'], state.constants['class']
    classes = index.shape[0] // ipc if isinstance(ipc, int) else len(ipc)
    one_hot = jax.nn.one_hot(index, classes, dtype=image.dtype)
    return DistilledData(image, encoding.encode(one_hot))

  return Distiller(
    functools.partial(taken, select),
    sampling.each_step(sampling.uniform, 1),
    update,
    distilled,
    structure=functools.partial(taken, random),
  )


def random(
  key: Key, source: Source, ipc: int, features: Features
) -> np.ndarray:
  """Different examples of each class, drawn uniformly: int32 `[k, ipc]`."""
  del features
  return real_indices(key, source, ipc).astype(np.int32)


def herding(
  key: Key, source: Source, ipc: int, features: Features
) -> np.ndarray:
  """Greedy herding (Welling 2009) of each class: int32 `[k, ipc]`.

  Each choice brings the mean of the chosen features nearest to the class mean;
  nothing is chosen twice while there is something else.
  """
  del key
  return _greedy(_herd, source, ipc, features)


def kcentre(
  key: Key, source: Source, ipc: int, features: Features
) -> np.ndarray:
  """Greedy k-centre (Sener & Savarese, arXiv 1708.00489): int32 `[k, ipc]`.

  The example nearest to the class mean first, then always the one that is
  farthest from the nearest of those chosen; nothing is chosen twice while there
  is something else.
  """
  del key
  return _greedy(_farthest, source, ipc, features)


def _greedy(
  choose: Callable[[np.ndarray, int], np.ndarray],
  source: Source,
  ipc: int,
  features: Features,
) -> np.ndarray:
  """Chooses from each class: `choose(features [m, d], count) -> rows`."""
  check_least(1, ipc=ipc)
  check_counts(source, 1)
  chosen = [
    members[
      choose(_class_features(source, members, features), min(ipc, len(members)))
    ]
    for members in class_members(source)
  ]
  return np.stack([np.resize(rows, ipc) for rows in chosen]).astype(np.int32)


def _farthest(x: np.ndarray, count: int) -> np.ndarray:
  rows = [int(np.argmin(np.sum((x - x.mean(0)) ** 2, 1)))]
  gap = np.full(len(x), np.inf)
  while len(rows) < count:
    gap = np.minimum(gap, np.sum((x - x[rows[-1]]) ** 2, 1))
    gap[rows] = -1
    rows.append(int(np.argmax(gap)))
  return np.array(rows)


def _herd(x: np.ndarray, count: int) -> np.ndarray:
  mean, total = x.mean(0), np.zeros_like(x[0])
  free = np.ones(len(x), bool)
  rows = []
  for i in range(count):
    distance = np.sum((mean - (total + x) / (i + 1)) ** 2, 1)
    row = int(np.argmin(np.where(free, distance, np.inf)))
    free[row] = False
    total += x[row]
    rows.append(row)
  return np.array(rows)


def kmeans(
  key: Key, source: Source, ipc: int, features: Features
) -> np.ndarray:
  """Examples nearest to the k-means centres of each class: `[k, ipc]`."""
  return kmeans_indices(
    key, source, ipc, lambda members: _class_features(source, members, features)
  )


def _class_features(
  source: Source, members: np.ndarray, features: Features
) -> np.ndarray:
  """Features of the examples `members [m]`: float32 `[m, d]`."""
  parts = [
    np.asarray(features(take_images(source, members[i : i + _CHUNK])))
    for i in range(0, len(members), _CHUNK)
  ]
  return np.concatenate(parts)


def _pixels(image: jax.Array) -> jax.Array:
  return image.reshape(image.shape[0], -1)


SELECTIONS: dict[str, Select] = {
  'random': random,
  'herding': herding,
  'kmeans': kmeans,
  'kcentre': kcentre,
}
"""By name."""

RECIPE = {
  'num_steps': 0,
  'evaluation': {'protocol': 'dc', 'features': 'network'},
}
"""Nothing is learned."""

METHODS = {
  name: Method(
    functools.partial(selection, select),
    RECIPE,
    f'{name} selection of real images (baseline)',
  )
  for name, select in SELECTIONS.items()
}
"""By name."""
