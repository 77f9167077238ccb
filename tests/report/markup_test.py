"""Whatever is not markup is escaped."""

import pytest

from dd_jax.report.markup import Markup, definitions, element, join, text


def test_text_escapes_once() -> None:
  once = text('<b> & "q"')
  assert once == '&lt;b&gt; &amp; &quot;q&quot;'
  assert text(once) == once


def test_element_escapes_children_and_attributes() -> None:
  made = element('p', {'title': '"><script>'}, '<i>', element('b', {}, '&'))
  assert made == (
    '<p title="&quot;&gt;&lt;script&gt;">&lt;i&gt;<b>&amp;</b></p>'
  )


def test_an_attribute_is_escaped_even_if_it_is_markup() -> None:
  made = element('p', {'title': Markup('"x')}, '')
  assert made == '<p title="&quot;x"></p>'


@pytest.mark.parametrize('bad', ['\x00', '\x1b', '\ud800', '\ufffe'])
def test_what_no_file_can_hold_is_replaced(bad: str) -> None:
  assert text(f'a{bad}b') == 'a\ufffdb'
  text(bad).encode()


def test_void_elements_have_no_end() -> None:
  assert element('img', {'alt': 'x'}) == '<img alt="x">'


def test_definitions_leave_out_what_is_missing() -> None:
  assert definitions([('a', None), ('b', '')]) == ''
  assert 'zero' in definitions([('zero', 0)])


def test_join_is_markup() -> None:
  assert join('<', Markup('<br>')) == '&lt;<br>'
