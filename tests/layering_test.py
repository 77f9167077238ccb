"""Who may import what: the floors of the package, and what stays outside."""

import ast
import pathlib
import subprocess
import sys
from collections.abc import Iterator

import pytest

ROOT = pathlib.Path(__file__).parents[1]
PACKAGE = ROOT / 'dd_jax'

# Lowest first. A module imports from its own floor and from those below.
FLOORS = (
  'program',
  'version',
  'types',
  'platform',
  'checks',
  'files',
  'cache',
  'derivatives',
  'data',
  'augment',
  'networks',
  'kernels',
  'losses',
  'training',
  'unroll',
  'models',
  'experts',
  'parameterization',
  'distiller',
  'methods',
  'report',
  'artifact',
  'concatenation',
  'released',
  'exports',
  'evaluation',
  # Clocks, files, signals, flags: no pure module imports these.
  'run.rows',
  'run.workdir',
  'run.answer',
  'run.interrupt',
  'run.precision',
  'run.machine',
  'run.checkpoint',
  'run.pace',
  'run.writers',
  'run.export',
  'run.result',
  'run.watch',
  'run.stages',
  'run.chunk',
  'run.placement',
  'run.saved',
  'run.input_pipeline',
  'run.loop',
  'run.driver',
  'run.registries',
  'run.fields',
  'run.recipe',
  'run.counts',
  'run.loading',
  'run.resolved',
  'run.whole',
  'run.labels',
  'run.limits',
  'run.memory',
  'run.lengthen',
  'run.parts',
  'run.experts',
  'run.invariances',
  'run.judge',
  'run.schooling',
  'run.metrics',
  'run.score_bar',
  'run.examiner',
  'run.references',
  'run.scoring',
  'run.record',
  'run.costs',
  'run.probe',
  'run.afford',
  'run.plan',
  'run.estimate',
  'run.stopwatch',
  'run.inputs',
  'run.packaged',
  'run.outcome',
  'run.pipeline',
  'recipes',
  'run.unknown',
  'run.overview',
  'run.settings',
  'run.resume',
  'run.seeds',
  'run.grid',
  'run.cell',
  'run.ledger',
  'run.ranking',
  'run.published',
  'run.compared',
  'register',
  'run.compiled',
  'run.network_file',
  'run.help_text',
  'run.text_table',
  'run.metric_table',
  'run.command_line',
  'run.network_table',
  'run',
  'api',
  'run.commands',
  'run.main',
  'testing',
  '__main__',
  '__init__',
)

# Where an import is allowed, for those that are not allowed everywhere. The
# neural-tangents adapter lends names to another package's import: our own code
# touches jax's internals in one file.
ONLY_IN = {
  'absl.app': (),
  'absl.flags': ('run/command_line.py', 'run/help_text.py', 'run/commands/'),
  'experiments': (),
  'jax._src': (),
  'jaxlib': (),
  # The second asks whether a state goes through plain Orbax.
  'orbax': ('run/checkpoint.py', 'testing/programs.py'),
  # The second only writes, by the names of its codes.
  'pickle': ('data/torch_file.py', 'data/torch_writer.py'),
  'tensorflow': (),
  'torch': (),
  'jax.extend': ('networks/convolution.py', 'kernels/neural_tangents.py'),
  'jax.interpreters': ('networks/convolution.py', 'kernels/neural_tangents.py'),
}

FILES = sorted(PACKAGE.rglob('*.py'))
SCRIPTS = sorted((ROOT / 'experiments').rglob('*.py'))


def name(path: pathlib.Path) -> str:
  return path.relative_to(PACKAGE).as_posix()


def imported(path: pathlib.Path) -> Iterator[str]:
  """Full names, `a.b.c` for `from a.b import c`; also import_module('a')."""
  for node in ast.walk(ast.parse(path.read_text('utf-8'))):
    if isinstance(node, ast.Import):
      yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
      assert node.level == 0, f'{path}: relative import; write it in full'
      yield from (f'{node.module}.{alias.name}' for alias in node.names)
    elif isinstance(node, ast.Call) and node.args:
      function, first = node.func, node.args[0]
      called = getattr(function, 'attr', getattr(function, 'id', ''))
      if called in ('import_module', '__import__') and isinstance(
        first, ast.Constant
      ):
        yield str(first.value)


def within(module: str, parent: str) -> bool:
  return module == parent or module.startswith(f'{parent}.')


def floor(module: str) -> int:
  """That of a full name; of what the package itself names, the top."""
  parts = module.split('.')[1:]
  for place in ('.'.join(parts[:2]), *parts[:1]):
    if place in FLOORS:
      return FLOORS.index(place)
  return FLOORS.index('__init__')


def place(path: pathlib.Path) -> str:
  """The full name of a file's module; of a folder's `__init__`, the folder."""
  parts = path.relative_to(ROOT).with_suffix('').parts
  return '.'.join(part for part in parts if part != '__init__')


def floor_of_file(path: pathlib.Path) -> int:
  return floor(place(path))


def test_every_file_has_a_floor():
  top = FLOORS.index('__init__')
  homeless = [name(path) for path in FILES if floor_of_file(path) == top]
  assert homeless == ['__init__.py']
  for path in PACKAGE.joinpath('run').glob('[a-z]*.py'):
    assert f'run.{path.stem}' in FLOORS, f'{name(path)}: give it a floor'


@pytest.mark.parametrize('path', FILES, ids=name)
def test_imports_come_from_below(path):
  here = floor_of_file(path)
  for module in imported(path):
    if within(module, 'dd_jax'):
      assert floor(module) <= here, f'{name(path)} imports {module} from above'


@pytest.mark.parametrize('path', FILES, ids=name)
def test_guarded_packages_stay_in_their_file(path):
  for module in imported(path):
    for parent, places in ONLY_IN.items():
      if within(module, parent):
        allowed = name(path).startswith(places)
        assert allowed, f'{name(path)} imports {module}'


@pytest.mark.parametrize('path', SCRIPTS, ids=lambda path: path.name)
def test_binaries_import_no_other_framework(path):
  for module in imported(path):
    for parent in ('tensorflow', 'torch', 'pickle', 'jax._src'):
      assert not within(module, parent), f'{path.name} imports {module}'


def test_no_file_that_is_read_can_run_code():
  for path in FILES + SCRIPTS:
    for node in ast.walk(ast.parse(path.read_text('utf-8'))):
      if isinstance(node, ast.keyword) and node.arg == 'allow_pickle':
        refused = isinstance(node.value, ast.Constant) and not node.value.value
        assert refused, f'{path}:{node.value.lineno}: allow_pickle'


def test_importing_the_package_brings_no_other_framework():
  code = (
    'import sys, dd_jax\n'
    "heavy = ('tensorflow', 'torch', 'matplotlib', 'neural_tangents')\n"
    'print([m for m in heavy if m in sys.modules])'
  )
  done = subprocess.run(
    [sys.executable, '-c', code],
    capture_output=True,
    text=True,
    check=True,
    cwd=ROOT,
  )
  assert done.stdout.strip() == '[]'


def test_the_checks_catch_what_they_forbid(tmp_path):
  file = tmp_path / 'bad.py'
  file.write_text(
    'import os.path\n'
    'from jax.interpreters import ad\n'
    'import importlib\n'
    "importlib.import_module('tensorflow')\n"
  )
  assert set(imported(file)) == {
    'os.path',
    'importlib',
    'jax.interpreters.ad',
    'tensorflow',
  }
  assert floor('dd_jax.run.driver') > floor('dd_jax.types.Key')
  assert floor('dd_jax.data.load') > floor('dd_jax.types')
