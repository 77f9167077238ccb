"""One run from data to report."""

import dataclasses
import json

import jax
import numpy as np
import pytest

from dd_jax import artifact
from dd_jax.cache import Cache
from dd_jax.data.dataset import from_arrays
from dd_jax.data.prepare import prepare
from dd_jax.platform import CPU
from dd_jax.run import inputs, pipeline, recipe
from dd_jax.run.references import References
from dd_jax.run.scoring import Scorer
from dd_jax.run.workdir import Workdir
from dd_jax.run.writers import JsonlWriter
from dd_jax.types import UserError

RESULT_FIELDS = {
  'method', 'dataset', 'images_per_class', 'stored_floats', 'stored_bytes',
  'decoded_images', 'protocol', 'selection', 'selected_step', 'test_accuracy',
  'baselines', 'other_scores', 'steps', 'seconds', 'peak_memory_bytes',
  'versions', 'seed', 'command', 'config', 'notes',
}  # fmt: skip


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch):
  """Baselines of these tests are nobody else's."""
  folder = tmp_path_factory.mktemp('cache')
  monkeypatch.setenv('DD_JAX_CACHE', str(folder))
  return folder


def toy(name='toy', shift=0):
  rng = np.random.default_rng(0)
  label = np.arange(180) % 3
  image = rng.integers(0, 120, (180, 8, 8, 1))
  image[np.arange(180), label, :] += 100
  image = (image + shift).astype(np.uint8)
  return from_arrays(
    image[:120], label[:120], image[120:], label[120:], name=name
  )


FROM_REAL = ('bptt', 'rat_bptt', 'dd', 'sldd', 'dc')
# A closed form has no NTK: its own tests score it.
METHODS = [m for m in recipe.METHODS if m != 'closed_form']


def config(name='kip', **changes):
  found = recipe.default(name)
  small = {
    'ipc': 2,
    'num_steps': 4,
    'validate_every': 2,
    'evaluation': {
      'protocol': 'krr-ntk',
      'others': ('krr-nngp',),
      'learners': 2,
      'features': 'pixels',
      'whole': 'no',
    },
  }
  recipe.update(found, small)
  if 'batch_size' in found['method']:
    recipe.update(found, {'method': {'batch_size': 32}})
  if 'width' in found.get('network', {}):
    recipe.update(found, {'network': {'width': 8, 'depth': 1}})
  few = {'pool_size': 2, 'max_age': 5, 'networks': 2}
  few = {k: v for k, v in few.items() if k in found['method']}
  recipe.update(found, {'method': few})
  if 'expert_epochs' in found['method']:
    recipe.update(found, matching())
  if name in FROM_REAL:  # four steps lead nowhere from noise
    recipe.update(found, {'parameterization': {'start': 'real'}})
    recipe.update(found, {'preprocessing': 'standardise'})
    recipe.update(found, {'optimizer': {'learning_rate': 1e-3}})
  if name == 'datadam':  # which reads a map before the last
    recipe.update(found, {'network': {'depth': 2}})
  return recipe.update(found, changes)


def matching():
  """Small sizes for methods that read experts."""
  return {
    'preprocessing': 'standardise',
    'augment': 'none',
    'network': {'width': 4, 'depth': 1},
    'optimizer': {'learning_rate': 0.1},
    'method': {'inner_steps': 2, 'expert_epochs': 1, 'max_start': 1},
    'experts': {
      'count': 2,
      'epochs': 3,
      'batch_size': 30,
      'step_size': 0.3,
      'augment': 'none',
    },
  }


def run(folder=None, settings=None, resume=False, dataset=None, **kwargs):
  workdir = Workdir(folder, resume=resume) if folder else None
  told = [JsonlWriter(folder)] if folder else []
  return pipeline.run(
    settings or config(),
    dataset=dataset or toy(),
    workdir=workdir,
    writers=told,
    **kwargs,
  )


# One of each family; every method's laws are in `contract_test`.
DAILY = ('kip', 'label_solve', 'frepo', 'dd', 'mtt', 'dm', 'dc', 'herding')


