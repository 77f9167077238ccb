import numpy as np
import pytest

from dd_jax.data import dataset, load, split
from dd_jax.types import UserError


def _arrays(n=60, k=3, shape=(4, 4), dtype=np.uint8):
  rng = np.random.RandomState(0)
  image = rng.randint(0, 256, (n, *shape)).astype(np.uint8)
  # The first pixel tells every example apart.
  image[:, 0, 0] = np.arange(n).reshape(n, *[1] * (len(shape) - 2))
  if dtype != np.uint8:
    image = (image / 255).astype(dtype)
  return image, np.arange(n) % k


def _rows(arrays):
  return [a.tobytes() for a in arrays.image]


def test_splits_are_disjoint_complete_and_stratified():
  image, label = _arrays(n=120)
  data = dataset.from_arrays(image, label, validation=12, seed=3)
  rows = _rows(data.train) + _rows(data.validation) + _rows(data.test)
  assert len(rows) == len(set(rows)) == 120
  assert np.bincount(data.validation.label).tolist() == [4, 4, 4]
  assert len(data.test.label) == 20
  by_row = dict(zip(map(bytes, image[..., None]), label, strict=True))
  for part in (data.train, data.validation, data.test):
    assert [by_row[r] for r in _rows(part)] == part.label.tolist()


def test_the_seed_moves_validation_and_never_test():
  image, label = _arrays()
  one, two = (dataset.from_arrays(image, label, seed=s) for s in (1, 2))
  again = dataset.from_arrays(image, label, seed=1)
  assert _rows(one.test) == _rows(two.test)
  assert _rows(one.validation) != _rows(two.validation)
  assert _rows(one.validation) == _rows(again.validation)
  assert one.provenance['sha256'] == two.provenance['sha256']


def test_provenance():
  image, label = _arrays()
  data = dataset.from_arrays(image, label, name='mine', validation=0.2, seed=7)
  record = data.provenance
  assert record['name'] == 'mine'
  assert record['counts'] == {'train': 40, 'validation': 10, 'test': 10}
  assert record['validation'] == {'count': 10, 'seed': 7}
  assert len(record['sha256']) == 64
  assert '10 of 60 examples held out' in record['notes'][0]
  image[5, 3, 3] += 1
  other = dataset.from_arrays(image, label, name='mine').provenance
  assert other['sha256'] != record['sha256']


def test_an_official_test_split_is_kept():
  image, label = _arrays()
  data = dataset.from_arrays(image, label[:, None], image[:9], label[:9])
  assert data.test.image.shape == (9, 4, 4, 1)
  assert data.provenance['notes'] == []
  assert len(data.train.label) + len(data.validation.label) == 60


def test_unequal_classes_keep_and_give_at_least_one():
  label = np.repeat([0, 1, 2, 3], [500, 40, 2, 1])
  kept, held = split.hold_out(label, 4, 54, seed=0)
  assert len(held) == 54
  assert np.bincount(label[held], minlength=4).tolist()[2:] == [1, 0]
  assert (np.bincount(label[kept], minlength=4) > 0).all()
  assert sorted([*kept, *held]) == list(range(543))


@pytest.mark.parametrize('count', [0, 1, 2, 3, 5, 17, 539, 10_000])
def test_hold_out_gives_exactly_what_is_possible(count):
  label = np.repeat([0, 1, 2, 3], [500, 40, 2, 1])
  _, held = split.hold_out(label, 4, count, seed=1)
  assert len(held) == min(count, 539)


@pytest.mark.parametrize(
  ('size', 'classes', 'validation', 'expected'),
  [
    (60_000, 10, None, 5000),
    (1497, 10, None, 149),
    (40, 10, None, 10),
    (100, 10, 0.25, 25),
    (100, 10, 30, 30),
    (100, 10, 0, 0),
    (100, 10, 1.0, 1),
    (100, 10, 2.0, 2),
    (100, 10, 90, 90),
    (100, 10, 0.9, 90),
  ],
)
def test_validation_count(size, classes, validation, expected):
  label = np.arange(size) % classes
  assert split.validation_count(label, classes, validation) == expected


@pytest.mark.parametrize(
  'validation',
  [-1, 98, 100, 1.5, -0.1, 0.99999, 0.0001, float('nan'), float('inf')],
)
def test_bad_validation(validation):
  with pytest.raises(UserError, match=r'validation=.*must be a count from 0'):
    split.validation_count(np.arange(100) % 3, 3, validation)


def test_digits_are_exact_sixteenths_with_a_fixed_test_split():
  one, two = load.load('digits'), load.load('digits', seed=5)
  counts = {'train': 1348, 'validation': 149, 'test': 300}
  assert one.provenance['counts'] == counts
  sixteenths = one.train.image * 16
  assert (sixteenths == np.round(sixteenths)).all() and sixteenths.max() == 16
  assert one.train.image.dtype == np.float32
  assert _rows(one.test) == _rows(two.test)
  assert one.num_classes == 10 and one.image_shape == (8, 8, 1)


@pytest.mark.parametrize('dtype', [np.float16, np.float32, np.float64])
def test_floats_become_float32(dtype):
  image, label = _arrays(dtype=dtype)
  assert dataset.from_arrays(image, label).train.image.dtype == np.float32


