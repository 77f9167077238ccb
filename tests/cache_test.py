"""A cache is a convenience: it never fails and never lies."""

import pathlib

import pytest

from dd_jax.cache import Cache, default_directory

KEY = {'selection': 'random', 'ipc': 10, 'network': {'width': 4}}


def test_what_was_put_comes_back(tmp_path):
  cache = Cache(tmp_path / 'new' / 'folder')
  assert cache.get(KEY) is None
  cache.put(KEY, b'\x00score')
  assert cache.get(dict(reversed(KEY.items()))) == b'\x00score'
  assert Cache(tmp_path / 'new' / 'folder').get(KEY) == b'\x00score'


@pytest.mark.parametrize(
  'other', [{'ipc': 1}, {'network': {'width': 5}}, {'extra': None}]
)
def test_another_key_is_another_file(tmp_path, other):
  cache = Cache(tmp_path)
  cache.put(KEY, b'a')
  assert cache.get({**KEY, **other}) is None
  cache.put({**KEY, **other}, b'b')
  assert cache.get(KEY) == b'a' and cache.get({**KEY, **other}) == b'b'


def test_a_folder_that_cannot_be_made_is_no_error(tmp_path):
  (tmp_path / 'file').write_text('in the way')
  cache = Cache(tmp_path / 'file' / 'below')
  cache.put(KEY, b'lost')
  assert cache.get(KEY) is None


def test_default_directory(monkeypatch, tmp_path):
  monkeypatch.setenv('DD_JAX_CACHE', str(tmp_path / 'a'))
  assert default_directory() == tmp_path / 'a'
  monkeypatch.delenv('DD_JAX_CACHE')
  monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'b'))
  assert default_directory() == tmp_path / 'b' / 'dd_jax'
  monkeypatch.delenv('XDG_CACHE_HOME')
  monkeypatch.setattr(pathlib.Path, 'home', lambda: tmp_path / 'c')
  assert default_directory() == tmp_path / 'c' / '.cache' / 'dd_jax'
