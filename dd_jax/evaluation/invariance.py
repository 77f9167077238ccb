"""Which random transforms leave real images what they are: a measurement.

A small network learns real images as they are. Then it is asked about others,
as they are and under each operation of `ASKED`: one that turns them into
something else, a mirrored digit for one, costs it the answers that it had.

Where a thing lies is what such a network does learn, though it may be the same
thing elsewhere. So of those in `LEARNED` another question is asked: what a
network that learned under the operation makes of images as they are. What hides
a part of an image (`cutout`) turns it into nothing else, and is not measured.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from dd_jax.augment import (
  Operation,
  each,
  random_color,
  random_mirror,
  random_rotate,
  random_scale,
  random_shift,
)
from dd_jax.data.dataset import Arrays
from dd_jax.data.preprocess import to_unit
from dd_jax.evaluation.learners import Recipe, trained
from dd_jax.losses import soft_cross_entropy
from dd_jax.networks import NETWORKS, Network
from dd_jax.training import map_chunks
from dd_jax.types import Augment, Key, LabeledData

ASKED: dict[str, Operation] = {
  'flip': random_mirror(1.0),
  'color': random_color(),
  'scale': random_scale(),
  'rotate': random_rotate(),
}
"""Of these a network is asked; by the name that strategies have for each."""
LEARNED: dict[str, Operation] = {'crop': random_shift()}
"""Under these one learns."""
MEASURED = (*ASKED, *LEARNED)

_SIDE = 16  # pixels of the longer side, at most, where the shorter has 8 left
_SHORTEST = 8
_MOST, _FEWEST, _VALUES = 10_000, 1000, 1 << 29  # images; their pixels
_CHUNK = 256
_WIDTH, _STEPS, _BATCH, _STEP_SIZE = 32, 300, 64, 3e-3


class Seen(NamedTuple):
  """What networks make of held-out images, without and with an operation.

  Attributes:
    plain: accuracy without it, in percent.
    changed: with it, in percent.
    lost: the share of right answers that it costs, at the most: the estimate
      and two standard errors of the paired difference (McNemar's).
    least: that share at the least, below 0 where the operation may help.
  """

  plain: float
  changed: float
  lost: float
  least: float


def measure(key: Key, real: Arrays, num_classes: int) -> dict[str, Seen]:
  """What each of `MEASURED` costs.

  At most 10,000 images, a fifth of them held out, are pooled to about 16 pixels
  and two networks take 300 steps each: seconds, whatever the size and number.

  Args:
    key: decides images, networks, batches and draws.
    real: training images `[n, h, w, c]` of at least 4 x 4 pixels, n above 4.
    num_classes: `k`.
  """
  k_order, k_train, k_ask = jax.random.split(key, 3)
  shown, held = _drawn(k_order, real, num_classes)
  network = NETWORKS['convnet'](
    shown.image.shape[1:], num_classes, width=_WIDTH
  )
  answers = functools.partial(_answers, network, k_train, k_ask, shown, held)
  plain, *asked = answers(ASKED)
  found = dict(zip(ASKED, asked, strict=True))
  for name, operation in LEARNED.items():
    found[name], *_ = answers({}, each(operation))
  return {name: seen(plain, changed) for name, changed in found.items()}


def seen(plain: np.ndarray, changed: np.ndarray) -> Seen:
  """Compares answers to the same images, right or not: bool `[n]` each."""
  gap = plain.astype(float) - changed
  error = np.sqrt(gap.var() / len(gap))
  right = max(plain.mean(), 1 / len(gap))
  lost, least = ((gap.mean() + by * error) / right for by in (2, -2))
  percent = lambda right: round(100 * float(right.mean()), 1)
  bounds = round(float(lost), 3), round(float(least), 3)
  return Seen(percent(plain), percent(changed), *bounds)


def pooled(image: np.ndarray) -> np.ndarray:
  """Means of square blocks: float32 `[n, h', w', c]` in [0, 1].

  What does not fill a block at the borders is cut off, alike on both sides.
  """
  n, h, w, c = image.shape
  f = max(1, min(-(-max(h, w) // _SIDE), min(h, w) // _SHORTEST))
  rows, columns = h // f, w // f
  top, left = (h - rows * f) // 2, (w - columns * f) // 2
  cut = image[:, top : top + rows * f, left : left + columns * f]
  unit = np.asarray(to_unit(jnp.asarray(cut)))
  return unit.reshape(n, rows, f, columns, f, c).mean((2, 4))


def _drawn(
  key: Key, real: Arrays, num_classes: int
) -> tuple[LabeledData, LabeledData]:
  """Images to learn and others to be asked about, pooled and standardised."""
  most = min(_MOST, max(_FEWEST, _VALUES // real.image[0].size))
  order = np.asarray(jax.random.permutation(key, len(real.label)))[:most]
  chunks = [order[i : i + _CHUNK] for i in range(0, len(order), _CHUNK)]
  image = np.concatenate([pooled(real.image[rows]) for rows in chunks])
  axes = (0, 1, 2)
  image = (image - image.mean(axes)) / np.maximum(image.std(axes), 1e-6)
  label = jax.nn.one_hot(real.label[order], num_classes)
  data = LabeledData(jnp.asarray(image), label)
  count = len(order) // 5
  cut = lambda rows: jax.tree.map(lambda a: a[rows], data)
  return cut(slice(count, None)), cut(slice(count))


def _answers(
  network: Network,
  k_train: Key,
  k_ask: Key,
  shown: LabeledData,
  held: LabeledData,
  asked: dict[str, Operation],
  augment: Augment | None = None,
) -> list[np.ndarray]:
  """Which answers are right, of images as they are and under each operation.

  Args:
    network: learns.
    k_train: decides how.
    k_ask: decides draws of what is asked.
    shown: what it learns.
    held: what it is asked about.
    asked: operations.
    augment: of what it learns.

  Returns:
    Bool `[n]` arrays, one more than operations.
  """
  optimizer = optax.adam(optax.cosine_decay_schedule(_STEP_SIZE, _STEPS))
  recipe = Recipe(
    network, optimizer, soft_cross_entropy, _STEPS, _BATCH, augment
  )

  @jax.jit
  def run(shown: LabeledData, held: LabeledData) -> list[jax.Array]:
    variables = trained(recipe, k_train, shown)
    logits = lambda x: network.apply(variables, x)[0].logits
    right = lambda x: (
      map_chunks(logits, x, network.runs_on.pass_examples).argmax(-1)
      == held.label.argmax(-1)
    )
    changed = [each(o)(k_ask, held.image) for o in asked.values()]
    return [right(image) for image in (held.image, *changed)]

  return [np.asarray(right) for right in run(shown, held)]