@pytest.mark.parametrize(
  'method',
  [
    pytest.param(m, marks=[] if m in DAILY else pytest.mark.slow)
    for m in METHODS
  ],
)
def test_every_method(method):
  settings = config(method)
  if method in recipe.SELECTIONS:
    recipe.update(settings, {'num_steps': 0})
  made, result = run(settings=settings)
  assert set(result) >= RESULT_FIELDS
  assert result['method'] == method
  assert result['decoded_images'] == len(made.data.image) == 6
  fixed = settings['parameterization']['labels'] == 'fixed'
  floats = 6 * 64 + (0 if fixed or method in recipe.SELECTIONS else 6 * 3)
  floats += 0 if made.data.step_size is None else made.data.step_size.size
  assert result['stored_floats'] == floats
  assert set(result['baselines']) == {'random', 'herding', 'kmeans'}
  for score in (result['test_accuracy'], *result['baselines'].values()):
    assert score['protocol'] == result['protocol'] == 'krr-ntk'
    assert 0 <= score['mean'] <= 100
    assert np.mean(score['values']) == pytest.approx(score['mean'], abs=1e-3)
  assert result['test_accuracy']['std'] is None
  assert len(result['baselines']['random']['values']) == 2
  assert list(result['other_scores']) == ['krr-nngp']
  assert json.loads(json.dumps(result, allow_nan=False)) == result
  assert result['test_accuracy']['mean'] > 50


def test_a_factorised_set(tmp_path):
  """What it stores stands beside what it decodes to; its factors load."""
  part = {'name': 'multi_formation', 'factor': 3}
  _, result = run(tmp_path / 'w', config(parameterization=part))
  assert result['stored_floats'] == 6 * 64 + 6 * 3
  assert result['stored_bytes'] == 4 * result['stored_floats']
  assert result['stored_images_per_class'] == 2
  assert result['decoded_images'] == 54
  assert 'factor=3 does not divide 8x8' in result['notes'][-1]
  held = artifact.load(tmp_path / 'w' / 'distilled.npz')
  assert held.metadata['decoder']['name'] == 'multi_formation'
  assert held.data.factors['params']['image'].shape == (6, 8, 8, 1)
  page = (tmp_path / 'w' / 'report.html').read_text()
  assert 'decoded from the storage of 2 per class' in page


def test_more_than_the_budget_is_said():
  part = {'name': 'frequency', 'keep': 8, 'images': 20}
  _, result = run(settings=config(parameterization=part))
  assert result['stored_images_per_class'] > 2
  assert 'plain images per class, more than ipc=2' in result['notes'][-1]


@pytest.fixture(scope='module')
def finished(tmp_path_factory):
  folder = tmp_path_factory.mktemp('run') / 'work'
  with pytest.MonkeyPatch.context() as patch:
    patch.setenv('DD_JAX_CACHE', str(tmp_path_factory.mktemp('cache')))
    outcome = run(folder, command=lambda changes: 'the command')
  return folder, outcome


def test_workdir(finished):
  folder, (made, result) = finished
  names = {p.name for p in folder.iterdir()}
  assert names >= {
    'distilled.npz', 'result.json', 'metrics.jsonl', 'validation.jsonl',
    'distilled.png', 'labels.png', 'curves.svg', 'report.html', 'checkpoints',
  }  # fmt: skip
  assert not any(name.startswith('.') or 'tmp' in name for name in names)
  assert json.loads((folder / 'result.json').read_text()) == result
  assert result['command'] == 'the command'
  assert set(result['seconds']) >= {'load', 'compile', 'distil', 'evaluate'}
  assert set(result['machine']) >= {'device', 'devices', 'cores', 'system'}
  assert result['machine']['schedule'] == CPU._asdict()
  assert result['machine']['precision'] == 'float32'
  assert result['resolved']['validation'] == 12
  assert result['resolved']['evaluation.steps'] == "the protocol's own"
  assert 'num_steps' not in result['resolved']
  rows = (folder / 'metrics.jsonl').read_text().splitlines()
  assert [json.loads(row)['step'] for row in rows] == [1, 2, 3, 4]
  rows = (folder / 'validation.jsonl').read_text().splitlines()
  assert [json.loads(row)['step'] for row in rows] == [2, 4]
  held = artifact.load(folder / 'distilled.npz')
  np.testing.assert_array_equal(held.data.image, made.data.image)
  assert held.metadata['config'] == result['config']


def test_a_score_says_how_sure_it_is(finished):
  """Twenty test images of each of three classes."""
  _, (_, result) = finished
  own, test = result['test_accuracy'], result['test_set']
  assert test == {'examples': 60, 'by_class': [20] * 3, 'commonest': 33.33}
  assert own['runs'] == 'exact'
  assert own['interval'][0] <= own['mean'] <= own['interval'][1]
  right = np.diag(np.array(own['confusion'])[:, :3])
  assert own['by_class'] == [pytest.approx(100 * hit / 20) for hit in right]
  assert right.sum() / 60 == pytest.approx(own['mean'] / 100, abs=1e-5)
  assert own['balanced'] == pytest.approx(own['mean'], abs=1e-3)
  random = result['baselines']['random']
  assert random['runs'] == '2 draws' and 'confusion' not in random


