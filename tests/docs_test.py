"""The documentation: what its pages show runs, and nothing is left out."""

import doctest
import importlib
import pathlib
import re
import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import dd_jax
from dd_jax import artifact
from dd_jax.artifact import Artifact
from dd_jax.data import fitting
from dd_jax.evaluation.protocols import PROTOCOLS
from dd_jax.kernels import KERNELS
from dd_jax.methods import METHODS
from dd_jax.methods.selection import SELECTIONS
from dd_jax.networks import NETWORKS
from dd_jax.parameterization import PARAMETERIZATIONS, STARTS
from dd_jax.recipes import FOLDER
from dd_jax.run import fields, network_file, recipe
from dd_jax.run.parts import Setting, build, build_kernel, build_network
from dd_jax.types import DistilledData

ROOT = pathlib.Path(__file__).parents[1]
DOCS = ROOT / 'docs'
BLOCK = re.compile(r'^```(python|pycon)\n(.*?)^```', re.DOTALL | re.MULTILINE)
PAPER = re.compile(r'\[(arXiv [\d.]+)\]\([^)]*\)')
LINK = re.compile(r'\]\(([\w./-]+\.\w+)(?:#[\w-]+)?\)')
# `api_test` runs the first page.
SHOWN = [
  page
  for page in sorted(DOCS.glob('*.md'))
  if page.stem != 'start' and BLOCK.search(page.read_text('utf-8'))
]


EXAMPLES = (
  'moments', 'critic', 'network', 'protocol', 'parameterization', 'kernel',
  'selection',
)  # fmt: skip
LAWS = re.findall(
  r'^def (test_\w+)', (DOCS / 'examples' / 'laws.py').read_text(), re.MULTILINE
)


def ours(name):
  """A module of the site's own, which needs no Sphinx."""
  folder = str(DOCS / '_ext')
  if folder not in sys.path:
    sys.path.append(folder)
  return importlib.import_module(name)


def stem(page):
  return page.stem


def made_set(preprocessing='standardise'):
  """A distilled set of six images, as `pipeline` would make it."""
  rng = np.random.default_rng(0)
  real = rng.integers(0, 256, (50, 4, 4, 1), np.uint8)
  fitted = fitting.fit(preprocessing, real, dataset='noise')
  image = np.asarray(fitted.apply(jnp.asarray(real[:6])))
  label = np.eye(3, dtype=np.float32)[[0, 0, 1, 1, 2, 2]]
  data = DistilledData(image, label)
  metadata = {'class_names': ['a', 'b', 'c'], 'label_encoding': 'one-hot'}
  return Artifact(data, fitted, real[:6], metadata), real


def run_page(page):
  """Runs the blocks of a page, one after the other; gives what they define."""
  found: dict[str, object] = {}
  for language, text in BLOCK.findall(page.read_text('utf-8')):
    if language == 'python':
      exec(compile(text, str(page), 'exec'), found)
    else:
      example = doctest.DocTestParser().get_doctest(
        text, found, page.name, str(page), 0
      )
      runner = doctest.DocTestRunner(verbose=False)
      runner.run(example, clear_globs=False)
      assert not runner.summarize().failed
      found.update(example.globs)
  return found


@pytest.mark.parametrize('page', SHOWN, ids=stem)
def test_a_page_runs(page, tmp_path, monkeypatch):
  monkeypatch.chdir(tmp_path)
  made, real = made_set()
  artifact.save('distilled.npz', made)
  np.save('pixels.npy', real)
  run_page(page)


WITHOUT = """
import re, sys
for name in ('jax', 'jaxlib', 'flax', 'optax', 'dd_jax'):
  sys.modules[name] = None
blocks = re.findall(r'```python\\n(.*?)```', sys.stdin.read(), re.DOTALL)
exec('\\n'.join(b for b in blocks if 'dd_jax.' not in b))
back = 255 * to_pixels(image)
found = {
  'white': to_model_space(pixels), 'again': to_model_space(back),
  'regression': targets, 'classes': classes, 'predicted': predicted,
}
np.savez('found.npz', **found)
"""


