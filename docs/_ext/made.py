"""Writes what is generated, before Sphinx looks for pages.

`api/` has a page for every module, `_made/` what pages include.
"""

import pathlib
from typing import Any

import api
import binaries
import catalogue


def setup(app: Any) -> dict[str, bool]:
  """Has everything written when a build begins."""
  app.connect('builder-inited', lambda app: write(pathlib.Path(app.srcdir)))
  return {'parallel_read_safe': True, 'parallel_write_safe': True}


def write(folder: pathlib.Path) -> None:
  """Writes all generated pages into the folder of the sources."""
  _write_all(folder / 'api', '.rst', api.pages())
  parts = {**catalogue.parts(), 'command_line': binaries.command_line()}
  _write_all(folder / '_made', '.md', parts)


def _write_all(
  folder: pathlib.Path, suffix: str, pages: dict[str, str]
) -> None:
  folder.mkdir(exist_ok=True)
  wanted = {folder / f'{name}{suffix}': text for name, text in pages.items()}
  for path in set(folder.iterdir()) - set(wanted):
    path.unlink()
  for path, text in wanted.items():
    if not path.exists() or path.read_text('utf-8') != text:
      path.write_text(text, 'utf-8')