def test_the_artefact_names_no_machine(finished):
  folder, (made, _) = finished
  text = json.dumps(made.metadata)
  assert str(folder) not in text and 'seconds' not in text
  assert set(made.metadata['versions']) >= {'dd_jax', 'jax', 'numpy', 'python'}
  assert made.metadata['dataset']['sha256'] == toy().provenance['sha256']


def test_equal_runs_give_equal_bytes(finished, tmp_path):
  folder, _ = finished
  run(tmp_path / 'again')
  first = (folder / 'distilled.npz').read_bytes()
  assert (tmp_path / 'again' / 'distilled.npz').read_bytes() == first
  run(tmp_path / 'other', config(seed=1))
  assert (tmp_path / 'other' / 'distilled.npz').read_bytes() != first


def test_resuming_a_finished_run_gives_its_result(finished, monkeypatch):
  folder, (made, result) = finished
  monkeypatch.setattr(pipeline.driver, 'distill', None)  # nothing is computed
  before = (folder / 'result.json').stat().st_mtime_ns
  again = run(folder, resume=True)
  assert again.result == result
  np.testing.assert_array_equal(again.artifact.data.image, made.data.image)
  assert (folder / 'result.json').stat().st_mtime_ns == before


OTHERS = {
  'seed': (lambda: config(seed=3), 'config.seed was 0, now 3'),
  'ridge': (
    lambda: config(method={'ridge': 0.5}),
    'config.method.ridge was 1e-06, now 0.5',
  ),
  'method': (lambda: config('label_solve'), 'holds another run'),
}


@pytest.mark.parametrize('name', OTHERS)
def test_another_run_is_refused(finished, name):
  folder, _ = finished
  settings, words = OTHERS[name]
  before = {p: p.stat().st_mtime_ns for p in folder.rglob('*')}
  with pytest.raises(UserError) as error:
    run(folder, settings(), resume=True)
  text = str(error.value)
  assert '\n' not in text and str(folder) in text
  assert words in text
  assert {p: p.stat().st_mtime_ns for p in folder.rglob('*')} == before


def test_other_data_are_refused(finished):
  with pytest.raises(UserError, match=r'data\.sha256'):
    run(finished[0], resume=True, dataset=toy(shift=1))


def test_another_start_of_the_same_name_is_refused(finished, tmp_path):
  _, (made, _) = finished
  file, folder = tmp_path / 'start.npz', tmp_path / 'w'
  settings = config(parameterization={'start': str(file)})
  artifact.save(file, made)
  first = run(folder, settings).result
  assert run(folder, settings, resume=True).result == first
  moved = made.data._replace(image=made.data.image + 1)
  artifact.save(file, made._replace(data=moved))
  with pytest.raises(UserError, match=r'start\.sha256 was'):
    run(folder, settings, resume=True)


def test_a_full_folder_is_refused(finished):
  with pytest.raises(UserError, match=r'--resume.*--overwrite'):
    run(finished[0])


def test_a_run_refused_at_its_first_step_leaves_no_folder(tmp_path):
  """A kernel sees the images' size no earlier."""
  image = np.random.default_rng(0).integers(0, 255, (60, 4, 4, 1), np.uint8)
  label = np.arange(60) % 3
  settings = config(kernel={'name': 'conv'})
  small = from_arrays(image, label, image, label)
  with pytest.raises(UserError, match='does not fit 1x1'):
    run(tmp_path / 'w', settings, dataset=small)
  assert not (tmp_path / 'w').exists()


def test_the_test_set_is_read_at_the_end_alone(monkeypatch):
  """Distilling and choosing happen where there is no test set at all."""
  held = {}

  def without_test(dataset, name, cache):
    held['whole'] = plain_prepare(dataset, name, cache=cache)
    return held['whole']._replace(test=None)

  def score(scorer, data):
    assert scorer.prepared.test is None
    held['scored'] = True
    return plain_score(
      dataclasses.replace(scorer, prepared=held['whole']), data
    )

  plain_prepare, plain_score = inputs.prepare, pipeline.score
  monkeypatch.setattr(inputs, 'prepare', without_test)
  monkeypatch.setattr(pipeline, 'score', score)
  result = run().result
  assert held['scored']
  assert 'validation accuracy' in result['selection']
  assert 'held-out training examples' in result['selection']


def baselines(settings=None, dataset=None):
  prepared = prepare(dataset or toy(), 'standardise')
  scorer = Scorer(settings or config(), prepared, Cache())
  return scorer.baselines(jax.random.key(0))


