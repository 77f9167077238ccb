"""The notebook: its two files agree, and it runs from top to bottom."""

import pathlib
import re

import jax
import pytest

FOLDER = pathlib.Path(__file__).parents[1] / 'experiments/colab'
jupytext = pytest.importorskip('jupytext')
nbclient = pytest.importorskip('nbclient')


def cells(notebook) -> list[tuple[str, str]]:
  return [(cell.cell_type, cell.source) for cell in notebook.cells]


def test_the_notebook_is_its_source_without_outputs():
  source = jupytext.read(FOLDER / 'quickstart.py')
  notebook = jupytext.read(FOLDER / 'quickstart.ipynb')
  assert cells(notebook) == cells(source), (
    'run: jupytext --to ipynb experiments/colab/quickstart.py'
  )
  assert not any(cell.get('outputs') for cell in notebook.cells)


def test_it_runs_at_a_tiny_size(tmp_path, monkeypatch):
  monkeypatch.setenv('JAX_PLATFORMS', 'cpu')
  monkeypatch.setenv('PYTHONPATH', str(FOLDER.parents[1]))
  monkeypatch.setenv('DD_JAX_CACHE', str(tmp_path / 'cache'))
  monkeypatch.setenv('IPYTHONDIR', str(tmp_path / 'ipython'))
  notebook = jupytext.read(FOLDER / 'quickstart.ipynb')
  (parameters,) = (
    c for c in notebook.cells if 'parameters' in c.metadata.get('tags', ())
  )
  parameters.source = re.sub(r'= \d+', '= 5', parameters.source)
  client = nbclient.NotebookClient(
    notebook, timeout=600, resources={'metadata': {'path': str(tmp_path)}}
  )
  client.execute()
  outputs = [o for c in notebook.cells for o in c.get('outputs', ())]
  assert sum('image/png' in o.get('data', {}) for o in outputs) == 3
  shown = [o['data']['text/html'] for o in outputs if 'text/html' in str(o)]
  assert len(shown) == 2 and all('srcdoc=' in page for page in shown)
  printed = ''.join(o.get('text', '') for o in outputs)
  assert '% under krr-ntk' in printed and 'distilled images: ' in printed
  assert f'cpu 0: {jax.devices("cpu")[0].device_kind}' in printed
  assert (tmp_path / 'distilled.npz').exists()
  assert (tmp_path / 'runs/quickstart/kip_1_5/report.html').exists()
