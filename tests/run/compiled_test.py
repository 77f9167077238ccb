"""Compiled programs are kept where they can be of use, and not without end."""

import os

import jax
import pytest

from dd_jax.run import compiled


@pytest.fixture
def told():
  """What JAX was told of a folder is told again after the test."""
  held = jax.config.jax_compilation_cache_dir
  yield
  jax.config.update('jax_compilation_cache_dir', held)


def test_a_folder_of_the_users_own_is_left(told, tmp_path, monkeypatch):
  monkeypatch.setenv('DD_JAX_CACHE', str(tmp_path))
  jax.config.update('jax_compilation_cache_dir', '/elsewhere')
  compiled.keep()
  assert jax.config.jax_compilation_cache_dir == '/elsewhere'
  jax.config.update('jax_compilation_cache_dir', None)
  compiled.keep()
  found = jax.config.jax_compilation_cache_dir
  assert found == str(compiled.folder()) and found.startswith(str(tmp_path))


def test_each_kind_of_processor_has_its_own(tmp_path, monkeypatch):
  seen = set()
  for text in ('flags\t: avx2\n', 'flags\t: avx2 avx512f\n'):
    file = tmp_path / 'cpuinfo'
    # Two processors of a kind, at speeds of their own, are one kind.
    file.write_text(f'{text}cpu MHz\t: 1\n{text}cpu MHz\t: 2\n')
    monkeypatch.setattr(compiled, '_PROCESSOR', file)
    seen.add(compiled.folder())
    file.write_text(f'{text}cpu MHz\t: 3\n')
    seen.add(compiled.folder())
  monkeypatch.setattr(compiled, '_PROCESSOR', tmp_path / 'absent')
  assert len(seen | {compiled.folder()}) == 3


def test_the_oldest_go_first(tmp_path):
  for age, name in enumerate(('new', 'middle', 'old')):
    file = tmp_path / name
    file.write_bytes(bytes(100))
    os.utime(file, (10**9 - age, 10**9 - age))
  compiled.prune(tmp_path, 300)
  assert len(list(tmp_path.iterdir())) == 3
  compiled.prune(tmp_path, 250)
  assert {p.name for p in tmp_path.iterdir()} == {'new', 'middle'}
  compiled.prune(tmp_path / 'absent', 0)
