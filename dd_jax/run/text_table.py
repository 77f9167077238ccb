"""Tables of text."""

from collections.abc import Sequence


def aligned(rows: Sequence[Sequence[str]]) -> str:
  """Rows of as many cells each, as lines with straight columns."""
  widths = [max(map(len, cells)) for cells in zip(*rows, strict=True)]
  padded = (
    '  '.join(c.ljust(w) for c, w in zip(row, widths, strict=True))
    for row in rows
  )
  return '\n'.join(line.rstrip() for line in padded)
