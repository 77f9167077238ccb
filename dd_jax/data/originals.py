"""The field's data sets as first published: addresses and file formats."""

import gzip
import os
import tarfile
import zlib
from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeAlias

import numpy as np

from dd_jax.data.download import File, fetch
from dd_jax.files import one_line
from dd_jax.types import UserError

Columns: TypeAlias = Mapping[str, np.ndarray | list[str]]
_IDX_IMAGES, _IDX_LABELS = 2051, 2049
_BROKEN = (
  OSError, EOFError, ValueError, KeyError, TypeError, zlib.error,
  tarfile.TarError,
)  # fmt: skip


class Contents(NamedTuple):
  """What the files of a data set hold.

  Attributes:
    splits: by split, then by TFDS feature: arrays or lists that lead with the
      examples, in the official order.
    names: by feature, the names of its classes where the files tell them.
  """

  splits: Mapping[str, Columns]
  names: Mapping[str, list[str]] = {}


class Original(NamedTuple):
  """A published data set.

  Attributes:
    files: what to fetch.
    read: `(folder of those files) -> Contents`.
  """

  files: tuple[File, ...]
  read: Callable[[str], Contents]


def download(name: str, original: Original, folder: str) -> Contents:
  """Fetches what is not in `folder` yet, and reads it.

  Raises:
    UserError: a file cannot be had, or does not hold what it should.
  """
  for file in original.files:
    fetch(file, folder)
  try:
    return original.read(folder)
  except _BROKEN as e:
    raise UserError(
      f'{name}: the files in {folder} are damaged ({one_line(e)})'
    ) from e


def read_idx(folder: str) -> Contents:
  """Reads the four gzipped IDX files of the MNIST family."""
  splits = {}
  for split, prefix in (('train', 'train'), ('test', 't10k')):
    image = _idx(folder, f'{prefix}-images-idx3-ubyte.gz', _IDX_IMAGES, 3)
    label = _idx(folder, f'{prefix}-labels-idx1-ubyte.gz', _IDX_LABELS, 1)
    splits[split] = {'image': image[..., None], 'label': label}
  return Contents(splits)


def read_cifar10(folder: str) -> Contents:
  """Reads the binary version of CIFAR-10."""
  batches = [f'data_batch_{i}.bin' for i in range(1, 6)]
  members = _tar(folder, 'cifar-10-binary.tar.gz', 'cifar-10-batches-bin/')
  return Contents(
    {
      'train': _cifar('train', [members[b] for b in batches], ('label',)),
      'test': _cifar('test', [members['test_batch.bin']], ('label',)),
    },
    {'label': members['batches.meta.txt'].decode().split()},
  )


def read_cifar100(folder: str) -> Contents:
  """Reads the binary version of CIFAR-100, with both kinds of label."""
  members = _tar(folder, 'cifar-100-binary.tar.gz', 'cifar-100-binary/')
  keys = ('coarse_label', 'label')
  return Contents(
    {s: _cifar(s, [members[f'{s}.bin']], keys) for s in ('train', 'test')},
    {
      'label': members['fine_label_names.txt'].decode().split(),
      'coarse_label': members['coarse_label_names.txt'].decode().split(),
    },
  )


def read_svhn(folder: str) -> Contents:
  """Reads the two MATLAB files of SVHN's cropped digits."""
  # Deferred: it costs time, and other data sets do not need it.
  from scipy import io

  splits = {}
  for split in ('train', 'test'):
    data = io.loadmat(os.path.join(folder, f'{split}_32x32.mat'))
    image = np.ascontiguousarray(np.moveaxis(data['X'], -1, 0))
    splits[split] = {
      'image': image,
      'label': data['y'].reshape(-1) % 10,  # The digit 0 is stored as 10.
      'id': [f'{split}_{i:06d}' for i in range(len(image))],
    }
  return Contents(splits)


