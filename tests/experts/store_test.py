"""The store: what it holds, and what it refuses."""

import json
import shutil

import numpy as np
import pytest

from dd_jax.experts import ExpertStore, Span, load_experts
from dd_jax.experts.store import MANIFEST
from dd_jax.types import UserError

SPAN = Span(0, 2, 1)


@pytest.fixture
def copy(trained, tmp_path):
  """The path of a copy that may be damaged."""
  return shutil.copytree(trained.path, tmp_path / 'copy')


def change_manifest(path, change):
  held = json.loads((path / MANIFEST).read_text())
  change(held)
  (path / MANIFEST).write_text(json.dumps(held))


def refused(words, action):
  with pytest.raises(UserError) as error:
    action()
  assert words in str(error.value) and '\n' not in str(error.value)


def test_a_span_reads_starts_and_targets():
  assert Span(0, 2, 2).epochs(9) == (0, 1, 2, 3)
  assert Span(3, 5, 4).epochs(9) == (3, 4, 7, 8)
  assert Span(0, 2, 1, last=True).epochs(9) == (0, 1, 2, 9)
  assert Span(3, 5, 4).end == 8


def test_holds_what_was_written(trained, copy):
  again = ExpertStore.open(copy)
  assert again.identity == trained.identity
  assert again.experts == trained.experts
  for i in range(3):
    np.testing.assert_array_equal(again.read(i, True), trained.read(i))
    assert again.read(i).dtype == np.float32
    assert isinstance(again.read(i), np.memmap)
  assert {'accuracy', 'crc32', 'parameters', 'seconds'} == set(again.experts[0])


def test_another_version_is_refused(copy):
  change_manifest(copy, lambda m: m['identity'].update(version=99))
  refused('version 99', lambda: ExpertStore.open(copy))


@pytest.mark.parametrize(
  'change, words',
  [
    ({'network': {'name': 'mlp', 'width': 9}}, 'another network.width (8, '),
    ({'data': {'name': 'digits', 'sha256': 'x'}}, "data.sha256 ('abc'"),
    ({'preprocessing': 'kornia'}, "preprocessing ('none'"),
  ],
)
def test_another_run_is_refused(trained, school, change, words):
  refused(words, lambda: trained.check(school.about(**change)))


def test_its_own_run_is_accepted(trained, school):
  trained.check(school.about())
  trained.check_span(SPAN)
  trained.check_span(SPAN._replace(last=True))


def test_epochs_that_are_not_held_are_refused(trained, school, tmp_path):
  refused('up to 5', lambda: trained.check_span(Span(0, 4, 2)))
  refused('epochs 0-2, 4', lambda: trained.check_span(Span(0, 3, 1)))
  short = school.about(epochs=(0, 1))
  store = ExpertStore(tmp_path, short, trained.experts)
  asks_labels = Span(0, 1, 1, last=True)
  refused('soft labels', lambda: store.check_span(asks_labels))


def test_too_few_experts_are_refused(trained, copy):
  change_manifest(copy, lambda m: m['experts'].pop())
  store = ExpertStore.open(copy)
  refused('2 of 3 experts', lambda: store.check_span(SPAN))


def test_a_truncated_expert_is_refused(copy):
  file = copy / 'expert_00001.npy'
  file.write_bytes(file.read_bytes()[:-100])
  refused('expert_00001.npy', lambda: ExpertStore.open(copy))
  file.unlink()
  refused('expert_00001.npy', lambda: ExpertStore.open(copy))


def test_a_changed_expert_is_refused_when_it_is_read(copy):
  file = copy / 'expert_00001.npy'
  content = bytearray(file.read_bytes())
  content[-1] ^= 1
  file.write_bytes(content)
  refused('expert_00001.npy', lambda: load_experts(ExpertStore.open(copy)))


def test_what_is_no_store_is_refused_and_left(tmp_path, school, copy):
  refused('holds no experts', lambda: ExpertStore.open(tmp_path / 'none'))
  (tmp_path / 'file').write_bytes(b'GIF89a')
  refused('is a GIF image', lambda: ExpertStore.open(tmp_path / 'file'))
  (tmp_path / 'notes').mkdir()
  (tmp_path / 'notes' / 'a.txt').write_text('mine')
  start = lambda: ExpertStore.start(tmp_path / 'notes', school.about())
  refused('holds files', start)
  assert (tmp_path / 'notes' / 'a.txt').read_text() == 'mine'
  other = school.about(preprocessing='kornia')
  before = (copy / MANIFEST).read_bytes()
  refused('another preprocessing', lambda: ExpertStore.start(copy, other))
  assert (copy / MANIFEST).read_bytes() == before
  (copy / MANIFEST).write_text('{')
  refused('damaged', lambda: ExpertStore.open(copy))
