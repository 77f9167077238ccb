"""A page inside another page: whole, shut off, and unable to break out."""

import html.parser

from dd_jax.report.document import document, framed
from dd_jax.report.markup import element

_EVIL = '"></iframe><script>alert(1)</script>'


class _Elements(html.parser.HTMLParser):
  """The elements of a page, in order."""

  def __init__(self, page: str):
    super().__init__()
    self.found: list[tuple[str, dict[str, str | None]]] = []
    self.feed(page)

  def handle_starttag(
    self, tag: str, attrs: list[tuple[str, str | None]]
  ) -> None:
    self.found.append((tag, dict(attrs)))


def test_a_frame_holds_the_page_as_it_is() -> None:
  page = document(_EVIL, element('p', {}, _EVIL, ' & more'))
  [(tag, frame)] = _Elements(framed(page, _EVIL, 300)).found
  assert tag == 'iframe' and frame['srcdoc'] == page
  assert frame['title'] == _EVIL and frame['sandbox'] == ''
  assert 'height:300px' in str(frame['style'])


def test_a_document_runs_nothing_and_loads_nothing() -> None:
  found = _Elements(document(_EVIL, element('p', {}, _EVIL))).found
  assert 'script' not in dict(found)
  [policy] = [a['content'] for t, a in found if 'http-equiv' in a]
  assert "default-src 'none'" in str(policy)
