"""Distilled images beside what they started from, small enough to embed."""

import math
from collections.abc import Iterator
from typing import Literal, NamedTuple

import numpy as np

from dd_jax.report import pictures
from dd_jax.report.markup import Markup, element, join

_BYTES = 600_000  # of encoded images on either side of the comparison
_PIXELS = 1_500_000  # up to which images are enlarged
_THUMBNAIL = 112  # pixels of the longer side of an image, at most
_SMALLEST = 32  # to which images are scaled down before any is left out
_SHOWN = 96  # and as wide it is shown
_FRAMED = 10  # rows or cards, beyond which a phone shows a part of them
_ORDER = ' Distilled above, what it started from below.'


class Encoding(NamedTuple):
  """How the images of a gallery become pictures.

  Attributes:
    quality: 'exact', or of lossy compression, 0 to 100.
    scale: pixels to a side of an image's pixel.
  """

  quality: int | Literal['exact']
  scale: int


class Images(NamedTuple):
  """A class-major set of displayable images, and where they come from.

  Attributes:
    image: uint8 `[n, h, w, c]`.
    start: of the same form: what they started from; or None.
    class_names: in label order.
    counts: images of each class, where they differ.
  """

  image: np.ndarray
  start: np.ndarray | None
  class_names: tuple[str, ...]
  counts: tuple[int, ...] = ()


class Block(NamedTuple):
  """What one row or card of the gallery shows."""

  name: str
  image: np.ndarray
  start: np.ndarray | None


def figure(images: Images) -> Markup:
  """Returns the gallery: a row for each class, or a card if it has one image.

  Images are scaled down to what is shown of them. Sets too large to embed
  exactly are compressed, and scaled down further; beyond that, each class shows
  its first images only. The caption says so.
  """
  blocks, encoding = _fit(_blocks(images))
  cards = len(blocks) > 1 and _most(blocks) == 1
  columns = pictures.class_columns(_most(blocks))
  parts = [_block(block, encoding, columns, cards) for block in blocks]
  heads = [] if cards else [_heads(images.start is not None)]
  kind = 'cards' if cards else 'rows'
  if images.start is None:
    kind += ' alone'
  box = element(
    'div',
    {
      'class': f'gallery {kind}',
      'style': f'--name:{_name_width(images.class_names)}ch',
      'tabindex': 0,
      'role': 'group',
      'aria-label': 'Distilled images by class',
    },
    *heads,
    *parts,
  )
  return join(box, _caption(images, blocks, encoding, cards))


def lead(images: Images) -> str:
  """Says that the gallery goes on where it may not all be seen; or ''."""
  rows = len(_blocks(images))
  return f'{rows:,} classes: the frame scrolls.' if rows > _FRAMED else ''


def _blocks(images: Images) -> list[Block]:
  n, names = len(images.image), images.class_names
  cuts = pictures.class_cuts(n, len(names), images.counts)
  if cuts is None:
    return [Block('All images', images.image, images.start)]
  return [
    Block(
      name,
      images.image[cut],
      None if images.start is None else images.start[cut],
    )
    for name, cut in zip(names, cuts, strict=True)
  ]


def _fit(blocks: list[Block]) -> tuple[list[Block], Encoding]:
  """Returns the blocks, cut down as little as the bytes allow."""
  for fewer, encoding in _attempts(blocks):
    # Distilled images are nearer to noise than real ones: they decide.
    columns = pictures.class_columns(_most(fewer))
    if sum(len(_encoded(b.image, encoding, columns)) for b in fewer) <= _BYTES:
      break
  return fewer, encoding


def _attempts(blocks: list[Block]) -> Iterator[tuple[list[Block], Encoding]]:
  """Ways to show the blocks, each of fewer bytes than the one before."""
  blocks = _shrunk(blocks, _THUMBNAIL)
  while _pixels(blocks) > 8_000_000 and _less(blocks) is not blocks:
    blocks = _less(blocks)
  if _pixels(blocks) <= 1_000_000:
    yield blocks, Encoding('exact', _enlargement(blocks))
  while True:
    yield blocks, Encoding(85, 1)
    yield blocks, Encoding(60, 1)
    fewer = _less(blocks)
    if fewer is blocks:
      return
    blocks = fewer


