"""A page that stands alone, in a file or in a frame of a notebook's page."""

from dd_jax.report.markup import Markup, element
from dd_jax.report.style import SHEET

# No scripts, and no images but those inside: whatever a class is called.
_POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def document(title: str, *body: Markup, style: str = '') -> str:
  """Returns an HTML page of that title, under the style sheet.

  Args:
    title: plain text.
    *body: what the page shows.
    style: rules of its own, after the sheet's.
  """
  policy = {'http-equiv': 'Content-Security-Policy', 'content': _POLICY}
  width = {'name': 'viewport', 'content': 'width=device-width, initial-scale=1'}
  head = element(
    'head',
    {},
    element('meta', {'charset': 'utf-8'}),
    element('meta', policy),
    element('meta', width),
    element('title', {}, title),
    element('style', {}, Markup(SHEET + style)),
  )
  page = element('html', {'lang': 'en'}, head, element('body', {}, *body))
  return f'<!doctype html>\n{page}\n'


def framed(page: str, title: str, height: int) -> str:
  """Returns a page as an element of another page, such as a notebook's.

  Neither sees the other's styles, and the frame runs nothing. It scrolls: an
  output of a notebook has no height of its own that a frame could fill.

  Args:
    page: as `document` makes it.
    title: of the frame, plain text.
    height: in pixels.
  """
  style = f'width:100%;height:{height}px;border:1px solid #8884'
  return element(
    'iframe',
    {'title': title, 'sandbox': '', 'style': style, 'srcdoc': page},
  )
