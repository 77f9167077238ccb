"""Distilled images beside what they started from, small enough to embed."""

import base64
import math
from collections.abc import Iterator
from typing import Literal, NamedTuple

import numpy as np

from dd_jax.report import formats, pictures
from dd_jax.report.markup import Markup, element, join

_BYTES = 600_000  # of encoded images on either side of the comparison
_PIXELS = 1_500_000  # up to which images are enlarged
_ORDER = ' Distilled above, what it started from below.'
_CELLS = 120_000  # entries of an embedded label matrix


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
  """

  image: np.ndarray
  start: np.ndarray | None
  class_names: tuple[str, ...]


class Block(NamedTuple):
  """What one row or card of the gallery shows."""

  name: str
  image: np.ndarray
  start: np.ndarray | None


def figure(images: Images) -> Markup:
  """Returns the gallery: a row for each class, or a card if it has one image.

  Sets too large to embed exactly are compressed; beyond that, each class shows
  its first images only. The caption says so.
  """
  blocks, encoding = _fit(_blocks(images))
  shown = sum(len(block.image) for block in blocks)
  cards = len(blocks) > 1 and len(blocks[0].image) == 1
  parts = [_block(block, encoding, cards) for block in blocks]
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
  return join(box, _caption(images, shown, encoding, cards))


def label_figure(label: np.ndarray, class_names: tuple[str, ...]) -> Markup:
  """Returns the label matrix with its names and colour scale.

  Args:
    label: `[n, k]`.
    class_names: k names, in label order.
  """
  shown = _thinned(label)
  height = max(2.0, min(22.0, 560 / shown.shape[1]))
  matrix = _matrix_image(shown, height, label.shape)
  names = _matrix_names(class_names, height)
  box = element('div', {'class': 'matrix'}, names, matrix)
  return join(box, _scale(label))


def data_uri(content: bytes) -> str:
  """Returns an encoded picture as a URI that holds it."""
  kind = 'png' if content.startswith(b'\x89PNG') else 'webp'
  return f'data:image/{kind};base64,{base64.b64encode(content).decode()}'


def _blocks(images: Images) -> list[Block]:
  each = pictures.images_per_class(len(images.image), len(images.class_names))
  if each is None:
    return [Block('All images', images.image, images.start)]
  cuts = [
    slice(i * each, (i + 1) * each) for i in range(len(images.class_names))
  ]
  return [
    Block(
      name,
      images.image[cut],
      None if images.start is None else images.start[cut],
    )
    for name, cut in zip(images.class_names, cuts, strict=True)
  ]


def _fit(blocks: list[Block]) -> tuple[list[Block], Encoding]:
  """Returns the blocks, cut down as little as the bytes allow."""
  for fewer, encoding in _attempts(blocks):
    # Distilled images are nearer to noise than real ones: they decide.
    if sum(len(_encoded(b.image, encoding)) for b in fewer) <= _BYTES:
      break
  return fewer, encoding


def _attempts(blocks: list[Block]) -> Iterator[tuple[list[Block], Encoding]]:
  while _pixels(blocks) > 8_000_000 and _halved(blocks) is not blocks:
    blocks = _halved(blocks)
  if _pixels(blocks) <= 1_000_000:
    yield blocks, Encoding('exact', _enlargement(blocks))
  while True:
    yield blocks, Encoding(85, 1)
    yield blocks, Encoding(60, 1)
    fewer = _halved(blocks)
    if fewer is blocks:
      return
    blocks = fewer


def _enlargement(blocks: list[Block]) -> int:
  """Returns how far pictures are enlarged before a browser scales them.

  Browsers blur small pictures or draw their pixels unevenly; enlarged here,
  they look the same everywhere.
  """
  room = math.isqrt(max(1, _PIXELS // max(1, _pixels(blocks))))
  return max(1, min(room, math.ceil(112 / blocks[0].image.shape[1])))


def _halved(blocks: list[Block]) -> list[Block]:
  each = len(blocks[0].image)
  if each > 1:
    half = slice(0, max(1, each // 2))
    return [
      Block(b.name, b.image[half], None if b.start is None else b.start[half])
      for b in blocks
    ]
  return blocks[: len(blocks) // 2] if len(blocks) > 1 else blocks


def _pixels(blocks: list[Block]) -> int:
  return sum(math.prod(block.image.shape[:3]) for block in blocks)


def _encoded(images: np.ndarray, encoding: Encoding) -> bytes:
  gap = max(1, round(images.shape[1] * encoding.scale / 24))
  drawn = pictures.transparent_grid(
    images,
    columns=pictures.class_columns(len(images)),
    scale=encoding.scale,
    gap=gap,
  )
  return pictures.encode(drawn, encoding.quality)


def _block(block: Block, encoding: Encoding, card: bool) -> Markup:
  many = len(block.image)
  columns = pictures.class_columns(many)
  # As wide as looks good, and never wider than the space there is.
  each, most = (46, 480) if block.start is not None else (72, 860)
  width = 96 if card else min(columns * each, most)
  sides = [('distilled', block.image), ('starting', block.start)]
  drawn = [
    element(
      'img',
      {
        'src': data_uri(_encoded(side, encoding)),
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
  images: Images, shown: int, encoding: Encoding, cards: bool
) -> Markup:
  n, h, w, c = images.image.shape
  colours = 'grey' if c == 1 else 'colour'
  parts = [f'{n:,} distilled images of {h} by {w} pixels, {colours}.']
  if cards and images.start is not None:
    parts.append('Left: distilled. Right: what it started from.')
  if shown < n:
    parts.append(f'The first {shown:,} are shown.')
  if encoding.quality != 'exact':
    parts.append('Compressed for this page.')
  if shown < n or encoding.quality != 'exact':
    parts.append('All of them, exactly, are in distilled.png.')
  order = '' if cards or images.start is None else _ORDER
  narrow = element('span', {'class': 'narrow'}, order)
  return element('p', {'class': 'caption'}, ' '.join(parts), narrow)


def _thinned(label: np.ndarray) -> np.ndarray:
  n, k = label.shape
  every = math.ceil(n / min(n, 1000, max(1, _CELLS // k)))
  return label[::every]


def _matrix_image(
  shown: np.ndarray, height: float, shape: tuple[int, ...]
) -> Markup:
  # A browser shrinks wide matrices smoothly; their rows must stay sharp.
  wide = len(shown) > 400
  cell = (math.ceil(height) if wide else 1, 1)
  light, dark = (
    data_uri(
      pictures.encode(pictures.label_matrix(shown, cell=cell, dark=on), 'exact')
    )
    for on in (False, True)
  )
  smooth = ' smooth' if wide else ''
  picture = element(
    'picture',
    {},
    element(
      'source', {'srcset': dark, 'media': '(prefers-color-scheme: dark)'}
    ),
    element(
      'img',
      {
        'src': light,
        'alt': f'Labels of {shape[0]} images over {shape[1]} classes',
        'class': f'pixels{smooth}',
        'style': f'height:{height * shown.shape[1]:.0f}px',
      },
    ),
  )
  note = 'images, class by class →'
  if len(shown) < shape[0]:
    note = f'every {math.ceil(shape[0] / len(shown))}th image →'
  return element('div', {}, picture, element('p', {'class': 'axis'}, note))


def _matrix_names(class_names: tuple[str, ...], height: float) -> Markup:
  if height < 14:
    ends = (class_names[0], f'{len(class_names):,} classes', class_names[-1])
    names = [element('li', {}, name) for name in ends]
    return element('ol', {'class': 'ends'}, *names)
  style = {'style': f'height:{height:.0f}px;line-height:{height:.0f}px'}
  return element('ol', {}, *(element('li', style, n) for n in class_names))


def _scale(label: np.ndarray) -> Markup:
  limit = pictures.label_scale(label)
  names = (f'{formats.MINUS}{limit:.3g}', '0', f'{limit:.3g}')
  bars = [
    element(
      'span', {'class': f'bar {mode}', 'style': _gradient(mode == 'dark')}
    )
    for mode in ('light', 'dark')
  ]
  marks = element(
    'span', {'class': 'marks'}, *(element('span', {}, name) for name in names)
  )
  return element('div', {'class': 'scale'}, *bars, marks)


def _gradient(dark: bool) -> str:
  stops = pictures.diverging(np.linspace(-1, 1, 13), dark=dark)
  colours = ','.join('#' + bytes(stop).hex() for stop in stops)
  return f'background:linear-gradient(to right,{colours})'
