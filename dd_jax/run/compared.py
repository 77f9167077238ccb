"""What a comparison is made of: folders, records, suites and artefacts."""

import json
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from dd_jax import artifact
from dd_jax.artifact import Artifact
from dd_jax.report.entry import Entry, entries, over_seeds
from dd_jax.run import ledger, published, seeds
from dd_jax.run.workdir import ARTIFACT, RESULT
from dd_jax.types import UserError

_STRANGE = (
  'not what a run, a suite or `evaluate --output` writes, nor an artefact'
)

Record = dict[str, Any]


def found(name: str) -> list[Entry]:
  """The scores of what is named, published figures beside them.

  Args:
    name: a folder that `distill` wrote, of one seed or of several; a file of
      `evaluate --output`; the lines of a suite; or an artefact, which has none.

  Raises:
    UserError: it is something else.
  """
  path = pathlib.Path(name)
  if path.suffix == '.npz':
    return [_unscored(name, artifact.load(path))]
  every = [
    entry for run, record in _records(name) for entry in entries(run, record)
  ]
  return [_beside_published(over_seeds(held)) for held in _alike(every)]


def image(name: str) -> dict[str, np.ndarray]:
  """The images of what is named, where the set lies beside it.

  Returns:
    uint8 `[k, n, h, w, c]` by run, of each its first seed: n images of each of
    k classes; of a set that has no such form, all in one column.
  """
  held: dict[str, np.ndarray] = {}
  for run, path in _artifacts(pathlib.Path(name)):
    if run not in held and path.exists():
      held[run] = _by_class(artifact.load(path))
  return held


def failures(name: str) -> list[str]:
  """A line for each cell of a suite that failed."""
  if pathlib.Path(name).suffix != '.jsonl':
    return []
  lines = ledger.read(pathlib.Path(name))
  return [f'{x["cell"]}: failed: {x["error"]}' for x in lines if 'error' in x]


def _alike(every: Sequence[Entry]) -> Iterator[list[Entry]]:
  """Entries that differ in the seed of distilling alone, together."""
  groups: dict[tuple[Any, ...], list[Entry]] = {}
  for entry in every:
    same = (entry.run, entry.kind, entry.network)
    groups.setdefault(same, []).append(entry)
  return iter(groups.values())


def _records(name: str) -> list[tuple[str, Record]]:
  """What is named, by what it is called; one for each network and seed."""
  path, run = pathlib.Path(name), name.rstrip('/')
  if path.suffix == '.jsonl':
    lines = [line for line in ledger.read(path) if 'error' not in line]
    return [
      (_without_seed(line), record)
      for line in lines
      for _, record in _by_network(name, line)
    ]
  if (path / seeds.FILE).exists():
    folders = _read(path / seeds.FILE, name)['folders']
    return [
      (run, _checked(name, _read(path / folder / RESULT, name)))
      for folder in folders
    ]
  held = _read(path / RESULT if path.is_dir() else path, name)
  if 'networks' not in held:
    return [(run, _checked(name, held))]
  return [
    (f'{run}, {network}', record) for network, record in _by_network(name, held)
  ]


def _by_network(name: str, held: Record) -> Iterator[tuple[str, Record]]:
  try:
    scores = held['networks'].items()
  except (KeyError, AttributeError):
    raise UserError(f'{name}: {_STRANGE}') from None
  for network, own in scores:
    yield network, _checked(name, {**held, **own, 'network': network})


def _artifacts(path: pathlib.Path) -> Iterator[tuple[str, pathlib.Path]]:
  """Where the sets lie, by the name of the run."""
  if path.suffix == '.npz':
    yield str(path), path
  elif path.suffix == '.jsonl':
    for line in ledger.read(path):
      if 'artifact' in line:
        yield _without_seed(line), path.parent / line['artifact']['file']
  elif path.is_dir():
    for folder in (path, *sorted(path.glob(seeds.folder('*')))):
      yield str(path), folder / ARTIFACT


def _without_seed(line: Mapping[str, Any]) -> str:
  return str(line['cell']).removesuffix(f'_{line["seed"]}')


def _by_class(held: Artifact) -> np.ndarray:
  pixels, classes = held.image_uint8, held.data.label.shape[1]
  if len(pixels) % classes:
    return pixels[:, None]
  return pixels.reshape(classes, -1, *pixels.shape[1:])


def _unscored(name: str, held: Artifact) -> Entry:
  """An artefact's row: what it is, not how good."""
  meta = held.metadata
  budget = meta.get('budget', {})
  return Entry(
    name,
    meta.get('method'),
    meta.get('dataset', {}).get('name'),
    meta.get('ipc'),
    '',
    {},
    None,
    (),
    None,
    budget.get('stored_bytes', held.data.image.nbytes),
    None,
    by_class=tuple(meta.get('images_by_class', ())),
  )


def _beside_published(entry: Entry) -> Entry:
  method, data, ipc = entry.method, entry.data, entry.ipc
  if not (method and data and ipc):
    return entry
  known = published.figure(method, data, ipc, entry.protocol)
  return entry._replace(published=known)


def _read(path: pathlib.Path, name: str) -> Record:
  try:
    return dict(json.loads(path.read_text()))
  except FileNotFoundError:
    raise UserError(
      f'{name}: no {RESULT} there; is the run finished?'
    ) from None
  except (ValueError, TypeError):
    raise UserError(f'{name}: {_STRANGE}') from None


def _checked(name: str, held: Record) -> Record:
  try:
    known = held['test_accuracy']['mean'] >= 0 and held['protocol']
  except (KeyError, TypeError):
    known = False
  if not known:
    raise UserError(f'{name}: {_STRANGE}')
  return held
