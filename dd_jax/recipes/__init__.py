"""Recipes, one file for a data set and a method; see any of them.

`--config=mnist_dm` and `--config=published/dc` find them by name, wherever the
package is installed; those in `published/` have the papers' settings.
"""

import difflib
import pathlib

FOLDER = pathlib.Path(__file__).parent
"""Where they are."""


def names() -> list[str]:
  """All of them: `cifar10_bptt`, ..., then `published/bptt`, ..."""
  found = (p.relative_to(FOLDER) for p in FOLDER.rglob('*.py'))
  named = [p.with_suffix('').as_posix() for p in found if p.name[0] != '_']
  return sorted(named, key=lambda name: ('/' in name, name))


def find(name: str) -> pathlib.Path | None:
  """The file of a recipe by its name, with or without `.py`, or None."""
  plain = name.removesuffix('.py')
  return FOLDER / f'{plain}.py' if plain in names() else None


def nearest(name: str) -> str | None:
  """The recipe whose name a path or a mistyped name ends in, or None.

  `old/folder/published/dc.py` and `dc.py` are `published/dc`, `mnist_dn` is
  `mnist_dm`.
  """
  plain = pathlib.PurePath(name.removesuffix('.py'))
  tails = ['/'.join(plain.parts[i:]) for i in range(len(plain.parts))]
  tails += [f'published/{tail}' for tail in tails]
  held = [tail for tail in tails if tail in names()]
  close = difflib.get_close_matches(plain.name, names(), 1)
  return next(iter([*held, *close]), None)