def _idx(folder: str, name: str, magic: int, rank: int) -> np.ndarray:
  with gzip.open(os.path.join(folder, name)) as f:
    content = f.read()
  head = np.frombuffer(content, '>i4', 1 + rank)
  if head[0] != magic:
    raise ValueError(f'{name} starts with {head[0]}, not {magic}')
  return np.frombuffer(content, np.uint8, offset=head.nbytes).reshape(head[1:])


def _tar(folder: str, name: str, inside: str) -> dict[str, bytes]:
  """The plain files under `inside`, in memory: nothing is unpacked to disk."""
  members = {}
  with tarfile.open(os.path.join(folder, name)) as archive:
    for member in archive:
      opened = archive.extractfile(member)
      if opened is not None and member.name.startswith(inside):
        members[member.name.removeprefix(inside)] = opened.read()
  return members


def _cifar(split: str, batches: list[bytes], keys: tuple[str, ...]) -> Columns:
  """Records of one byte for each label, then the image, channel by channel."""
  rows = np.frombuffer(b''.join(batches), np.uint8)
  rows = rows.reshape(-1, len(keys) + 3 * 32 * 32)
  image = rows[:, len(keys) :].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
  labels = {k: rows[:, i] for i, k in enumerate(keys)}
  ids = [f'{split}_{i:05d}' for i in range(len(rows))]
  return {'image': np.ascontiguousarray(image), 'id': ids, **labels}


def _files(
  bases: tuple[str, ...], checksums: Mapping[str, str]
) -> tuple[File, ...]:
  return tuple(
    File(name, sha256, tuple(base + name for base in bases))
    for name, sha256 in checksums.items()
  )


# The checksums are those of TFDS's registry; those of the MNIST family were
# confirmed on files rebuilt from pixels to the published MD5 sums.
ORIGINALS = {
  'mnist': Original(
    _files(
      (
        'https://storage.googleapis.com/cvdf-datasets/mnist/',
        'https://ossci-datasets.s3.amazonaws.com/mnist/',
      ),
      {
        'train-images-idx3-ubyte.gz': (
          '440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609'
        ),
        'train-labels-idx1-ubyte.gz': (
          '3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c'
        ),
        't10k-images-idx3-ubyte.gz': (
          '8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6'
        ),
        't10k-labels-idx1-ubyte.gz': (
          'f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6'
        ),
      },
    ),
    read_idx,
  ),
  'fashion_mnist': Original(
    _files(
      (
        'https://fashion-mnist.s3.eu-central-1.amazonaws.com/',
        'https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/'
        'master/data/fashion/',
        'https://storage.googleapis.com/tensorflow/tf-keras-datasets/',
      ),
      {
        'train-images-idx3-ubyte.gz': (
          '3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84'
        ),
        'train-labels-idx1-ubyte.gz': (
          'a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845'
        ),
        't10k-images-idx3-ubyte.gz': (
          '346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073'
        ),
        't10k-labels-idx1-ubyte.gz': (
          '67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5'
        ),
      },
    ),
    read_idx,
  ),
  'cifar10': Original(
    _files(
      ('https://www.cs.toronto.edu/~kriz/',),
      {
        'cifar-10-binary.tar.gz': (
          'c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd'
        ),
      },
    ),
    read_cifar10,
  ),
  'cifar100': Original(
    _files(
      ('https://www.cs.toronto.edu/~kriz/',),
      {
        'cifar-100-binary.tar.gz': (
          '58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec'
        ),
      },
    ),
    read_cifar100,
  ),
  'svhn_cropped': Original(
    _files(
      (
        'https://ufldl.stanford.edu/housenumbers/',
        # The authors' own address; the checksum makes up for the missing TLS.
        'http://ufldl.stanford.edu/housenumbers/',
      ),
      {
        'train_32x32.mat': (
          '435e94d69a87fde4fd4d7f3dd208dfc32cb6ae8af2240d066de1df7508d083b8'
        ),
        'test_32x32.mat': (
          'cdce80dfb2a2c4c6160906d0bd7c68ec5a99d7ca4831afa54f09182025b6a75b'
        ),
      },
    ),
    read_svhn,
  ),
}
