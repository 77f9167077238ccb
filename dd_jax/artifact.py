"""The portable distilled set: one `.npz`, readable with NumPy alone.

| key | what |
|---|---|
| `image` | float32 `[n, h, w, c]`, in model space |
| `image_uint8` | uint8, the same, for looking at |
| `label` | float32 `[n, k]`, in the encoding that the metadata names |
| `step_size`, `temperature` | what a learner must also know, where learned |
| `num_steps`, `init_seed` | the same |
| `factor/*` | what a factorised set decodes from, see `decoder` |
| `start_image_uint8` | uint8: what the images started from |
| `preprocess_*` | the fitted preprocessing, see `data.packing` |
| `metadata` | JSON: method, data, class names, budget, config, seed, versions |

`save` adds to the metadata what it knows of the arrays: `loss`, the one that
goes with the labels, and `pixels`, the range of the images in units of the data
(see `data.shown`).

`parts` in the metadata, where there is any, are those of other packages that
the set was made with: `{'KIND NAME': package}`.

A factorised set stores its factors beside the images that they decode to. The
metadata's `decoder` has the name and the settings of a parameterization, so
that `decode` can make the images again; `load` checks that it does.

It holds no path, date, duration or host: two equal runs give equal bytes.
"""

import hashlib
import inspect
import io
import json
import pathlib
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import numpy as np

from dd_jax import report
from dd_jax.data import packing, targets
from dd_jax.data.preprocess import Preprocessing
from dd_jax.data.shown import Shown, shown
from dd_jax.files import ARCHIVE, kind, reason, write_atomically
from dd_jax.parameterization import PARAMETERIZATIONS, Parameterization
from dd_jax.types import DistilledData, UserError

FORMAT = 'dd_jax/1'
_PREFIX = 'preprocess_'
_FACTOR = 'factor/'
_DERIVED = ('loss', 'pixels')  # by `save`, from the arrays
_FRAME = 560  # pixels of a notebook that a set takes
_CLOSE = 1e-3  # of decoded images, by another machine: of their largest value


class Artifact(NamedTuple):
  """A distilled set and all that makes it usable elsewhere.

  Attributes:
    data: NumPy arrays.
    preprocessing: what real images must go through to meet `data.image`.
    start_image: uint8 `[n, h, w, c]`, or None.
    metadata: plain values, see the module docstring.
  """

  data: DistilledData
  preprocessing: Preprocessing
  start_image: np.ndarray | None
  metadata: dict[str, Any]

  @property
  def image_uint8(self) -> np.ndarray:
    """The images for looking at, uint8 `[n, h, w, c]`."""
    return np.asarray(self.preprocessing.display(self.data.image))

  @property
  def class_names(self) -> tuple[str, ...]:
    """In label order; their numbers where the metadata do not say."""
    numbers = map(str, range(self.data.label.shape[1]))
    return tuple(self.metadata.get('class_names', numbers))

  @property
  def label_encoding(self) -> str:
    """`one-hot` or `centred`.

    Raises:
      UserError: the metadata do not say.
    """
    if 'label_encoding' not in self.metadata:
      raise UserError(
        "label_encoding: missing in the metadata; allowed are 'one-hot' and "
        "'centred'"
      )
    return str(self.metadata['label_encoding'])

  @property
  def loss(self) -> str:
    """Of the labels as they are: `cross-entropy` or `squared error`."""
    return targets.loss(np.asarray(self.data.label), self.label_encoding)

  @property
  def pixels(self) -> Shown:
    """The range of the images in units of the data, see `data.shown`."""
    pixel = self.preprocessing.invert(self.data.image)
    return shown(self.preprocessing, pixel)

  def targets(self, use: str) -> np.ndarray:
    """The labels for a learner; see `data.targets.targets`.

    Args:
      use: `probabilities` for cross-entropy, `regression` for squared error, or
        `classes`, one number for each image.

    Raises:
      UserError: an unknown use, or labels that cannot be had so.
    """
    return targets.targets(self.data.label, self.label_encoding, use)

  def __repr__(self) -> str:
    """Shapes alone, for a prompt."""
    image, label = np.shape(self.data.image), np.shape(self.data.label)
    return f'Artifact(image={list(image)}, label={list(label)})'

  def _repr_html_(self) -> str:
    """Images and labels, as a notebook shows them: framed, it scrolls."""
    told = {**self.metadata, 'pixels': self.pixels._asdict()}
    counts = tuple(told.get('images_by_class', ()))
    images = report.Images(
      self.image_uint8, self.start_image, self.class_names, counts
    )
    label = np.asarray(self.data.label)
    page = report.render_set(report.Report(told, images, label, (), ()))
    return report.framed(page, 'A distilled set', _FRAME)