def _less(blocks: list[Block]) -> list[Block]:
  """Smaller images while they can still be told, and then fewer of them."""
  side = max(blocks[0].image.shape[1:3])
  if side > _SMALLEST:
    return _shrunk(blocks, max(_SMALLEST, round(0.75 * side)))
  return _halved(blocks)


def _shrunk(blocks: list[Block], side: int) -> list[Block]:
  return [
    Block(
      b.name,
      pictures.shrunk(b.image, side),
      None if b.start is None else pictures.shrunk(b.start, side),
    )
    for b in blocks
  ]


def _enlargement(blocks: list[Block]) -> int:
  """Returns how far pictures are enlarged before a browser scales them.

  Browsers blur small pictures or draw their pixels unevenly; enlarged here,
  they look the same everywhere.
  """
  room = math.isqrt(max(1, _PIXELS // max(1, _pixels(blocks))))
  return max(1, min(room, math.ceil(112 / blocks[0].image.shape[1])))


def _halved(blocks: list[Block]) -> list[Block]:
  most = _most(blocks)
  if most > 1:
    half = slice(0, most // 2)
    return [
      Block(b.name, b.image[half], None if b.start is None else b.start[half])
      for b in blocks
    ]
  return blocks[: len(blocks) // 2] if len(blocks) > 1 else blocks


def _most(blocks: list[Block]) -> int:
  return max(len(block.image) for block in blocks)


def _pixels(blocks: list[Block]) -> int:
  return sum(math.prod(block.image.shape[:3]) for block in blocks)


def _encoded(images: np.ndarray, encoding: Encoding, columns: int) -> bytes:
  gap = max(1, round(images.shape[1] * encoding.scale / 24))
  drawn = pictures.transparent_grid(
    images,
    columns=min(columns, len(images)),
    scale=encoding.scale,
    gap=gap,
  )
  return pictures.encode(drawn, encoding.quality)


def _block(
  block: Block, encoding: Encoding, columns: int, card: bool
) -> Markup:
  many = len(block.image)
  # As wide as looks good, and never wider than the space there is.
  most = 480 if block.start is not None else 860
  full = _SHOWN if card else min(columns * _SHOWN, most)
  width = full * min(columns, many) // columns  # images are of one size
  sides = [('distilled', block.image), ('starting', block.start)]
  drawn = [
    element(
      'img',
      {
        'src': pictures.data_uri(_encoded(side, encoding, columns)),
        'alt': f'{many} {name} image{"s" * (many > 1)}: {block.name}',
        'style': f'width:{width}px',
      },
    )
    for name, side in sides
    if side is not None
  ]
  name = element('figcaption', {}, block.name)
  return element('figure', {'class': 'class'}, name, *drawn)


def _name_width(class_names: tuple[str, ...]) -> int:
  return max(6, min(16, 1 + max(map(len, class_names), default=0)))


def _heads(start: bool) -> Markup:
  names = ['Class', 'Distilled', *(['Started from'] if start else [])]
  cells = [element('span', {}, name) for name in names]
  return element('div', {'class': 'class heads', 'aria-hidden': 'true'}, *cells)


def _caption(
  images: Images, blocks: list[Block], encoding: Encoding, cards: bool
) -> Markup:
  n, h, w, c = images.image.shape
  colours = 'grey' if c == 1 else 'colour'
  plural = 's' * (n != 1)
  parts = [f'{n:,} distilled image{plural} of {h} by {w} pixels, {colours}.']
  if cards and images.start is not None:
    parts.append('Left: distilled. Right: what it started from.')
  parts += _reduced(images, blocks, encoding)
  order = '' if cards or images.start is None else _ORDER
  narrow = element('span', {'class': 'narrow'}, order)
  return element('p', {'class': 'caption'}, ' '.join(parts), narrow)


def _reduced(
  images: Images, blocks: list[Block], encoding: Encoding
) -> list[str]:
  """What this page shows less of than there is."""
  shown = sum(len(block.image) for block in blocks)
  h, w = blocks[0].image.shape[1:3]
  parts = []
  if shown < len(images.image):
    parts.append(f'The first {shown:,} are shown.')
  if (h, w) != images.image.shape[1:3]:
    parts.append(f'Scaled to {h} by {w} for this page.')
  if encoding.quality != 'exact':
    parts.append('Compressed for this page.')
  if parts:
    parts.append('All of them, exactly, are in distilled.png.')
  return parts
