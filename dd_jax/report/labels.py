"""The labels of a set as a matrix: classes downwards, images across."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from dd_jax.report import facts, formats, pictures
from dd_jax.report.colours import diverging
from dd_jax.report.markup import Markup, element, join

_CELLS = 120_000  # entries of an embedded matrix
_WIDTH, _HEIGHT = 900, 560  # of a matrix on the page
_BORDERED = 6  # pixels, from which a cell has a border
_NUMBERED = 20  # classes, up to which each column block has its number
_ROW = 14  # pixels that a row's name takes
_LINE = (np.array([0xDC, 0xE0, 0xE6]), np.array([0x2B, 0x30, 0x38]))


class Cell(NamedTuple):
  """An entry as it is shown on the page.

  Attributes:
    height: of a class, in pixels.
    width: of an image, in pixels; 0 where they share the width of the page.
  """

  height: float
  width: int


def scale(label: np.ndarray) -> float:
  """Returns the largest finite size in `label` (1 where there is none)."""
  finite = np.abs(label[np.isfinite(label)])
  return float(finite.max(initial=0.0)) or 1.0


def matrix(
  label: np.ndarray,
  *,
  cell: tuple[int, int] = (1, 1),
  border: bool = False,
  dark: bool = False,
) -> np.ndarray:
  """Draws labels as a matrix: classes downwards, images across.

  Args:
    label: `[n, k]`, one row per image.
    cell: height and width of an entry, in pixels.
    border: draws a line at the top and the left of each entry, inside it.
    dark: as in `diverging`.

  Returns:
    uint8 `[k * cell[0], n * cell[1], 3]`, its colours symmetric about 0.
  """
  scaled = np.asarray(label, np.float64).T / scale(label)
  drawn = pictures.enlarge(diverging(scaled, dark=dark)[None], cell)[0]
  if border:
    drawn[:: cell[0]] = drawn[:, :: cell[1]] = _LINE[dark]
  return drawn


def picture(
  label: np.ndarray, class_names: tuple[str, ...], counts: Sequence[int] = ()
) -> np.ndarray:
  """Draws the label matrix with class names, an axis and a colour scale.

  Args:
    label: `[n, k]`.
    class_names: k names, in label order.
    counts: images of each class, where they differ.

  Returns:
    uint8 `[H, W, 3]`.
  """
  n, k = label.shape
  cell = max(1, min(28, 1200 // k)), max(1, min(28, 1200 // n))
  body = pictures.annotate(
    matrix(label, cell=cell, border=min(cell) >= _BORDERED),
    title='Labels: images across, classes down',
    row_names=_numbered(class_names) if cell[0] >= _ROW else [],
    column_names=[] if counts else _column_names(n, k),
  )
  legend = _legend(label)
  turned = pictures.side_by_side(
    body.swapaxes(0, 1), legend.swapaxes(0, 1), gap=8
  )
  return pictures.framed(turned.swapaxes(0, 1))


def figure(
  label: np.ndarray, class_names: tuple[str, ...], counts: Sequence[int] = ()
) -> Markup:
  """Returns the label matrix with its names and colour scale, for the page.

  Args:
    label: `[n, k]`.
    class_names: k names, in label order.
    counts: images of each class, where they differ.
  """
  shown = _thinned(label)
  cell = _cell(*shown.shape)
  width = f'width:{cell.width * len(shown)}px' if cell.width else ''
  drawn = element(
    'div',
    {'class': 'drawn', 'style': width},
    _image(shown, cell, label.shape),
    _columns(len(label), label.shape[1], counts),
  )
  names = _rows(class_names, cell.height)
  box = element('div', {'class': 'matrix'}, names, drawn)
  return join(box, _note(len(label), len(shown)), _scale(label))


def _cell(n: int, k: int) -> Cell:
  height, width = max(2.0, min(22.0, _HEIGHT / k)), min(36, _WIDTH // n)
  if min(height, width) < _BORDERED:
    return Cell(height, 0)
  return Cell(math.floor(height), width)


def _thinned(label: np.ndarray) -> np.ndarray:
  n, k = label.shape
  every = math.ceil(n / min(n, 1000, max(1, _CELLS // k)))
  return label[::every]


def _image(shown: np.ndarray, cell: Cell, shape: tuple[int, ...]) -> Markup:
  n, k = shown.shape
  # A browser shrinks wide matrices smoothly; their rows must stay sharp.
  wide = n > 400
  drawn = (math.ceil(cell.height) if wide or cell.width else 1, cell.width or 1)
  light, dark = (
    pictures.data_uri(
      pictures.encode(
        matrix(shown, cell=drawn, border=cell.width > 0, dark=on), 'exact'
      )
    )
    for on in (False, True)
  )
  kind = 'pixels smooth' if wide else 'pixels'
  return element(
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
        'class': kind + ' bordered' * (cell.width > 0),
        'style': f'height:{cell.height * k:.0f}px',
      },
    ),
  )


def _rows(class_names: tuple[str, ...], height: float) -> Markup:
  """The names beside the matrix: all, or every fifth, tenth ... of many."""
  names, every = _numbered(class_names), _round(_ROW / height)
  line = f'line-height:{height if every == 1 else _ROW:.0f}px'
  items = [
    element(
      'li',
      {'style': f'height:{height * min(every, len(names) - i):.1f}px'},
      name,
    )
    for i, name in enumerate(names)
    if i % every == 0
  ]
  return element('ol', {'style': line}, *items)


def _columns(n: int, k: int, counts: Sequence[int]) -> Markup:
  """The class numbers below the matrix, where images come class by class."""
  if not counts and pictures.images_per_class(n, k) is None:
    return Markup('')
  every, widths = _every(k), counts or [1] * k
  items = [
    element('li', {'style': f'flex:{sum(widths[i : i + every])}'}, i)
    for i in range(0, k, every)
  ]
  kind = 'columns' if every == 1 else 'columns sparse'
  return element('ol', {'class': kind}, *items)


def _column_names(n: int, k: int) -> list[str]:
  """A name for each class, empty for those between two numbers."""
  if pictures.images_per_class(n, k) is None:
    return []
  every = _every(k)
  return [str(i) if i % every == 0 else '' for i in range(k)]


def _every(k: int) -> int:
  """One number for so many classes: each, or about ten in all."""
  return 1 if k <= _NUMBERED else _round(k / 10)


def _round(least: float) -> int:
  """The smallest of 1, 2, 5, 10, 20 ... that is at least that."""
  power = 10 ** max(0, math.ceil(math.log10(least)) - 1)
  return next(m * power for m in (1, 2, 5, 10) if m * power >= least)


def _numbered(class_names: tuple[str, ...]) -> list[str]:
  """Each name after its number, unless it is its number."""
  return [facts.class_name(class_names, i) for i in range(len(class_names))]


def _note(n: int, shown: int) -> Markup:
  note = 'Images from left to right, class by class'
  if shown < n:
    note = f'Every {math.ceil(n / shown)}th image, class by class'
  return element('p', {'class': 'axis'}, note)


def _ends(label: np.ndarray) -> tuple[float, float]:
  """The least and the greatest label, 0 where both are on its other side."""
  finite = label[np.isfinite(label)]
  low, high = finite.min(initial=0.0), finite.max(initial=0.0)
  return (float(low), float(high)) if low < high else (0.0, 1.0)


def _colours(label: np.ndarray, count: int, dark: bool) -> np.ndarray:
  """Those of the scale, from its left end to its right: uint8 `[count, 3]`."""
  return diverging(np.linspace(*_ends(label), count) / scale(label), dark=dark)


def _scale(label: np.ndarray) -> Markup:
  low, high = _ends(label)
  bars = [
    element(
      'span',
      {'class': f'bar {mode}', 'style': _gradient(label, mode == 'dark')},
    )
    for mode in ('light', 'dark')
  ]
  marks = [
    element('span', {'style': f'left:{100 * place:.1f}%'}, name)
    for place, name in _marks(low, high)
  ]
  return element(
    'div', {'class': 'scale'}, *bars, element('div', {'class': 'marks'}, *marks)
  )


def _marks(low: float, high: float) -> list[tuple[float, str]]:
  """Places from 0 to 1 on the scale, and what is there: the ends, and 0."""
  zero = -low / (high - low)
  found = [(0.0, low), (1.0, high)]
  if 0.12 < zero < 0.88:
    found.insert(1, (zero, 0.0))
  return [(p, f'{v:.3g}'.replace('-', formats.MINUS)) for p, v in found]


def _gradient(label: np.ndarray, dark: bool) -> str:
  stops = _colours(label, 25, dark)
  colours = ','.join('#' + bytes(stop).hex() for stop in stops)
  return f'background:linear-gradient(to right,{colours})'


def _legend(label: np.ndarray) -> np.ndarray:
  bar = np.broadcast_to(_colours(label, 201, False), (12, 201, 3))
  font = ImageFont.load_default(14)
  image = Image.new('RGB', (340, 40), 'white')
  image.paste(Image.fromarray(np.ascontiguousarray(bar)), (70, 4))
  draw = ImageDraw.Draw(image)
  for place, name in _marks(*_ends(label)):
    # Pillow's own font has no minus sign.
    text = name.replace(formats.MINUS, '-')
    draw.text((70 + 200 * place, 28), text, '#555c68', font, anchor='mm')
  return np.asarray(image)
