"""Which pixel-pair offsets a network needs, resolved before anything is traced.

Read from the head backwards: flatten needs p = q only, a global average all
pairs; a 2x2 pool that must deliver offsets up to r needs 2r + 1; slicewise
layers need what they deliver. Layers are grouped into stages, each closed by a
pool (the last one may be open), because only pools mix offsets.
"""

from collections.abc import Sequence
from typing import NamedTuple

from dd_jax.kernels.conv.layers import (
  Head,
  Layer,
  Pool,
  Readout,
  Record,
  Shape,
  Slicewise,
)
from dd_jax.platform import Platform
from dd_jax.types import UserError


class Axis(NamedTuple):
  """The offsets of one image axis.

  Attributes:
    size: pixels n.
    offsets: ascending.
    circulant: the offsets are 0..n-1 modulo n: every pixel pair, once. If not,
      pairs that wrap around are computed too, and nobody asks for them.
  """

  size: int
  offsets: tuple[int, ...]
  circulant: bool

  @property
  def order(self) -> tuple[int, ...]:
    """Positions in `offsets` as a pool visits them: odd, even, ..., odd."""
    count = len(self.offsets)
    everyone = tuple(range(count))
    return (count - 1, *everyone) if self.circulant else everyone

  @property
  def pooled(self) -> 'Axis':
    """What a pool over this axis delivers."""
    half = self.size // 2
    if self.circulant:
      return Axis(half, tuple(range(half)), True)
    reach = (self.offsets[-1] - 1) // 2
    return Axis(half, tuple(range(-reach, reach + 1)), False)


class Stage(NamedTuple):
  """Slicewise layers, and the pool that closes them.

  Attributes:
    layers: in order.
    y: of the slices.
    x: of the slices.
    pooled: whether a pool follows.
    after: the `(y, x)` axes that the next stage or the head wants.
    platform: what it runs on.
  """

  layers: tuple[Slicewise, ...]
  y: Axis
  x: Axis
  pooled: bool
  after: tuple[Axis, Axis]
  platform: Platform

  @property
  def num_deviations(self) -> int:
    """Layers that read deviations."""
    return sum(layer.deviations for layer in self.layers)


class Plan(NamedTuple):
  """A network for images of one shape.

  Attributes:
    shape: of the images.
    stages: of the kernel between two images.
    own: stages of an image's kernel with itself, narrow: they give variances.
    head: the head's record.
    last: image shape at the head.
    tail: layers after the head.
    platform: what it runs on.
  """

  shape: Shape
  stages: tuple[Stage, ...]
  own: tuple[Stage, ...]
  head: Head
  last: Shape
  tail: tuple[Readout, ...]
  platform: Platform

  @property
  def tail_variances(self) -> bool:
    """Whether the tail reads the variances of the head's features."""
    return any(layer.variances for layer in self.tail)


def plan(layers: Sequence[Layer], shape: Shape, platform: Platform) -> Plan:
  """Resolves a network for images of `shape`.

  Raises:
    UserError: layers that do not fit the image or each other.
  """
  records, shapes = _resolve(layers, shape)
  heads = [i for i, r in enumerate(records) if isinstance(r, Head)]
  if not heads or not isinstance(records[-1], Readout):
    raise UserError(
      'kernel: the layers must hold flatten or global_avg_pool and end in dense'
    )
  body, (head, *tail) = records[: heads[0]], records[heads[0] :]
  assert isinstance(head, Head)
  readouts = tuple(r for r in tail if isinstance(r, Readout))
  variances = any(r.variances for r in readouts)
  if head.spread and variances:
    raise UserError(
      'kernel: a nonlinearity after global_avg_pool; allowed is dense alone'
    )
  last = shapes[heads[0]]
  groups = _groups(body)
  reach = (last.height - 1, last.width - 1) if head.spread else (0, 0)
  stages = _stages(groups, shape, reach, platform)
  # Within the last stage variances need no offsets; after its pool, p = q only.
  shorter = groups if groups[-1][1] and variances else groups[:-1]
  own = _stages(shorter, shape, (0, 0), platform)
  return Plan(shape, stages, own, head, last, readouts, platform)


def _resolve(
  layers: Sequence[Layer], shape: Shape
) -> tuple[list[Record], list[Shape]]:
  """Records, and the shape that each of them is fed."""
  records, shapes = [], []
  for layer in layers:
    shapes.append(shape)
    record, shape = layer(shape)
    records.append(record)
  return records, shapes


_Group = tuple[tuple[Slicewise, ...], bool]


def _groups(body: Sequence[Record]) -> list[_Group]:
  """`(layers, pooled)` of every stage; there is always one."""
  groups: list[_Group] = []
  layers: list[Slicewise] = []
  for record in body:
    if isinstance(record, Slicewise):
      layers.append(record)
    elif isinstance(record, Pool):
      groups.append((tuple(layers), True))
      layers = []
  if layers or not groups:
    groups.append((tuple(layers), False))
  return groups


def _stages(
  groups: Sequence[_Group],
  shape: Shape,
  reach: tuple[int, int],
  platform: Platform,
) -> tuple[Stage, ...]:
  """Goes back from the offsets wanted at the end."""
  sizes = [(shape.height, shape.width)]
  for _, pooled in groups:
    y, x = sizes[-1]
    sizes.append((y // 2, x // 2) if pooled else (y, x))
  end = zip(sizes[-1], reach, strict=True)
  after_y, after_x = (_axis(n, r, False) for n, r in end)
  after = after_y, after_x
  stages: list[Stage] = []
  for (layers, pooled), (height, width) in zip(
    groups[::-1], sizes[-2::-1], strict=True
  ):
    y_axis = _before(height, after[0], pooled)
    x_axis = _before(width, after[1], pooled)
    stages.append(Stage(layers, y_axis, x_axis, pooled, after, platform))
    after = y_axis, x_axis
  return tuple(reversed(stages))


def _before(size: int, after: Axis, pooled: bool) -> Axis:
  reach = after.size - 1 if after.circulant else after.offsets[-1]
  return _axis(size, 2 * reach + 1 if pooled else reach, pooled)


def _axis(size: int, reach: int, pooled: bool) -> Axis:
  """The cheapest layout with all offsets up to `reach`.

  The circulant one is closed under pooling for even sizes only.
  """
  reach = min(reach, size - 1)
  if 2 * reach + 1 >= size and not (pooled and size % 2):
    return Axis(size, tuple(range(size)), True)
  if pooled and size % 2:
    reach = min(reach, size - 2)  # a dropped last pixel pairs with nobody
  return Axis(size, tuple(range(-reach, reach + 1)), False)