def save(path: str | pathlib.Path, artifact: Artifact) -> None:
  """Writes the artefact, atomically.

  Raises:
    UserError: the disk is full, or images and labels do not go together.
  """
  _check(artifact.data)
  artifact = _as_stored(artifact)
  pixel = artifact.preprocessing.invert(artifact.data.image)
  arrays = _arrays(artifact, pixel)
  metadata = {
    **artifact.metadata,
    **_derived(artifact, pixel),
    'format': FORMAT,
    'sha256': _digest(arrays),
  }
  text = json.dumps(metadata, sort_keys=True, allow_nan=False)
  buffer = io.BytesIO()
  # It halves a whitening; of images that look like noise it saves nothing.
  whitened = f'{_PREFIX}whiten_steps' in arrays
  write = np.savez_compressed if whitened else np.savez
  write(buffer, metadata=np.asarray(text), **arrays)  # type: ignore[arg-type]
  write_atomically(path, buffer.getvalue())


def load(path: str | pathlib.Path) -> Artifact:
  """Reads and verifies an artefact.

  Raises:
    UserError: the file is missing, truncated, corrupt or something else.
  """
  arrays = _read(path)
  metadata = _metadata(path, arrays.pop('metadata', None))
  if _digest(arrays) != metadata.pop('sha256', None):
    raise UserError(f'{path}: its contents do not match its checksum')
  for name in ('format', *_DERIVED):
    metadata.pop(name, None)
  fields: dict[str, Any]
  fields = {k: arrays.get(k) for k in DistilledData._fields}
  fields['factors'] = _nested(arrays)
  found = {
    k.removeprefix(_PREFIX): v
    for k, v in arrays.items()
    if k.startswith(_PREFIX)
  }
  loaded = Artifact(
    DistilledData(**fields),
    packing.unpack(found),
    arrays.get('start_image_uint8'),
    metadata,
  )
  _verify(path, loaded)
  return loaded


def digest(artifact: Artifact) -> str:
  """The SHA-256 of all its arrays, as its file holds it."""
  artifact = _as_stored(artifact)
  pixel = artifact.preprocessing.invert(artifact.data.image)
  return _digest(_arrays(artifact, pixel))


def decode(artifact: Artifact) -> np.ndarray | None:
  """The images that the stored factors decode to: `[n, h, w, c]`.

  Returns:
    None where nothing is factorised, or where the decoder is the user's own.

  Raises:
    UserError: the decoder is not one of this version's, nor registered.
  """
  held = artifact.metadata.get('decoder')
  if held is None or artifact.data.factors is None or 'name' not in held:
    return None
  data = artifact.data
  factory = _decoder(artifact.metadata)
  known = {
    'ipc': held['ipc'],
    'image_shape': tuple(data.image.shape[1:]),
    'num_classes': data.label.shape[1],
  }
  wanted = known.keys() & inspect.signature(factory).parameters.keys()
  made = factory(**{k: known[k] for k in wanted}, **held['settings'])
  # A method that solves for its labels stores none among the factors.
  params = {'label': data.label, **data.factors['params']}
  return np.asarray(made.decode(params, data.factors['constants']).image)


def _decoder(metadata: Mapping[str, Any]) -> Callable[..., Parameterization]:
  """The factory of the parameterization that made a set."""
  name = metadata['decoder']['name']
  if name in PARAMETERIZATIONS:
    return PARAMETERIZATIONS[name]
  package = metadata.get('parts', {}).get(f'parameterization {name}')
  if package:
    raise UserError(
      f'decoder {name!r}: is from {package}, which is not installed here'
    )
  raise UserError(
    f'decoder {name!r}: this version has {", ".join(PARAMETERIZATIONS)}'
  )


def _verify(path: str | pathlib.Path, artifact: Artifact) -> None:
  try:
    image = decode(artifact)
  except UserError as error:
    raise UserError(f'{path}: {error}') from error
  except (KeyError, TypeError, ValueError) as error:
    raise UserError(f'{path}: its factors do not decode ({error})') from error
  if image is None:
    return
  held = artifact.data.image
  if image.shape != held.shape or not np.allclose(
    image, held, rtol=0, atol=_CLOSE * np.abs(held).max()
  ):
    raise UserError(f'{path}: its images are not what its factors decode to')


