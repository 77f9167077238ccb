"""Fetching a file once: over the network, checked, atomically."""

import hashlib
import http.client
import os
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from typing import NamedTuple

from absl import logging

from dd_jax.types import UserError

_CHUNK = 1 << 20
_TIMEOUT_SECONDS = 15


class File(NamedTuple):
  """A published file.

  Attributes:
    name: what it is called in the cache.
    sha256: in hexadecimal, of its bytes.
    urls: where to get it, best first.
  """

  name: str
  sha256: str
  urls: tuple[str, ...]


class _Refused(Exception):
  """An address did not give the file; says why in a few words."""


def fetch(file: File, folder: str) -> str:
  """Returns the path of `file` in `folder`, fetching it where it is not there.

  A file already there, by an earlier call or put there by hand, is used when
  its checksum is right. Each address is tried once.

  Raises:
    UserError: no address gave the file; the line says why and what to do.
  """
  path = os.path.join(folder, file.name)
  if os.path.exists(path) and _sha256(path) == file.sha256:
    return path
  os.makedirs(folder, exist_ok=True)
  reasons = []
  for url in file.urls:
    try:
      return _fetch_from(url, file, path)
    except _Refused as e:
      reasons.append(f'{urllib.parse.urlsplit(url).netloc}: {e}')
  raise UserError(
    f'could not download {file.name} ({"; ".join(reasons)}); check the '
    f'network, or put the file into {folder} yourself'
  )


def _fetch_from(url: str, file: File, path: str) -> str:
  logging.info('Downloading %s', url)
  descriptor, temporary = tempfile.mkstemp(
    dir=os.path.dirname(path), prefix=f'.{file.name}.'
  )
  try:
    with os.fdopen(descriptor, 'wb') as out:
      digest = hashlib.sha256()
      for chunk in _chunks(url):
        digest.update(chunk)
        out.write(chunk)
      out.flush()
      os.fsync(out.fileno())
    if digest.hexdigest() != file.sha256:
      raise _Refused(
        f'checksum mismatch, sha256 {digest.hexdigest()[:12]}... is not '
        f'{file.sha256[:12]}...'
      )
    os.replace(temporary, path)
  finally:
    if os.path.exists(temporary):
      os.remove(temporary)
  return path


def _chunks(url: str) -> Iterator[bytes]:
  """What is at `url`, piece by piece; all failures are `_Refused`."""
  size = 0
  try:
    with urllib.request.urlopen(url, timeout=_TIMEOUT_SECONDS) as response:
      promised = int(response.headers.get('Content-Length', 0))
      while chunk := response.read(_CHUNK):
        size += len(chunk)
        yield chunk
  except urllib.error.HTTPError as e:
    raise _Refused(f'HTTP {e.code} {e.reason}') from e
  except urllib.error.URLError as e:
    raise _Refused(f'no connection, {e.reason}') from e
  except (http.client.HTTPException, OSError) as e:
    raise _Refused(f'broken off after {size:,} bytes') from e
  if size < promised:
    raise _Refused(f'broken off after {size:,} of {promised:,} bytes')


def _sha256(path: str) -> str:
  with open(path, 'rb') as f:
    return hashlib.file_digest(f, 'sha256').hexdigest()
