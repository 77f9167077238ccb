"""The scoring command: an artefact under protocols, and what it refuses."""

import json

import numpy as np
import pytest

from dd_jax import artifact
from dd_jax.artifact import Artifact
from dd_jax.run import settings
from dd_jax.types import UserError


@pytest.fixture
def made(call, small_npz, tiny) -> str:
  """A distilled set of `small.npz`."""
  got = call('--workdir=w', f'--dataset={small_npz()}', *tiny)
  assert got.status == 0, got
  return 'w/distilled.npz'


def test_scores_with_baselines_as_text_and_json(call, made, tmp_path):
  status, error, out = call(
    f'--artifact={made}',
    '--dataset=small.npz',
    '--protocols=krr-nngp,krr-ntk',
    '--baselines=random,kmeans',
    '--learners=2',
    '--output=scores.json',
    command='evaluate',
  )
  assert status == 0, error
  assert all(line.startswith('scoring ') for line in error.splitlines())
  assert out.startswith('test accuracy under krr-nngp: ')
  found = json.loads((tmp_path / 'scores.json').read_text())
  assert found['protocol'] == 'krr-nngp'
  assert list(found['baselines']) == ['random', 'kmeans']
  assert len(found['baselines']['random']['values']) == 2
  own = json.loads((tmp_path / 'w/result.json').read_text())
  assert found['other_scores']['krr-ntk'] == own['test_accuracy']
  # Whatever prints a score leaves the same record, of the same set and data.
  assert set(found) <= set(own)
  for key in ('data', 'labels', 'learner', 'versions', 'seed'):
    assert found[key] == own[key]
  assert found['artifact']['sha256'] == own['artifact']['sha256']


def test_what_cannot_be_scored_is_one_line(call, made, small_npz, tmp_path):
  small_npz('other', y_test=np.arange(40) % 3)
  (tmp_path / 'cut.npz').write_bytes((tmp_path / made).read_bytes()[:900])
  good = f'--artifact={made}'
  cases = [
    ([], ('--artifact: missing',)),
    (['--artifact=no.npz'], ('no.npz', 'no such artefact')),
    (['--artifact=cut.npz'], ('cut.npz', 'not a readable artefact')),
    (['--artifact=small.npz'], ('small.npz', 'not an artefact')),
    (['--artifact=w/distilled.png'], ('is a PNG image; expected an art',)),
    ([good, '--dataset=digits'], ('in 10 classes', '8 x 8 x 1 in 4', made)),
    ([good, '--dataset=no.npz'], ('no.npz: no such file',)),
    ([good, '--protocols=krr'], ("'krr'", 'did you mean krr-ntk?')),
    ([good, '--learners=0'], ('learners=0', '1 and more')),
    ([good, '--output=no/x.json'], ('--output=no/x.json',)),
  ]
  for arguments, words in cases:
    status, error, _ = call(*arguments, command='evaluate')
    assert status == 2 and '\n' not in error, error
    for word in words:
      assert word in error


OWN = """
import flax.linen as nn


class Linear(nn.Module):
  classes: int

  @nn.compact
  def __call__(self, x):
    return nn.Dense(self.classes)(x.reshape(len(x), -1))


def linear(image_shape, num_classes, *, unused: int = 1):
  return Linear(num_classes)
"""


def test_networks_give_a_table_and_their_scores_as_json(call, made, tmp_path):
  (tmp_path / 'own.py').write_text(OWN)
  steps = '--config.evaluation.steps=3'
  common = (f'--artifact={made}', '--dataset=small.npz', '--learners=2', steps)
  many = ('--protocols=dc,frepo', '--networks=mlp,own.py:linear')
  status, error, out = call(
    *common, *many, '--output=scores.json', command='evaluate'
  )
  assert status == 0, error
  assert 'mlp (1 of 2)' in error and 'linear (2 of 2)' in error
  found = json.loads((tmp_path / 'scores.json').read_text())['networks']
  assert list(found) == ['mlp', 'linear']
  head, dc, frepo = out.splitlines()[:3]
  assert head.split() == ['test', 'accuracy', 'mlp', 'linear']
  assert dc.startswith('dc (3 steps)  ') and frepo.startswith('frepo (3 steps)')
  for name, scores in found.items():
    column = head.index(name)
    for row, score in (
      (dc, scores['test_accuracy']),
      (frepo, scores['other_scores']['frepo']),
    ):
      assert row[column:].startswith(f'{score["mean"]:.2f} % ±'), out
      assert len(score['values']) == 2
  # One of them alone is scored alike.
  field = '--config.evaluation.network.name=mlp'
  alone = call(*common, many[0], field, '--output=one.json', command='evaluate')
  assert alone.status == 0, alone
  own = json.loads((tmp_path / 'one.json').read_text())
  assert {k: own[k] for k in found['mlp']} == found['mlp']
  both = call('scores.json', 'one.json', command='compare')
  assert both.status == 0 and 'scores.json, mlp' in both.out, both