@pytest.mark.parametrize('preprocessing', ['standardise', 'kip', 'kornia'])
def test_the_page_on_the_artefact_needs_neither_jax_nor_the_package(
  preprocessing, tmp_path
):
  """In a process that can import neither, all of it as the package does it."""
  made, real = made_set(preprocessing)
  artifact.save(tmp_path / 'distilled.npz', made)
  np.save(tmp_path / 'pixels.npy', real)
  done = subprocess.run(
    [sys.executable, '-c', WITHOUT],
    input=(DOCS / 'artefact.md').read_text('utf-8'),
    cwd=tmp_path,
    capture_output=True,
    text=True,
    check=False,
  )
  assert done.returncode == 0, done.stderr
  held = artifact.load(tmp_path / 'distilled.npz')
  white = np.asarray(held.preprocessing.apply(jnp.asarray(real)))
  expected = {
    'white': white,
    'again': held.data.image,
    'regression': held.targets('regression'),
    'classes': held.targets('classes'),
  }
  with np.load(tmp_path / 'found.npz') as found:
    for name, value in expected.items():
      np.testing.assert_allclose(found[name], value, rtol=1e-3, atol=1e-3)
    # Real images that the set holds belong to their own class.
    np.testing.assert_array_equal(found['predicted'][:6], [0, 0, 1, 1, 2, 2])


@pytest.mark.slow
@pytest.mark.parametrize('encoding', ['one-hot', 'centred'])
def test_pytorch_reads_the_artefact(encoding, tmp_path, monkeypatch):
  """Images and labels as they are, and real images meet them."""
  pytorch = pytest.importorskip('torch')
  made, real = made_set()
  made.metadata['label_encoding'] = encoding
  artifact.save(tmp_path / 'distilled.npz', made)
  monkeypatch.chdir(tmp_path)
  found: dict[str, object] = {}
  exec((DOCS / 'examples' / 'pytorch_reader.py').read_text('utf-8'), found)
  image = found['image'].permute(0, 2, 3, 1).numpy()
  np.testing.assert_array_equal(image, made.data.image)
  np.testing.assert_array_equal(found['target'].numpy(), made.data.label)
  pixels = pytorch.from_numpy(real[:6] / 255).permute(0, 3, 1, 2)
  seen = found['to_model_space'](pixels).permute(0, 2, 3, 1).numpy()
  np.testing.assert_allclose(seen, made.data.image, atol=1e-5)
  assert found['loss_of'](found['target'], found['target']).isfinite()


def test_the_page_on_the_artefact_names_every_array(tmp_path):
  page = (DOCS / 'artefact.md').read_text('utf-8')
  artifact.save(tmp_path / 'a.npz', made_set('kip')[0])
  with np.load(tmp_path / 'a.npz') as file:
    names = {*file.files, *DistilledData._fields} - {'factors'}
  assert [n for n in sorted(names) if f'`{n}`' not in page] == []


def test_every_field_is_described():
  assert set(fields.FIELDS) == set(fields.flat(recipe.COMMON))
  assert 'krr-nngp' in fields.described('evaluation.protocol')


REGISTRIES = {
  'methods': METHODS,
  'networks': NETWORKS,
  'kernels': KERNELS,
  'parameterizations': PARAMETERIZATIONS,
  'protocols': PROTOCOLS,
}


@pytest.fixture(scope='module')
def parts():
  return ours('catalogue').parts()


@pytest.mark.parametrize('part', REGISTRIES)
def test_every_name_has_its_section(parts, part):
  found = re.findall(r'^## (.*)$', parts[part], re.MULTILINE)
  assert found == list(REGISTRIES[part])


def test_every_start_and_default_is_shown(parts):
  assert all(f'`{name}`' in parts['starts'] for name in STARTS)
  assert '`method.batch_size` | int | `5000` | real images' in parts['methods']
  assert '`optimizer.learning_rate` | `0.04`' in parts['methods']


@pytest.mark.parametrize('folder', ['', 'published'])
def test_every_recipe_is_shown_as_it_stands(parts, folder):
  shown = PAPER.sub(r'\1', parts[folder or 'recipes'])
  files = [
    path
    for path in sorted((FOLDER / folder).glob('*.py'))
    if path.name[0] != '_'
  ]
  found = re.findall(r'^## (.*)$', shown, re.MULTILINE)
  assert found == [path.stem for path in files]
  for path in files:
    dots = '.'.join(path.relative_to(ROOT).with_suffix('').parts)
    text = importlib.import_module(dots).__doc__
    figures = re.findall(r'^ {4}.*$', text, re.MULTILINE)
    assert figures and all(line in shown for line in figures)
    assert 'Cost' not in text or text[text.index('Cost') :].strip() in shown


def test_published_settings_are_those_of_the_file(parts):
  sections = parts['published'].split('(published-')
  [mtt] = [text for text in sections if text.startswith('mtt)=')]
  [row] = re.findall(r'^\| cifar10 \| 1 \| .*$', mtt, re.MULTILINE)
  assert '`kornia`' in row and '`100.0`' in row


def test_every_module_is_on_one_page_of_the_api():
  api = ours('api')
  named = re.findall(r'automodule:: (\S+)', '\n'.join(api.pages().values()))
  assert sorted(named) == sorted(api.modules())


