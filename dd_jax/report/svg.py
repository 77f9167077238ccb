"""What charts are drawn of; their colours are in `curves.STYLE`."""

from dd_jax.report.markup import Markup, element


def line(x1: float, y1: float, x2: float, y2: float, kind: str) -> Markup:
  """A straight line of that class."""
  ends = {'x1': x1, 'y1': y1, 'x2': x2, 'y2': y2}
  return element('line', {'class': kind, **ends})


def text(
  x: float, y: float, anchor: str, content: str, kind: str = 'tick'
) -> Markup:
  """A line of text; `anchor` is start, middle or end."""
  place = {'x': f'{x:.1f}', 'y': f'{y:.1f}', 'text-anchor': anchor}
  return element('text', {'class': kind, **place}, content)


def dot(x: float, y: float, radius: float = 3, kind: str = 'dot') -> Markup:
  """A filled circle."""
  place = {'cx': f'{x:.1f}', 'cy': f'{y:.1f}', 'r': f'{radius:g}'}
  return element('circle', {'class': kind, **place})
