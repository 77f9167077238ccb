"""Joining distilled sets of different classes, for class-incremental use."""

from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from dd_jax.artifact import Artifact
from dd_jax.data import packing, preprocess
from dd_jax.data.labels import label_encoding
from dd_jax.types import DistilledData, UserError

_LEARNED = ('step_size', 'temperature', 'num_steps', 'init_seed')


def concatenate(
  a: Artifact, b: Artifact, class_names: Sequence[str] | None = None
) -> Artifact:
  """One set of the classes of `a`, then those of `b`.

  An image says nothing of the classes of the other set: its label is 0 there,
  or what that is in the sets' encoding. A factorised set joins as its images.

  Args:
    a: `n` images of `k` classes.
    b: `m` images of `l` others, under the same preprocessing: of a run with
      `--config.preprocessing=` the file of `a`.
    class_names: `k + l` of them; by default the sets' own.

  Returns:
    `n + m` images of `k + l` classes. Its metadata hold those of both under
    `sets`, and no configuration: `experiments.evaluate` asks for `--dataset`.

  Raises:
    UserError: the sets differ in preprocessing, image size or label encoding,
      share a class name, or hold what was learned for one set alone.
  """
  _check(a, b)
  names = _names(a, b, class_names)
  fields: dict[str, Any] = {
    'image': np.concatenate([a.data.image, b.data.image]),
    'label': _labels(a, b),
  }
  metadata = {
    'method': 'concatenation',
    'class_names': names,
    'label_encoding': a.label_encoding,
    'preprocessing': {
      'name': a.preprocessing.name,
      'unit_norm': a.preprocessing.unit_norm,
    },
    'sets': [a.metadata, b.metadata],
  }
  data = DistilledData(**fields)
  return Artifact(data, a.preprocessing, _start(a, b), metadata)


def _labels(a: Artifact, b: Artifact) -> np.ndarray:
  code = label_encoding(a.label_encoding)
  x, y = (np.asarray(code.decode(s.data.label), np.float32) for s in (a, b))
  whole = np.zeros((len(x) + len(y), x.shape[1] + y.shape[1]), np.float32)
  whole[: len(x), : x.shape[1]] = x
  whole[len(x) :, x.shape[1] :] = y
  return np.asarray(code.encode(jnp.asarray(whole)))


def _start(a: Artifact, b: Artifact) -> np.ndarray | None:
  if a.start_image is None or b.start_image is None:
    return None
  return np.concatenate([a.start_image, b.start_image])


def _names(
  a: Artifact, b: Artifact, class_names: Sequence[str] | None
) -> list[str]:
  own = [*a.class_names, *b.class_names]
  if class_names is not None:
    if len(class_names) != len(own):
      raise UserError(
        f'class_names: {len(class_names)} are given; the sets have '
        f'{len(a.class_names)} + {len(b.class_names)} classes'
      )
    own = [str(name) for name in class_names]
  twice = next((name for name in own if own.count(name) > 1), None)
  if twice is not None:
    raise UserError(
      f'class_names: {twice!r} comes twice; give class_names=, {len(own)} '
      'different ones, those of the first set first'
    )
  return own


def _check(a: Artifact, b: Artifact) -> None:
  for what, x, y in (
    ('image size', a.data.image.shape[1:], b.data.image.shape[1:]),
    ('label_encoding', a.label_encoding, b.label_encoding),
    ('preprocessing', a.preprocessing.name, b.preprocessing.name),
  ):
    if x != y:
      raise UserError(
        f'{what}: the sets differ, {x!r} and {y!r}; it must be the same'
      )
  fits = {
    preprocess.digest(packing.unpack(packing.pack(s.preprocessing)))
    for s in (a, b)
  }
  if len(fits) > 1:
    raise UserError(
      f'preprocessing={a.preprocessing.name!r}: the sets were fitted to '
      "different data; distil the second with the first one's, "
      '--config.preprocessing=FIRST.npz'
    )
  for name in _LEARNED:
    if any(getattr(s.data, name) is not None for s in (a, b)):
      raise UserError(
        f'{name}: belongs to one set alone; join the sets without it, '
        f'set._replace(data=set.data._replace({name}=None))'
      )
