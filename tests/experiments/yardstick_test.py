"""NumPy's product, whatever the environment asks of its library."""

import subprocess

import jax

from experiments import benchmark
from experiments.benchmarks import yardstick


def test_nothing_chooses_its_kernel(monkeypatch):
  given, run = [], subprocess.run

  def noted(*args, **kwargs):
    given.append(kwargs['env'])
    return run(*args, **kwargs)

  monkeypatch.setenv('OPENBLAS_CORETYPE', 'Prescott')
  monkeypatch.setenv('OPENBLAS_L2_SIZE', '1')
  monkeypatch.setattr(subprocess, 'run', noted)
  found = yardstick.yardstick()
  assert found.gflops > 1 and found.kernel != 'Prescott'
  [environment] = given
  assert not [name for name in environment if name.startswith('OPENBLAS')]
  assert 'PATH' in environment


def test_a_share_above_one_is_refused(monkeypatch, capsys):
  benchmark.FLAGS(['benchmark', '--cores=1'])
  found = yardstick.Yardstick(100.0, 'Zen')
  monkeypatch.setattr(benchmark, 'yardstick', lambda threads: found)
  rows = [
    benchmark._measured('x', lambda g=g: {'gflops': g}) for g in (50.0, 150.0)
  ]
  assert rows[0]['share_of_yardstick'] == 0.5
  assert 'refused' in rows[1]['share_of_yardstick']
  assert rows[0]['yardstick_kernel'] == 'Zen'
  assert jax.devices()[0].device_kind in capsys.readouterr().out