def test_networks_that_cannot_be_are_one_line(call, made, tmp_path):
  (tmp_path / 'own.py').write_text(OWN)
  (tmp_path / 'bad.py').write_text('import nothing_of_that_name')
  fails = (
    "def boom(image_shape, num_classes): raise ValueError('no such thing')"
  )
  (tmp_path / 'fails.py').write_text(fails)
  (tmp_path / 'convnet.py').write_text(OWN.replace('linear', 'convnet'))
  good = (f'--artifact={made}', '--dataset=small.npz', '--protocols=dc')
  cases = [
    ('--networks=restnet18', ("'restnet18'", 'did you mean resnet18?')),
    ('--networks=no.py:linear', ('--networks=no.py:linear: no such file',)),
    ('--networks=own.py:line', ("no function 'line'",)),
    ('--networks=bad.py:x', ('ModuleNotFoundError', 'nothing_of_that_name')),
    ('--networks=fails.py:boom', ('network fails.py:boom: ', 'no such thing')),
    ('--networks=convnet.py:convnet', ('there is one of that name',)),
    ('--networks=resnet18', ('8 x 8 are too small', '9 x 9 and more')),
  ]
  for argument, words in cases:
    status, error, _ = call(*good, argument, command='evaluate')
    assert status == 2 and '\n' not in error, error
    for word in words:
      assert word in error
  exact = call(
    *good[:2], '--protocols=krr-ntk', '--networks=mlp', command='evaluate'
  )
  assert exact.status == 2 and 'krr-ntk trains none' in exact.error


def test_an_artefact_of_a_file_asks_for_it(call, made, tmp_path):
  (tmp_path / 'small.npz').rename(tmp_path / 'moved.npz')
  flag = f'--artifact={made}'
  error = call(flag, command='evaluate').error
  assert '--dataset: missing' in error and 'small.npz' in error
  status, _, out = call(flag, '--dataset=moved.npz', command='evaluate')
  assert status == 0 and 'note: ' not in out


def by_hand(made, name, **metadata) -> str:
  """Images, labels and preprocessing of a set, and little else."""
  held = artifact.load(made)
  one_hot = np.eye(held.data.label.shape[1], dtype=np.float32)
  data = held.data._replace(label=one_hot[held.targets('classes')])
  artifact.save(name, Artifact(data, held.preprocessing, None, metadata))
  return f'--artifact={name}'


def test_an_artefact_made_by_hand_is_scored(call, made):
  hand = by_hand(made, 'hand.npz')
  centred = by_hand(made, 'centred.npz', label_encoding='centred')
  dataset = '--dataset=small.npz'
  few = ('--protocols=krr-ntk', '--baselines=random', '--learners=1')
  asks = call(hand, command='evaluate')
  assert asks.status == 2
  assert asks.error.startswith('error: --dataset: missing')
  scores = call(hand, dataset, *few, command='evaluate')
  assert scores.status == 0, scores
  assert 'scored under krr-ntk' in scores.out
  assert 'as one-hot ones' in scores.out
  assert '\ntest accuracy under krr-ntk: ' in scores.out
  assert '\n  random: ' in scores.out
  says = call(centred, dataset, *few, command='evaluate')
  assert says.status == 0 and 'as centred ones' in says.out, says


def test_class_names_decide_and_not_their_order(call, tiny, small_npz):
  """The set with its classes listed in reverse is the same set."""
  names = np.array(['ant', 'bee', 'cow', 'dog'])
  data = f'--dataset={small_npz("named", class_names=names)}'
  assert call('--workdir=w', data, *tiny).status == 0
  held = artifact.load('w/distilled.npz')
  turned = held.data._replace(label=held.data.label[:, ::-1])
  metadata = {**held.metadata, 'class_names': names[::-1].tolist()}
  artifact.save('r.npz', held._replace(data=turned, metadata=metadata))
  few = (data, '--protocols=krr-ntk')
  plain, other = (
    call(f'--artifact={name}', *few, command='evaluate')
    for name in ('w/distilled.npz', 'r.npz')
  )
  assert plain.status == other.status == 0, (plain, other)
  assert 'note: classes numbered as in the artefact' in other.out
  assert plain.out.splitlines()[-1] == other.out.splitlines()[-1]
  metadata['class_names'] = ['ant', 'bee', 'cow', 'hen']
  artifact.save('hen.npz', held._replace(metadata=metadata))
  hen = call('--artifact=hen.npz', *few, command='evaluate')
  assert hen.status == 2 and "'hen'" in hen.error and 'by name' in hen.error


def test_split_keeps_field_flags_apart():
  argv = ['prog', '--ipc=1', '--config.a.b=1=2', '-config.c=', 'config.py']
  others, fields = settings.split(argv)
  assert others == ['prog', '--ipc=1', 'config.py']
  assert fields == {'a.b': '1=2', 'c': ''}
  with pytest.raises(UserError, match='needs a value'):
    settings.split(['--config.a'])
