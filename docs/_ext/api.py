"""A page for every package and for every module beside them, by walking.

A page of a package has a section for each of its modules.
"""

import importlib
import inspect
import pkgutil
import re
from types import ModuleType

from docstrings import names

import dd_jax

ROOT = 'dd_jax'
_HIDDEN = re.compile(r'\._|^dd_jax\.recipes\.')


def pages() -> dict[str, str]:
  """ReStructuredText by the name of the page."""
  found = modules()
  packages = [name for name, module in found.items() if _is_package(module)]
  alone = [name for name in found if _parent(name) == ROOT]
  own = sorted({*packages, *alone} - {ROOT})
  texts = {name: _page(name, found) for name in own}
  return {'index': _index(found, own), **texts}


def modules() -> dict[str, ModuleType]:
  """Every public module by its full name; recipes have pages of their own."""
  walked = pkgutil.walk_packages(dd_jax.__path__, f'{ROOT}.')
  public = sorted(i.name for i in walked if not _HIDDEN.search(i.name))
  return {name: importlib.import_module(name) for name in (ROOT, *public)}


def summary(thing: object) -> str:
  """The first line of a docstring, for a table."""
  return names((inspect.getdoc(thing) or '').partition('\n')[0])


def _index(found: dict[str, ModuleType], own: list[str]) -> str:
  rows = [
    line
    for name in own
    for line in (
      f'   * - :doc:`{_short(name)} <{name}>`',
      f'     - {summary(found[name])}',
    )
  ]
  return '\n'.join(
    [
      *_title('API', '='),
      *_documented(found[ROOT]),
      *_title('Packages and modules', '-'),
      *('.. list-table::', '   :widths: 1 3', '', *rows, ''),
      *('.. toctree::', '   :hidden:', ''),
      *(f'   {_short(name)} <{name}>' for name in own),
      '',
    ]
  )


def _page(name: str, found: dict[str, ModuleType]) -> str:
  out = [*_title(_short(name), '='), *_documented(found[name])]
  for child, module in found.items():
    if _parent(child) == name and not _is_package(module):
      out += [*_title(_short(child), '-'), *_documented(module)]
  return '\n'.join(out)


def _documented(module: ModuleType) -> list[str]:
  directive = [f'.. automodule:: {module.__name__}', '   :ignore-module-all:']
  return [*directive, '', *_offered(module)]


def _offered(module: ModuleType) -> list[str]:
  """What a package offers of its modules' names."""
  links = [
    f'- :py:obj:`{name} <{home}.{thing.__qualname__}>`: {summary(thing)}'
    for name in getattr(module, '__all__', ())
    if (thing := getattr(module, name)) is not None
    and (home := _home(thing)) not in (None, module.__name__)
  ]
  return ['Offers these of its modules:', '', *links, ''] if links else []


def _home(thing: object) -> str | None:
  """The module that defines a class or a function of ours."""
  named = hasattr(thing, '__name__') and not inspect.ismodule(thing)
  home = getattr(thing, '__module__', None) if named else None
  return home if home and home.split('.')[0] == ROOT else None


def _is_package(module: ModuleType) -> bool:
  return hasattr(module, '__path__')


def _parent(name: str) -> str:
  return name.rpartition('.')[0]


def _short(name: str) -> str:
  return name.removeprefix(f'{ROOT}.')


def _title(text: str, line: str) -> list[str]:
  return [text, line * len(text), '']
