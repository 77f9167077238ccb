r"""Addressable memory: images are mixtures of bases that all classes share.

Deng, Russakovsky (arXiv 2206.02916): decoded image i is

.. math:: x_i = \mathrm{up}(\sum_j a_{ij} b_j)

with bases `b` at a lower resolution, and addresses `a` of its own.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np

from dd_jax.checks import check_least, check_name
from dd_jax.data.labels import LabelEncoding
from dd_jax.data.source import Source
from dd_jax.parameterization.base import Parameterization
from dd_jax.parameterization.labels import Images, Stored, make_labels
from dd_jax.parameterization.resize import resize
from dd_jax.parameterization.starts import Start, real, with_repeats
from dd_jax.parameterization.storage import budget_of
from dd_jax.types import Key, PyTree

_HIGHEST = jax.lax.Precision.HIGHEST


def memory(
  ipc: int,
  image_shape: tuple[int, int, int],
  num_classes: int,
  *,
  bases: int = 16,
  downsample: int = 2,
  images: int = 0,
  first: str = 'svd',
  start: Start = real,
  labels: str = 'free',
  encoding: LabelEncoding | None = None,
  label_rule: str = 'plain',
) -> Parameterization:
  """Bases and addresses in the room of `ipc` plain images per class.

  Args:
    ipc: the budget, in plain images per class.
    image_shape: `(h, w, c)`.
    num_classes: `k`.
    bases: shared by all classes.
    downsample: a basis has `h / downsample` rows, rounded up; the paper's is 2.
    images: decoded per class; 0 for as many as the budget holds.
    first: what it starts from: 'svd' of `start`'s images, or 'xavier' (the
      paper's): noise.
    start: what the decoded images start from, as near as the bases allow.
    labels: see `pixels`; one of its own for each decoded image.
    encoding: of the labels.
    label_rule: see `pixels`.

  Raises:
    UserError: the budget has no room for the bases.
  """
  target = make_labels(labels, label_rule, encoding)
  check_name('first', first, ('svd', 'xavier'))
  check_least(1, bases=bases, downsample=downsample)
  h, w, c = image_shape
  shape = (bases, -(-h // downsample), -(-w // downsample), c)
  room = budget_of(ipc, image_shape, num_classes, target).room(
    images, shared=math.prod(shape), each=bases, what=f'{bases} bases'
  )
  per_class = room.per_class

  def init(key: Key, source: Source) -> Stored:
    if first == 'xavier':
      return _xavier(key, shape, num_classes * per_class), {}
    image = with_repeats(start)(key, source, per_class)
    return _svd(resize(image, *shape[1:3]), bases), {}

  def decode(params: PyTree, constants: PyTree) -> jax.Array:
    del constants
    # Both are linear: the few bases are enlarged, not the many images.
    large = resize(params['basis'], h, w).reshape(bases, -1)
    mixed = jnp.matmul(params['address'], large, precision=_HIGHEST)
    return mixed.reshape(-1, h, w, c)

  return room.filled(Images(init, decode))


def _xavier(
  key: Key, shape: tuple[int, int, int, int], images: int
) -> dict[str, PyTree]:
  """Uniform noise, with fans as PyTorch counts them."""
  n, h, w, c = shape
  k_basis, k_address = jax.random.split(key)
  draw = lambda key, shape, limit: jax.random.uniform(
    key, shape, minval=-limit, maxval=limit
  )
  return {
    'basis': draw(k_basis, shape, (6 / ((n + c) * h * w)) ** 0.5),
    'address': draw(k_address, (images, n), (6 / (images + n)) ** 0.5),
  }


def _svd(image: jax.Array, bases: int) -> dict[str, PyTree]:
  """The best bases of `[n, h, w, c]`, of unit mean square, and addresses.

  What a set of fewer images or pixels than bases leaves over is zero in the
  addresses and small noise in the bases.
  """
  from sklearn.utils.extmath import randomized_svd  # a second to import

  x = np.asarray(image, np.float32).reshape(len(image), -1)
  rank = min(bases, *x.shape)
  u, s, v = randomized_svd(x, rank, random_state=0)
  scale = np.float32(x.shape[1] ** 0.5)
  spare = np.random.default_rng(0).normal(size=(bases - rank, x.shape[1]))
  basis = np.concatenate([v * scale, spare])
  address = np.zeros((len(x), bases))
  address[:, :rank] = u * s / scale
  return {
    'basis': jnp.asarray(basis, image.dtype).reshape(-1, *image.shape[1:]),
    'address': jnp.asarray(address, image.dtype),
  }