def test_lists_and_colour_are_welcome():
  image, label = _arrays(shape=(4, 4, 3))
  data = dataset.from_arrays(list(image), label.tolist())
  assert data.image_shape == (4, 4, 3)


EQUAL = {
  'channels first': lambda x, y: {'x_train': x.transpose(0, 3, 1, 2)},
  'integers': lambda x, y: {'x_train': x.astype(np.int64)},
  'floats to 255': lambda x, y: {'x_train': x.astype(np.float32)},
  'text': lambda x, y: {'y_train': np.array(['0', '1', '2'])[y]},
  'one-hot': lambda x, y: {'y_train': np.eye(3)[y]},
}


@pytest.mark.parametrize('case', EQUAL)
def test_usual_forms_are_one_data_set(case):
  image, label = _arrays(shape=(4, 4, 3))
  given = {'x_train': image, 'y_train': label}
  plain = dataset.from_arrays(**given)
  found = dataset.from_arrays(**{**given, **EQUAL[case](image, label)})
  assert found.class_names == plain.class_names
  np.testing.assert_array_equal(found.train.label, plain.train.label)
  scale = 1 if found.train.image.dtype == np.uint8 else 255
  np.testing.assert_allclose(
    found.train.image * scale, plain.train.image, atol=1e-4
  )
  new = set(found.provenance['notes']) - set(plain.provenance['notes'])
  assert len(new) == 1


def test_a_range_is_part_of_the_record():
  image, label = _arrays()
  assert 'range' not in dataset.from_arrays(image, label).provenance
  deep = image.astype(np.uint16) * 16
  found = dataset.from_arrays(deep, label, value_range=(0, 5000))
  assert found.provenance['range'] == [0, 5000]
  assert found.train.image.max() <= 4080 / 5000


def test_splits_are_described():
  image, label = _arrays()
  data = dataset.from_arrays(image, label, name='mine', validation=7)
  assert dataset.described(data) == (
    "mine: 43 training images (14 of '0' to 15 of '2'), 7 for validation "
    "(2 of '0' to 3 of '1'), 10 for the test (3 of '1' to 4 of '0')"
  )


def _bad(change):
  image, label = _arrays(dtype=np.float32)
  given = {'x_train': image, 'y_train': label}
  given.update(change(image, label))
  return given


BAD = {
  'nan': (lambda x, y: {'x_train': np.where(x > 0.9, np.nan, x)}, 'NaN'),
  'infinite': (lambda x, y: {'x_train': x / 0}, 'NaN or infinite'),
  'complex': (lambda x, y: {'x_train': x + 1j}, 'must be numbers'),
  'black': (lambda x, y: {'x_train': (x * 0).astype(int)}, 'one value alone'),
  'no images': (lambda x, y: {'x_train': x[:0]}, 'holds no images'),
  'flat': (lambda x, y: {'x_train': x.reshape(60, -1)}, 'N x H x W'),
  'channels anywhere': (
    lambda x, y: {'x_train': np.stack([x] * 4, 1)}, 'may be first or last'),
  'unequal': (
    lambda x, y: {'x_train': np.array([x[0], x[0, :2]], object)},
    'must share one size'),
  'fewer labels': (
    lambda x, y: {'y_train': y[:-1]}, '60 images and y_train 59 labels'),
  'real labels': (lambda x, y: {'y_train': y + 0.5}, 'must be integers'),
  'multi-label': (
    lambda x, y: {'y_train': np.ones((60, 3), int)}, 'is multi-label'),
  'negative labels': (lambda x, y: {'y_train': y - 1}, 'holds -1'),
  'huge labels': (
    lambda x, y: {'y_train': y + 2**40}, 'must be integers 0 to k-1'),
  'empty class': (
    lambda x, y: {'y_train': y + (y > 0)}, "class '1' of 4 has no training"),
  'one class': (lambda x, y: {'y_train': y * 0}, 'one class only'),
  'test labels beyond': (
    lambda x, y: {'x_test': x, 'y_test': y + 1}, 'test label is 3'),
  'test without labels': (lambda x, y: {'x_test': x}, 'no y_test'),
  'test of another size': (
    lambda x, y: {'x_test': x[:, :3], 'y_test': y}, 'same size and type'),
  'test of another type': (
    lambda x, y: {'x_test': (x * 255).astype(np.uint8), 'y_test': y},
    'same size and type'),
  'names too few': (
    lambda x, y: {'class_names': ('a', 'b')}, 'must be 0 to 1'),
}  # fmt: skip


@pytest.mark.filterwarnings('ignore:divide by zero', 'ignore:invalid value')
@pytest.mark.parametrize('case', BAD)
def test_bad_arrays_get_one_clear_line(case):
  change, message = BAD[case]
  with pytest.raises(UserError, match=message) as error:
    dataset.from_arrays(**_bad(change))
  assert '\n' not in str(error.value)


def test_one_image_of_each_class_is_too_few_for_a_test_split():
  image, _ = _arrays()
  with pytest.raises(UserError, match='at least two are needed'):
    dataset.from_arrays(image[:3], np.arange(3))


def test_unknown_names_get_the_nearest():
  with pytest.raises(UserError, match="did you mean 'digits'"):
    load.load('digit')
  with pytest.raises(UserError, match='Known are digits'):
    load.load('qqqqqqqq')
