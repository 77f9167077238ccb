"""Loading a data set by name, from a file or from a folder."""

import difflib
import os

from dd_jax.data import dataset, embedded, npz
from dd_jax.types import UserError

EMBEDDED = {'digits': embedded.digits}


def load(
  name_or_path: str | os.PathLike[str],
  *,
  data_dir: str | None = None,
  image_size: int | None = None,
  validation: int | float | None = None,
  seed: int = 0,
) -> dataset.Dataset:
  """Loads a data set and holds out its validation split.

  Args:
    name_or_path: a name (see `names`), a `.npz` file or an image folder. A
      name wins over a folder of the same name: write `./mnist` for that.
    data_dir: where TFDS keeps its data; by default TFDS's own choice.
    image_size: resize to this many pixels square.
    validation: a count, or a fraction below 1; by default a tenth of the
      training examples, at most 5,000, and at least one of each class.
    seed: chooses the validation examples.

  Raises:
    UserError: one line that names what is wrong and what is allowed.
  """
  raw = _read(os.fspath(name_or_path), data_dir, image_size)
  return dataset.assemble(raw, validation=validation, seed=seed)


def names() -> tuple[str, ...]:
  """The data sets that `load` knows by name."""
  return tuple(EMBEDDED)


def _read(
  name: str, data_dir: str | None, image_size: int | None
) -> dataset.Raw:
  if name in EMBEDDED:
    return EMBEDDED[name]()
  if name.endswith('.npz'):
    return npz.read(name)
  raise UserError(_unknown(name))


def _unknown(name: str) -> str:
  near = difflib.get_close_matches(name, names(), 1, 0.5)
  hint = f'; did you mean {near[0]!r}?' if near else ';'
  return (
    f'unknown data set {name!r}{hint} known are {", ".join(names())}, or give '
    'a .npz file or an image folder'
  )
