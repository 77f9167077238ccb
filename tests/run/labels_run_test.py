"""Label regimes from the configuration to names, the cache and the record."""

import numpy as np
import pytest

from dd_jax.cache import Cache
from dd_jax.data.prepare import prepare
from dd_jax.evaluation import real
from dd_jax.run import command_line, labels, limits, loading, recipe
from dd_jax.run.record import score
from dd_jax.run.scoring import Scorer
from dd_jax.types import DistilledData, UserError

TEACHER = {'network': 'mlp', 'steps': 12}


@pytest.fixture(scope='module')
def scorer(bright_rows, tmp_path_factory):
  folder = tmp_path_factory.mktemp('cache')

  def make(writers=(), **evaluation):
    config = recipe.default('dm')
    alone = {
      'protocol': 'dc', 'others': (), 'baselines': ('random',), 'learners': 2,
      'network': {'name': 'mlp', 'width': 4, 'depth': 1}, 'steps': 5,
      'whole': 'no', 'teacher': TEACHER,
    }  # fmt: skip
    recipe.update(config, {'ipc': 2, 'evaluation': {**alone, **evaluation}})
    limits.check(config)
    return Scorer(config, prepare(bright_rows), Cache(folder), writers=writers)

  return make


def a_set(scorer, soften=0.0):
  image, label = scorer.prepared.train.take(np.arange(6))
  return DistilledData(image, (1 - soften) * label + soften / 3)


def found(scorer, soften=0.0):
  made = score(scorer, a_set(scorer, soften))
  return made, command_line.table(made)


@pytest.fixture(scope='module')
def own(scorer):
  return found(scorer(labels='own'))


def test_own_labels_are_told_as_what_they_are(scorer, own):
  hard, text = own
  assert hard['labels'] == {'kind': 'hard', 'selections': 'hard'}
  assert 'labels: hard' in text
  assert hard['protocol'] == 'dc (5 steps, mlp width=4 depth=1)'
  made = scorer(labels='own')
  soft = {**hard, 'labels': made.labels(a_set(made, 0.3))}
  assert soft['labels']['kind'] == 'soft'
  assert 'those of real images' in command_line.table(soft)


def test_hard_labels_are_those_of_the_hard_set(scorer, own):
  made, _ = found(scorer(labels='hard'), 0.3)
  assert made['protocol'].endswith(', hard labels)')
  values = made['test_accuracy']['values']
  assert values == own[0]['test_accuracy']['values']


class Told:
  def __init__(self):
    self.lines = []

  def progress(self, what, done, total):
    self.lines.append((what, done, total))

  def message(self, line):
    pass


def test_a_teacher_is_trained_once_and_told_of(scorer, monkeypatch):
  writer = Told()
  made, text = found(scorer([writer], labels='teacher'))
  about = made['labels']['teacher']
  assert made['labels']['kind'] == made['labels']['selections'] == 'teacher'
  assert about['network']['name'] == 'mlp' and about['steps'] == 12
  assert about['temperature'] == 1 and 0 < about['test_accuracy'] <= 100
  assert 'labels: of a teacher' in text and '12 steps on real images' in text
  name = made['protocol']
  assert name.endswith('labels of mlp of 12 steps)')
  assert made['baselines']['random']['protocol'] == name
  assert ('teacher', 10, 12) in writer.lines
  monkeypatch.setattr(real, '_trained', None)  # found in the cache
  again, _ = found(scorer(labels='teacher'))
  assert again == made


def test_the_learners_size_is_told(scorer, own):
  made, _ = own
  assert made['learner']['parameters'] == 36 * 4 + 4 + 4 * 3 + 3
  assert made['learner']['network']['width'] == 4
  assert (made['learner']['steps'], made['learner']['batch']) == (5, 6)
  exact, _ = found(scorer(protocol='krr-ntk', network={'name': ''}))
  assert set(exact['learner'].values()) == {None}


@pytest.mark.parametrize(
  'change, said',
  [
    ({'labels': 'soft'}, r"evaluation\.labels='soft'.*own, hard, teacher"),
    ({'labels': 'teacher', 'protocol': 'krr-ntk'}, "'teacher'.*krr-ntk cannot"),
    ({'labels': 'teacher', 'others': ('frepo',)}, "'teacher'.*frepo cannot"),
    ({'teacher': {'network': 'mpl'}}, r'teacher\.network.*did you mean mlp'),
    ({'teacher': {'temperature': 0.0}}, r'temperature=0\.0: must be above 0'),
  ],
)
def test_what_cannot_be_is_refused_before_any_training(
  scorer, change, said, monkeypatch
):
  monkeypatch.setattr(real, '_trained', None)
  with pytest.raises(UserError, match=said):
    scorer(**change).check()


def test_the_usual_regime_leaves_no_trace_in_a_record(scorer):
  """Records of earlier versions name none, and mean the same."""
  plain = recipe.default('dm')
  held = loading.portable(plain)['evaluation']
  assert not {'labels', 'teacher', 'metrics'} & set(held)
  changed = loading.portable(scorer(labels='hard').config)['evaluation']
  assert changed['labels'] == 'hard' and changed['teacher']['steps'] == 12
  assert labels.named(plain) == []