@pytest.fixture
def chosen(monkeypatch):
  """The selections that were computed, in order."""
  asked = []
  plain = References._selection

  def counted(self, name, key):
    asked.append(name)
    return plain(self, name, key)

  monkeypatch.setattr(References, '_selection', counted)
  return asked


def test_baselines_are_paid_for_once(chosen):
  first = baselines()
  assert sorted(set(chosen)) == ['herding', 'kmeans', 'random']
  chosen.clear()
  assert baselines(config('label_solve')) == first
  assert chosen == []


OTHER_BASELINES = {
  'ipc': {'settings': config(ipc=3)},
  'ridge': {'settings': config(method={'ridge': 0.1})},
  'kernel': {'settings': config(kernel={'depth': 2})},
  'protocol': {'settings': config(evaluation={'protocol': 'krr-nngp'})},
  'learners': {'settings': config(evaluation={'learners': 3})},
  'data': {'dataset': toy(shift=1)},
  'name': {'dataset': toy('mnist')},  # `dc` augments mnist alone
}


@pytest.mark.parametrize('name', OTHER_BASELINES)
def test_other_baselines_are_not_confused(name, chosen):
  baselines()
  chosen.clear()
  baselines(**OTHER_BASELINES[name])
  assert chosen


@pytest.mark.parametrize('damage', [b'', b'{', b'[]', b'{"mean": 1}', b'\xff'])
def test_damaged_baselines_are_ignored(cache, damage, chosen):
  first = baselines()
  files = [p for p in cache.iterdir() if p.is_file()]
  assert len(files) == 3
  for file in files:
    file.write_bytes(damage)
  chosen.clear()
  assert baselines() == first
  assert chosen


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path, monkeypatch):
  (tmp_path / 'file').write_text('')
  monkeypatch.setenv('DD_JAX_CACHE', str(tmp_path / 'file'))
  assert baselines() == baselines()


WRONG = {
  'ipc': (lambda: config(ipc=0), '--ipc=0'),
  'steps': (lambda: config(num_steps=-2), '--num_steps=-2'),
  'sweep': (lambda: config('random', num_steps=-1), '--num_steps=-1'),
  'protocol': (lambda: config(evaluation={'protocol': 'cd'}), "'cd'"),
  'baseline': (lambda: config(evaluation={'baselines': ('x',)}), "'x'"),
  'learners': (lambda: config(evaluation={'learners': 0}), 'learners=0'),
  'nan': (lambda: config(method={'ridge': float('nan')}), 'ridge=nan'),
}


@pytest.mark.parametrize('name', WRONG)
def test_refused_before_anything_is_written(name, tmp_path, monkeypatch):
  monkeypatch.setattr(pipeline.driver, 'distill', None)
  settings, words = WRONG[name]
  with pytest.raises(UserError) as error:
    run(tmp_path / 'w', settings())
  assert words in str(error.value) and '\n' not in str(error.value)
  assert not (tmp_path / 'w' / 'run.json').exists()


def test_a_sweep_is_counted():
  _, result = run(settings=config('label_solve', num_steps=-1))
  # 12 of the 120 are held out for validation; 108 in batches of 32.
  assert result['steps'] == 4


TAMPERED = {
  'as it was': (lambda lines: lines, None),
  'doubled': (lambda lines: lines + lines[1:], None),
  'torn': (
    lambda lines: [lines[0], lines[1][:9] + '\n', *lines[2:]],
    'metrics.jsonl: the rows of 1 of 6 steps are lost, between step 2 and 2',
  ),
  'edited': (
    lambda lines: [lines[0].replace('"loss": ', '"loss": 1'), *lines[1:]],
    'metrics.jsonl: its rows are not all those that the run wrote',
  ),
}


@pytest.mark.parametrize('name', TAMPERED)
def test_rows_that_a_run_did_not_write_are_told(tmp_path, name):
  """A run goes on, and its report says what became of its earlier rows."""
  tamper, said = TAMPERED[name]
  folder, longer = tmp_path / 'w', config(num_steps=6)
  run(folder, config())
  path = folder / 'metrics.jsonl'
  path.write_text(''.join(tamper(path.read_text().splitlines(True))))
  notes = run(folder, longer, resume=True).result['notes']
  told = [note for note in notes if '.jsonl' in note]
  if said:
    [note] = told
    assert note.startswith(said)
    assert note.partition(':')[0] in (folder / 'report.html').read_text()
  else:
    assert told == []
    run(tmp_path / 'whole', longer)
    assert path.read_bytes() == (tmp_path / 'whole/metrics.jsonl').read_bytes()
