"""What a file is told to be, whatever it is called."""

import gzip
import io
import pickle
import zipfile

import numpy as np
import pytest
from PIL import Image

from dd_jax import files


def picture(form):
  buffer = io.BytesIO()
  Image.new('RGB', (2, 2)).save(buffer, form)
  return buffer.getvalue()


def archive():
  buffer = io.BytesIO()
  with zipfile.ZipFile(buffer, 'w') as file:
    file.writestr('a', 'b')
  return buffer.getvalue()


def array():
  buffer = io.BytesIO()
  np.save(buffer, np.ones(3))
  return buffer.getvalue()


# Each as its own library writes it.
KINDS = {
  'a PNG image': lambda: picture('PNG'),
  'a JPEG image': lambda: picture('JPEG'),
  'a GIF image': lambda: picture('GIF'),
  'a zip archive': archive,
  'a gzip archive': lambda: gzip.compress(b'a'),
  'a single NumPy array': array,
  'a pickle, which is never loaded': lambda: pickle.dumps([1]),
  'a text file': lambda: b'def f():\n\treturn 1\n',
  'an empty file': lambda: b'',
  'a file of an unknown kind': lambda: bytes(range(256)),
}


@pytest.mark.parametrize('kind', KINDS)
def test_kinds(kind, tmp_path):
  path = tmp_path / 'distilled.npz'
  path.write_bytes(KINDS[kind]())
  assert files.kind(path) == kind


@pytest.mark.parametrize('shift', range(4))
def test_a_letter_that_is_cut_in_two_is_text(shift, tmp_path):
  path = tmp_path / 'a.txt'
  path.write_text('a' * shift + '\u65e5\u672c' * 300, encoding='utf-8')
  assert files.kind(path) == 'a text file'


def test_what_cannot_be_read_is_told_too(tmp_path):
  assert files.kind(tmp_path) == 'a folder'
  assert files.kind(tmp_path / 'no').startswith('not readable (No such file')


def test_a_reason_is_one_short_line_without_unsafe_advice():
  unsafe = ValueError('Cannot load file containing pickled data when allow_...')
  assert 'never loaded' in files.reason(unsafe)
  assert files.reason(ValueError('a\n b' * 99)).count('\n') == 0
  assert files.reason(EOFError()) == 'EOFError'