@pytest.fixture
def examples(monkeypatch):
  """The registered examples, by name; afterwards no registry knows them."""
  monkeypatch.syspath_prepend(DOCS / 'examples')
  registries = [*REGISTRIES.values(), SELECTIONS]
  before = [dict(registry) for registry in registries]
  yield {name: fresh_import(name) for name in EXAMPLES}
  for registry, held in zip(registries, before, strict=True):
    registry.clear()
    registry.update(held)


def fresh_import(name):
  sys.modules.pop(name, None)
  return importlib.import_module(name)


def test_the_examples_are_parts_like_any_other(examples, tmp_path, monkeypatch):
  """Three of them in one run; of the others, that a run would find them."""
  monkeypatch.setenv('DD_JAX_CACHE', str(tmp_path))
  changes = {
    'num_steps': 2,
    'validate_every': 0,
    'network': {'name': 'linear_net'},
    'parameterization': {'name': 'mirrored'},
    'method': {'batch_size': 8},
    'evaluation': {'protocol': 'nearest', 'baselines': ()},
  }
  made, result = dd_jax.distill(
    dd_jax.load_dataset('digits'),
    method='moments',
    ipc=1,
    config=changes,
    progress=False,
  )
  assert made.data.image.shape == (20, 8, 8, 1)
  assert result['protocol'] == 'nearest' and result['stored_floats'] == 640
  assert result['test_accuracy']['mean'] > 30
  assert 'central' in METHODS and 'central' in SELECTIONS
  kernel = build_kernel(
    {'name': 'gauss', 'get': 'nngp', 'width': 1.0},
    Setting((8, 8, 1), 10),
  )
  assert kernel(made.data.image, None).shape == (20, 20)


def test_the_example_of_a_recipe(examples):
  config = fresh_import('digits_moments').get_config(3).to_dict()
  assert config['ipc'] == 3 and config['method']['name'] == 'moments'
  build(config, Setting((8, 8, 1), 10))


def test_the_example_of_a_classifier(examples):
  file = DOCS / 'examples' / 'classifier.py'
  name = network_file.name('--network', f'{file}:perceptron')
  section = {'name': name, 'width': 8}
  network = build_network(section, Setting((4, 8, 1), 10))
  variables = jax.eval_shape(network.init, jax.random.key(0))
  assert variables['params']['hidden']['kernel'].shape == (32, 8)


@pytest.mark.slow
@pytest.mark.parametrize('law', LAWS)
def test_the_examples_keep_the_laws(examples, law):
  getattr(fresh_import('laws'), law)()


def test_the_pages_show_every_example():
  pages = (DOCS / f'{name}.md' for name in ('extending', 'artefact'))
  text = ''.join(page.read_text('utf-8') for page in pages)
  shown = re.findall(r'examples/(\w+)\.py', text)
  files = {path.stem for path in DOCS.glob('examples/*.py')}
  others = {'classifier', 'digits_moments', 'laws', 'pytorch_reader'}
  assert set(shown) == files == {*EXAMPLES, *others}


def test_docstrings_become_what_sphinx_reads():
  to_rst = ours('docstrings').to_rst
  text = (
    'Says `a`, ±`b`s and `run.recipe.default`.\n'
    '\n'
    '| name | what |\n'
    '|---|---|\n'
    '| `x` | |\n'
    '\n'
    'A picture:\n'
    '\n'
    '  a -> `b`\n'
    '\n'
    '.. math:: a_b\n'
    '  = c\n'
    '\n'
    'Args:\n'
    '  a: `[n]`, of :math:`x`.\n'
  )
  assert '\n'.join(to_rst(text.splitlines())) == (
    'Says ``a``, ±\\ ``b``\\ s and '
    ':py:obj:`run.recipe.default <dd_jax.run.recipe.default>`.\n'
    '\n'
    '\n'
    '.. list-table::\n'
    '   :header-rows: 1\n'
    '\n'
    '   * - name\n'
    '     - what\n'
    '   * - ``x``\n'
    '     -\n'
    '\n'
    '\n'
    'A picture:\n'
    '\n'
    '::\n'
    '\n'
    '  a -> `b`\n'
    '\n'
    '.. math:: a_b\n'
    '  = c\n'
    '\n'
    'Args:\n'
    '  a: ``[n]``, of :math:`x`.'
  )


@pytest.mark.parametrize(
  'page',
  [ROOT / 'README.md', ROOT / 'BUILD.md', *sorted(DOCS.glob('*.md'))],
  ids=stem,
)
def test_links_lead_somewhere(page):
  for link in LINK.findall(page.read_text('utf-8')):
    assert (page.parent / link).exists(), link
