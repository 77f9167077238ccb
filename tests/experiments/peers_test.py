"""Sets that others released score here what they published."""

import json
import pathlib

import numpy as np
import pytest

PEERS = pathlib.Path(__file__).parents[3] / 'shared' / 'data' / 'peers'
NAMES = (
  'airplane', 'automobile', 'bird', 'cat', 'deer', 'dog', 'frog', 'horse',
  'ship', 'truck',
)  # fmt: skip
# The file, how it is to be read, the protocol, what was published.
CASES = {
  'rfad': (
    'rfad-cifar10-1.npz',
    ('--config=published/rfad:cifar10,1', '--space=rfad', '--labels=centred'),
    ('--protocols=krr-nngp',),
    (61.1, 0.7),
  ),
  'dc': (
    'dc-cifar10-10.png',
    ('--config=published/dc:cifar10,10', '--labels=class-major'),
    ('--protocols=dc', '--learners=2'),
    (44.9, 0.5),
  ),
}


@pytest.mark.slow
@pytest.mark.parametrize('name', CASES)
def test_published_accuracy(name, real_data, call):
  """Within two of the published deviations, by the commands alone."""
  file, converted, scored, (mean, std) = CASES[name]
  if not (PEERS / file).exists():
    pytest.skip(f'{file} is not at ../shared/data/peers')
  np.savez('cifar10.npz', **real_data('cifar10'), class_names=NAMES)
  data = '--dataset=cifar10.npz'
  source = (f'--file={PEERS / file}', '--to=a.npz')
  got = call(*source, *converted, data, command='convert')
  assert got.status == 0, got
  flags = ('--artifact=a.npz', '--output=s.json', data)
  got = call(*flags, *scored, command='evaluate')
  assert got.status == 0, got
  found = json.loads(pathlib.Path('s.json').read_text())['test_accuracy']
  assert abs(found['mean'] - mean) <= 2 * std, found
