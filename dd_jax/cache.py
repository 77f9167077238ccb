"""Scores, networks and whitenings that are paid for once.

A small folder of files named by a hash of what they depend on; any of them may
be deleted at any time.
"""

import hashlib
import json
import os
import pathlib
from collections.abc import Mapping
from typing import Any

from dd_jax.files import write_atomically


class Cache:
  """Bytes by the content of a key.

  Attributes:
    directory: made when first written to.
  """

  def __init__(self, directory: str | pathlib.Path | None = None) -> None:
    """Uses `directory`, by default `default_directory()`."""
    self.directory = pathlib.Path(directory or default_directory())

  def get(self, key: Mapping[str, Any]) -> bytes | None:
    """What was put under an equal key, or None."""
    try:
      return self._path(key).read_bytes()
    except OSError:
      return None

  def put(self, key: Mapping[str, Any], content: bytes) -> None:
    """Keeps `content`; a folder that cannot be written to is no error."""
    try:
      self.directory.mkdir(parents=True, exist_ok=True)
      write_atomically(self._path(key), content)
    except (OSError, ValueError):
      return  # a cache is a convenience: the result itself is in hand

  def _path(self, key: Mapping[str, Any]) -> pathlib.Path:
    text = json.dumps(key, sort_keys=True, default=str)
    return self.directory / hashlib.sha256(text.encode()).hexdigest()[:32]


def default_directory() -> pathlib.Path:
  """`$DD_JAX_CACHE`, or `dd_jax` in the user's cache folder."""
  if 'DD_JAX_CACHE' in os.environ:
    return pathlib.Path(os.environ['DD_JAX_CACHE'])
  base = os.environ.get('XDG_CACHE_HOME') or pathlib.Path.home() / '.cache'
  return pathlib.Path(base) / 'dd_jax'
