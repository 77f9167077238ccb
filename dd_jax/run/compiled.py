"""Compiled programs, kept for the next process that wants the same ones."""

import contextlib
import hashlib
import pathlib
import platform
import warnings

import jax

from dd_jax.cache import default_directory

_MOST = 2 << 30  # bytes
_PROCESSOR = pathlib.Path('/proc/cpuinfo')
_DIFFER = ('flags', 'Features', 'model name')
_SETTING = 'jax_compilation_cache_dir'


def keep() -> None:
  """Has JAX keep in our cache folder what takes a second or more to compile.

  To be called before anything is compiled. A folder that JAX was told of itself
  (`JAX_COMPILATION_CACHE_DIR`) is left as it is.
  """
  if getattr(jax.config, _SETTING) is not None:
    return
  jax.config.update(_SETTING, str(folder()))
  prune(folder(), _MOST)
  # An entry that cannot be read or written costs compiling, nothing else.
  warnings.filterwarnings('ignore', '.* persistent compilation cache entry')


def folder() -> pathlib.Path:
  """Where they are kept: a folder for each kind of processor.

  A home may be shared by machines, and code for one need not run on another:
  JAX's own key does not tell processors apart.
  """
  name = hashlib.sha256(_processor().encode()).hexdigest()[:16]
  return default_directory() / 'programs' / name


def prune(place: pathlib.Path, most: int) -> None:
  """Deletes the oldest files of a folder until `most` bytes are left."""
  with contextlib.suppress(OSError):  # others may delete there too
    held = [(p.stat().st_mtime, p.stat().st_size, p) for p in place.iterdir()]
    size = sum(each for _, each, _ in held)
    for _, each, path in sorted(held):
      if size <= most:
        return
      path.unlink()
      size -= each


def _processor() -> str:
  """What the code of a program depends on, as far as it is told."""
  try:
    text = _PROCESSOR.read_text()
  except OSError:
    return f'{platform.system()} {platform.machine()} {platform.processor()}'
  lines = (line.partition(':') for line in text.splitlines())
  return str(sorted({(k, v) for k, _, v in lines if k.strip() in _DIFFER}))
