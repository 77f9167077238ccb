"""The commands that only tell: list, doctor, completion, help, version."""

import importlib.metadata
import subprocess
import sys

import pytest

from dd_jax import recipes
from dd_jax.methods import METHODS
from dd_jax.run import command_line, commands, fields, main, overview, recipe
from dd_jax.run.commands import doctor
from dd_jax.version import VERSION


def asked(monkeypatch, capfd, *arguments: str) -> tuple[str, str]:
  """What `dd-jax ARGUMENTS` prints, and the error that it ends with."""
  ends: list[str] = []
  monkeypatch.setattr('sys.argv', ['dd-jax', *arguments])
  monkeypatch.setattr(command_line, '_leave', lambda text, _: ends.append(text))
  main.main()
  return capfd.readouterr().out, ''.join(ends)


@pytest.fixture
def dd_jax(monkeypatch, capfd):
  return lambda *arguments: asked(monkeypatch, capfd, *arguments)


@pytest.mark.parametrize('arguments', [(), ('-h',), ('--help',)])
def test_the_program_names_its_commands(dd_jax, arguments):
  out, error = dd_jax(*arguments)
  assert all(f'  {name} ' in out for name in commands.COMMANDS) and not error


@pytest.mark.parametrize('name', commands.COMMANDS)
def test_every_command_has_help_and_a_version(dd_jax, name):
  out, error = dd_jax(name, '--help')
  assert out.startswith(f'usage: dd-jax {name} ') and '--[no]quiet' in out
  assert not error and max(map(len, out.splitlines())) <= 80
  assert dd_jax(name, '--version')[0].startswith(f'dd_jax {VERSION} (jax ')


@pytest.mark.parametrize(
  ('arguments', 'words'),
  [
    (('distil',), "command='distil': unknown (did you mean distill?)"),
    (('list', 'recipe'), "KIND='recipe': unknown (did you mean recipes?)"),
    (('list', 'methods', 'kipp'), 'did you mean kip?'),
    (('list', 'methods', 'kip', 'more'), 'more: is no flag'),
    (('doctor', '--config.ipc=1'), '--config.ipc: unknown flag'),
    (('completion', 'fish'), "SHELL='fish': unknown"),
    (('evaluate', '--artefact=x'), 'did you mean --artifact?'),
  ],
)
def test_mistakes_are_one_line(dd_jax, arguments, words):
  out, error = dd_jax(*arguments)
  assert not out and words in error and '\n' not in error


def test_every_name_of_every_kind_has_a_line_and_a_page():
  kinds = overview.kinds()
  assert list(kinds['methods']) == list(METHODS)
  assert list(kinds['recipes']) == recipes.names()
  for kind, names in kinds.items():
    lines = overview.lines(kind)
    assert len(lines) == len(list(names))
    for name, line in zip(names, lines, strict=True):
      assert line.startswith(name) and len(line) > len(name) + 2, line
      assert ''.join(overview.detail(kind, name)).strip()


@pytest.mark.parametrize('method', METHODS)
def test_every_field_of_a_method_says_what_it_is(method):
  config = recipe.default(method)
  shown = overview.detail('methods', method)[2:]
  held = fields.flat(config)
  assert len(shown) == len(held)
  for line, (name, value) in zip(shown, held.items(), strict=True):
    assert line.startswith(f'{name} ({fields.kind(value)})')
    assert f'= {fields.text(value)}'.rstrip() in line


def test_all_kinds_are_listed_with_their_names(dd_jax):
  out, error = dd_jax('list')
  assert not error and max(map(len, out.splitlines())) <= 80
  for kind, names in overview.kinds().items():
    assert f'{kind}: ' in out and all(name in out for name in names)


def test_a_recipe_shows_its_figures_and_its_cost(dd_jax):
  out, _ = dd_jax('list', 'recipes', 'published/dc')
  assert 'cifar10       | 28.3 | 44.9 | 53.9' in out and 'Cost at 1' in out


def test_doctor_makes_a_step(dd_jax, monkeypatch, tmp_path):
  monkeypatch.setenv('DD_JAX_CACHE', str(tmp_path / 'none'))
  out, error = dd_jax('doctor')
  assert f'dd_jax {VERSION}, jax ' in out and 'devices: cpu 0' in out
  assert f'cache: {tmp_path}/none (not made yet)' in out
  assert 'a tiny step: works' in out and not error


def test_an_extra_of_a_package_is_what_it_asks_for(monkeypatch):
  """`jax[cuda13]` is not here because jax is."""
  wanted = {
    'dd_jax': ['jax>=1', 'jax[cuda13]>=1; extra == "cuda"', 'a; extra == "b"'],
    'jax': ['jax-plugin[x]<=2; extra == "cuda13"', 'y; extra == "z"'],
  }
  held = {'jax': '1.0', 'a': '2.0'}

  def version(name):
    if name not in held:
      raise importlib.metadata.PackageNotFoundError(name)
    return held[name]

  monkeypatch.setattr(importlib.metadata, 'requires', wanted.get)
  monkeypatch.setattr(importlib.metadata, 'version', version)
  assert list(doctor.extras()) == [
    'extra cuda: jax-plugin is not installed',
    'extra b: a 2.0',
  ]


@pytest.mark.skipif(sys.platform == 'win32', reason='no bash')
def test_bash_completes_with_the_script(dd_jax):
  script, _ = dd_jax('completion', 'bash')

  def completed(*words: str) -> list[str]:
    typed = ' '.join(f"'{word}'" for word in words)
    tried = (
      f'{script}\nCOMP_WORDS=({typed}); COMP_CWORD={len(words) - 1}; _dd_jax\n'
      'echo "${COMPREPLY[@]}"'
    )
    done = subprocess.run(
      ['bash', '-c', tried], capture_output=True, text=True, check=True
    )
    return done.stdout.split()

  assert completed('dd-jax', 'dis') == ['distill']
  assert completed('dd-jax', 'distill', '--res') == ['--resume']
  assert completed('dd-jax', 'experts', '--st') == ['--store=']
  assert completed('dd-jax', 'list', 'rec') == ['recipes']
  zsh, _ = dd_jax('completion', 'zsh')
  assert zsh.endswith(script) and 'bashcompinit' in zsh
