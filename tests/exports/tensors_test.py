"""A set as tensors: what others read is what it holds."""

import numpy as np
import pytest
from scipy import special

from dd_jax.data import torch_file
from dd_jax.exports.tensors import write_ddranking, write_pt
from dd_jax.released import files, labels
from dd_jax.types import UserError

CIFAR = (0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010)
IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


@pytest.mark.parametrize('soft', [False, True])
def test_a_file_as_dc_releases_sets(made, soft, tmp_path):
  held, path = made(soft), tmp_path / 'set.pt'
  told = write_pt(held, path)
  assert any('soft' in line for line in told) == soft
  back = files.read(str(path), held.data.image.shape[1:])
  np.testing.assert_array_equal(back.image, held.data.image)
  np.testing.assert_array_equal(back.label, [0, 0, 1, 1, 2, 2])
  found = torch_file.read(path)
  np.testing.assert_array_equal(found['target'], held.data.label)
  assert found['class_names'] == ['cat', 'dog', 'eel']
  assert found['step_size'] == np.float32(0.03)
  # By what is in the file alone, real images meet those of the set.
  real = np.random.default_rng(1).integers(0, 256, (2, 4, 5, 3), np.uint8)
  seen = (real / 255 - found['mean']) / found['std']
  np.testing.assert_allclose(held.preprocessing.apply(real), seen, atol=1e-5)
  with pytest.raises(UserError, match=r'set\.pt: is there already'):
    write_pt(held, path)


@pytest.mark.parametrize(
  'dataset, constants',
  [('cifar10', CIFAR), ('cifar100', CIFAR), ('imagenette', IMAGENET)],
)
def test_ddranking_has_constants_of_its_own(made, dataset, constants, tmp_path):
  held = made(dataset=dataset)
  (told,) = write_ddranking(held, tmp_path / 'new')
  assert f'{constants[0][0]:g}' in told
  image = torch_file.read(tmp_path / 'new' / 'images.pt')
  mean, std = (np.reshape(c, (3, 1, 1)) for c in constants)
  pixel = np.asarray(held.preprocessing.invert(held.data.image))
  again = (image * std + mean).transpose(0, 2, 3, 1)
  np.testing.assert_allclose(again, pixel, atol=1e-5)
  label = torch_file.read(tmp_path / 'new' / 'labels.pt')
  np.testing.assert_array_equal(label, [0, 0, 1, 1, 2, 2])
  assert torch_file.read(tmp_path / 'new' / 'lr.pt') == np.float32(0.03)
  assert sorted(p.name for p in tmp_path.iterdir()) == ['new']


def test_ddranking_takes_logits_and_whitened_images(made, tmp_path):
  held = made(soft=True, preprocessing='kornia')
  (told,) = write_ddranking(held, tmp_path / 'new')
  assert 'use_zca' in told
  image = torch_file.read(tmp_path / 'new' / 'images.pt')
  np.testing.assert_array_equal(image.transpose(0, 2, 3, 1), held.data.image)
  logits = torch_file.read(tmp_path / 'new' / 'labels.pt')
  found = special.softmax(logits.astype(np.float64), -1)
  np.testing.assert_allclose(found, held.data.label, atol=1e-6)


def test_soft_labels_come_back_by_the_files_of_datm(made, tmp_path):
  """Images and logits are what `convert` reads with `--labels=logits`."""
  held = made(soft=True, preprocessing='kornia')
  write_ddranking(held, tmp_path / 'new')
  image, label = (
    str(tmp_path / 'new' / f'{n}.pt') for n in ('images', 'labels')
  )
  shape = held.data.image.shape[1:]
  found = files.read(image, shape, label_path=label)
  np.testing.assert_array_equal(found.image, held.data.image)
  again, encoding = labels.read('logits', found.label, 6, 3)
  assert encoding == held.label_encoding
  np.testing.assert_allclose(again, held.data.label, atol=1e-6)


@pytest.mark.parametrize(
  'changes, words',
  [
    ({'channels': 1}, 'reads images of 3 channels'),
    ({'preprocessing': 'kip'}, 'under kip; it reads'),
  ],
)
def test_what_ddranking_cannot_read(made, changes, words, tmp_path):
  with pytest.raises(UserError, match=words):
    write_ddranking(made(**changes), tmp_path / 'new')
  assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_loop_of_pytorch_reads_them(made, tmp_path):
  """As the loaders of DC-BENCH and the scripts of DD-Ranking do."""
  torch = pytest.importorskip('torch')
  held = made(soft=True)
  write_pt(held, tmp_path / 'res_DM_CIFAR10_ConvNet_2ipc.pt')
  image, label = torch.load(tmp_path / 'res_DM_CIFAR10_ConvNet_2ipc.pt')[
    'data'
  ][-1]
  assert image.shape == (6, 3, 4, 5) and image.dtype == torch.float32
  assert label.tolist() == [0, 0, 1, 1, 2, 2]
  write_ddranking(held, tmp_path / 'new')
  image, label, rate = (
    torch.load(tmp_path / 'new' / f'{name}.pt', map_location='cpu')
    for name in ('images', 'labels', 'lr')
  )
  logits = torch.zeros(6, 3, requires_grad=True)
  loss = torch.nn.functional.cross_entropy(logits, label.softmax(-1))
  loss.backward()
  assert image.mean().isfinite() and 0 < float(rate) < 1