def _check(data: DistilledData) -> None:
  image, label = np.shape(data.image), np.shape(data.label)
  fits = len(image) == 4 and len(label) == 2 and image[0] == label[0] > 0
  if not fits:
    raise UserError(
      f'images of shape {image} and labels of shape {label}: must be '
      '[n, h, w, c] and [n, k], n above 0'
    )


def _as_stored(artifact: Artifact) -> Artifact:
  """With the preprocessing that a reader of the file will have."""
  packed = packing.pack(artifact.preprocessing)
  return artifact._replace(preprocessing=packing.unpack(packed))


def _derived(artifact: Artifact, pixel: jax.Array) -> dict[str, Any]:
  """What the metadata say of the arrays, so that no reader has to guess."""
  pixels = shown(artifact.preprocessing, pixel)
  found: dict[str, Any] = {'pixels': pixels._asdict()}
  if 'label_encoding' in artifact.metadata:
    found['loss'] = artifact.loss
  return found


def _arrays(artifact: Artifact, pixel: jax.Array) -> dict[str, np.ndarray]:
  """Everything but the metadata, by key; `pixel` as `invert` gives it."""
  arrays = {
    k: np.asarray(v)
    for k, v in artifact.data._asdict().items()
    if v is not None and k != 'factors'
  }
  arrays |= _flat(artifact.data.factors)
  arrays['image_uint8'] = np.asarray(artifact.preprocessing.picture(pixel))
  if artifact.start_image is not None:
    arrays['start_image_uint8'] = np.asarray(artifact.start_image)
  packed = packing.pack(artifact.preprocessing)
  return arrays | {_PREFIX + k: v for k, v in packed.items()}


def _flat(factors: Any, path: str = _FACTOR) -> dict[str, np.ndarray]:
  """Nested dicts of arrays by slashed name; lists and tuples count from 0."""
  if isinstance(factors, list | tuple):
    factors = {str(i): value for i, value in enumerate(factors)}
  if not isinstance(factors, dict):
    return {} if factors is None else {path: np.asarray(factors)}
  found: dict[str, np.ndarray] = {}
  for name, value in factors.items():
    join = '' if path.endswith('/') else '/'
    found |= _flat(value, f'{path}{join}{name}')
  return found


def _nested(arrays: Mapping[str, np.ndarray]) -> dict[str, Any] | None:
  """Undoes `_flat`; None where there are no factors."""
  found: dict[str, Any] = {}
  for name, array in arrays.items():
    if not name.startswith(_FACTOR):
      continue
    *groups, last = name.removeprefix(_FACTOR).split('/')
    place = found
    for group in groups:
      place = place.setdefault(group, {})
    place[last] = array
  return {'params': {}, 'constants': {}} | found if found else None


def _read(path: str | pathlib.Path) -> dict[str, np.ndarray]:
  try:
    with np.load(path, allow_pickle=False) as file:
      return {k: file[k] for k in file.files}
  except FileNotFoundError:
    raise UserError(f'{path}: there is no such artefact') from None
  except Exception as error:  # damaged archives raise almost anything
    found = kind(path)
    if found != ARCHIVE:
      raise UserError(
        f'{path}: is {found}; expected an artefact, the .npz of a distilled set'
      ) from error
    raise UserError(
      f'{path}: not a readable artefact; the archive is truncated, corrupt or '
      f'of another kind ({reason(error)})'
    ) from error


def _metadata(
  path: str | pathlib.Path, text: np.ndarray | None
) -> dict[str, Any]:
  try:
    metadata = json.loads(str(text))
  except json.JSONDecodeError:
    metadata = None
  if not isinstance(metadata, dict) or 'format' not in metadata:
    raise UserError(f'{path}: an .npz file, but not an artefact of dd_jax')
  if metadata['format'] != FORMAT:
    raise UserError(
      f'{path}: format {metadata["format"]!r}; this version reads {FORMAT!r}'
    )
  return metadata


def _digest(arrays: Mapping[str, np.ndarray]) -> str:
  """SHA-256 of the arrays: names, types, shapes and bytes."""
  digest = hashlib.sha256()
  for name in sorted(arrays):
    array = np.ascontiguousarray(arrays[name])
    digest.update(f'{name} {array.dtype.str} {array.shape}'.encode())
    digest.update(array.tobytes())
  return digest.hexdigest()
