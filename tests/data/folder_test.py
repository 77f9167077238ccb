import numpy as np
import pytest
from PIL import Image

from dd_jax.data import images, load
from dd_jax.types import UserError


def _pixels(seed=0, shape=(6, 6, 3)):
  return np.random.RandomState(seed).randint(0, 256, shape).astype(np.uint8)


def _make(top, classes=('cat', 'dog'), count=6, shape=(6, 6, 3), ending='png'):
  for c, name in enumerate(classes):
    (top / name).mkdir(parents=True)
    for i in range(count):
      image = Image.fromarray(_pixels(10 * c + i, shape))
      image.save(top / name / f'{i}.{ending}')
  return top


def test_one_level_is_split(tmp_path):
  data = load.load(_make(tmp_path / 'pets'), validation=2)
  assert data.name == 'pets' and data.class_names == ('cat', 'dog')
  assert data.provenance['counts'] == {'train': 8, 'validation': 2, 'test': 2}
  assert data.image_shape == (6, 6, 3)
  np.testing.assert_array_equal(np.bincount(data.train.label), [4, 4])
  assert str(tmp_path) not in repr(data.provenance)


@pytest.mark.parametrize('test', ['test', 'val'])
def test_train_and_test(tmp_path, test):
  _make(tmp_path / 'train')
  _make(tmp_path / test, count=3)
  data = load.load(tmp_path)
  assert data.provenance['counts']['test'] == 6
  assert data.provenance['notes'] == (
    [] if test == 'test' else ['folder val/ serves as the test split']
  )
  np.testing.assert_array_equal(data.test.image[0], _pixels(0))


def test_numbered_classes_are_in_order_of_number(tmp_path):
  _make(tmp_path, tuple(str(i) for i in range(11)))
  names = load.load(tmp_path).class_names
  assert names == tuple(str(i) for i in range(11))


def test_grey_stays_grey_and_mixes_into_colour(tmp_path):
  _make(tmp_path, shape=(6, 6))
  assert load.load(tmp_path).image_shape == (6, 6, 1)
  Image.fromarray(_pixels()).save(tmp_path / 'cat' / '9.png')
  assert load.load(tmp_path).image_shape == (6, 6, 3)


def test_other_files_are_left_alone(tmp_path):
  _make(tmp_path)
  (tmp_path / 'cat' / 'notes.txt').write_text('x')
  (tmp_path / 'cat' / '.hidden.png').write_text('x')
  (tmp_path / '.git').mkdir()
  assert len(load.load(tmp_path).class_names) == 2


def test_unequal_sizes_need_a_size_and_one_is_suggested(tmp_path):
  _make(tmp_path, shape=(70, 90, 3))
  Image.fromarray(_pixels(shape=(80, 70, 3))).save(tmp_path / 'cat' / '9.png')
  with pytest.raises(UserError, match=r'for example --image_size=64') as error:
    load.load(tmp_path)
  assert '70 x 90 to 80 x 70' in str(error.value)
  assert load.load(tmp_path, image_size=64).image_shape == (64, 64, 3)


def _decode(tmp_path, image, *, grey=False, name='a.png', **kwargs):
  path = str(tmp_path / name)
  image.save(path, **kwargs)
  assert images.header(path).grey == grey
  head, out = images.header(path), images.decode(path, grey=grey).pixels
  assert out.shape[:2] == (head.height, head.width)
  return out


def test_transparency_is_laid_on_white(tmp_path):
  rgba = np.zeros((2, 2, 4), np.uint8)
  rgba[0, 0] = 10, 20, 30, 255
  out = _decode(tmp_path, Image.fromarray(rgba))
  assert out[0, 0].tolist() == [10, 20, 30] and out[1, 1].tolist() == [255] * 3


def test_grey_with_transparency(tmp_path):
  la = np.zeros((2, 2, 2), np.uint8)
  la[0, 0] = 7, 255
  out = _decode(tmp_path, Image.fromarray(la, 'LA'), grey=True)
  assert out[..., 0].tolist() == [[7, 255], [255, 255]]


def test_palettes(tmp_path):
  colour = Image.fromarray(_pixels()).quantize(8)
  out = _decode(tmp_path, colour)
  np.testing.assert_array_equal(out, np.asarray(colour.convert('RGB')))
  grey = Image.fromarray(_pixels(shape=(6, 6)) // 64 * 64).convert('P')
  out = _decode(tmp_path, grey, grey=True)
  np.testing.assert_array_equal(out[..., 0], _pixels(shape=(6, 6)) // 64 * 64)


def test_palette_with_transparency(tmp_path):
  image = Image.fromarray(np.zeros((2, 2), np.uint8), 'P')
  image.putpalette([200, 0, 0, 0, 200, 0])
  out = _decode(tmp_path, image, transparency=0)
  assert out[0, 0].tolist() == [255] * 3


def test_one_bit(tmp_path):
  flat = Image.fromarray(np.eye(4) > 0)
  assert _decode(tmp_path, flat, grey=True).max() == 255


def _deep(top, high, dtype=np.uint16):
  """Grey of 16 bits: three values of four in the first image are known."""
  for c, name in enumerate(('cat', 'dog')):
    (top / name).mkdir(parents=True)
    for i in range(6):
      image = _pixels(10 * c + i, (6, 6)).astype(np.uint16) * (high // 255)
      image.flat[:3] = 0, 1, high
      Image.fromarray(image.astype(dtype)).save(top / name / f'{i}.png')
  return top


@pytest.mark.parametrize(('high', 'white'), [(4000, 4095), (65535, 65535)])
def test_sixteen_bits_keep_their_levels(tmp_path, high, white):
  data = load.load(_deep(tmp_path / 'x', high))
  assert data.image_shape == (6, 6, 1) and data.train.image.dtype == np.float32
  np.testing.assert_allclose(
    data.train.image[0].flat[:3], np.array([0, 1, high]) / white, rtol=1e-6
  )
  assert f'{white} white' in data.provenance['notes'][0]
  assert data.provenance['range'] == [0, white]


def test_sixteen_bits_by_a_stated_range_and_size(tmp_path):
  folder = _deep(tmp_path / 'x', 4000)
  data = load.load(folder, value_range=(0, 8000), image_size=4)
  assert data.image_shape == (4, 4, 1) and data.train.image.max() <= 0.5
  with pytest.raises(UserError, match=r'range=0,99: .*x holds values from 0'):
    load.load(folder, value_range=(0, 99))


def test_two_depths_are_refused(tmp_path):
  folder = _deep(tmp_path / 'x', 4000)
  Image.fromarray(_pixels(shape=(6, 6))).save(folder / 'cat' / '9.png')
  with pytest.raises(UserError, match=r'\.png is grey of 16 bits and .*9\.png'):
    load.load(folder)


def test_what_is_done_to_images_is_said(tmp_path):
  _make(tmp_path, shape=(6, 6, 4), count=3)
  Image.fromarray(_pixels(shape=(6, 6))).save(tmp_path / 'cat' / '9.png')
  notes = load.load(tmp_path).provenance['notes']
  assert notes[:2] == [
    '6 of 7 images are transparent in places: laid on white',
    '1 of 7 images are grey: made three equal channels',
  ]


def test_opaque_images_are_not_said_to_be_transparent(tmp_path):
  _make(tmp_path)
  for path in tmp_path.glob('*/*.png'):
    Image.open(path).convert('RGBA').save(path)
  data = load.load(tmp_path)
  assert len(data.provenance['notes']) == 1
  assert any((x == _pixels(0)).all() for x in data.train.image)


def test_exif_turns_the_image(tmp_path):
  image = Image.fromarray(np.zeros((8, 16, 3), np.uint8))
  image.paste((255, 0, 0), (0, 0, 8, 8))
  exif = Image.Exif()
  exif[0x0112] = 6
  out = _decode(tmp_path, image, name='a.jpg', exif=exif, quality=95)
  # Orientation 6 shows the stored left half on top.
  assert out.shape == (16, 8, 3)
  assert out[2, 4, 0] > 200 and out[13, 4, 0] < 50


def test_cmyk_jpeg(tmp_path):
  image = Image.fromarray(_pixels()).convert('CMYK')
  assert _decode(tmp_path, image, name='a.jpg').shape == (6, 6, 3)


def test_resize_scales_the_shorter_side_and_crops_the_centre():
  wide = np.zeros((10, 30, 1), np.uint8)
  wide[:, 10:20] = 200
  assert (images.resize(wide, 5) >= 190).mean() > 0.5
  assert images.resize(wide, 5).shape == (5, 5, 1)
  real = images.resize(wide.astype(np.float32) / 255, 5)
  assert real.dtype == np.float32 and 0 <= real.min() <= real.max() <= 1
  np.testing.assert_allclose(real * 255, images.resize(wide, 5), atol=1.01)


def _write(path, content):
  path.write_bytes(content)
  return path


def _truncate(path):
  content = path.read_bytes()
  path.write_bytes(content[: len(content) // 2])


BAD = {
  'missing': (lambda d: d / 'no' / 'such', 'no such file or folder'),
  'no classes': (lambda d: d / 'cat', 'holds 0 class folders'),
  'one class': (
    lambda d: _make(d / 'only', ('cat',)), 'holds 1 class folder;'),
  'empty class': (
    lambda d: (d / 'owl').mkdir() or d, 'owl holds no PNG or JPEG images'),
  'empty image': (
    lambda d: _write(d / 'cat' / 'x.png', b'').parents[1], 'x.png is no read'),
  'text': (
    lambda d: _write(d / 'cat' / 'x.jpg', b'hello').parents[1],
    'x.jpg is no readable PNG or JPEG'),
  'truncated': (
    lambda d: _truncate(d / 'dog' / '2.png') or d, '2.png is no readable'),
  'a file': (
    lambda d: _write(d / 'a.tar', b'x'),
    'is a text file, and neither an image folder nor'),
}  # fmt: skip


@pytest.mark.parametrize('case', BAD)
def test_bad_folders_get_one_clear_line(case, tmp_path):
  make, message = BAD[case]
  _make(tmp_path, shape=(30, 30, 3))
  with pytest.raises(UserError, match=message) as error:
    load.load(make(tmp_path))
  assert '\n' not in str(error.value)


def test_a_truncated_jpeg(tmp_path):
  _make(tmp_path, shape=(30, 30, 3), ending='jpg')
  _truncate(tmp_path / 'dog' / '2.jpg')
  with pytest.raises(UserError, match=r'2\.jpg is no readable'):
    load.load(tmp_path)


def test_a_test_class_without_training_images(tmp_path):
  _make(tmp_path / 'train')
  _make(tmp_path / 'test', ('cat', 'owl'))
  with pytest.raises(UserError, match="no training class 'owl'"):
    load.load(tmp_path)


@pytest.mark.parametrize('size', [0, 1, -3, 10_000])
def test_bad_image_size(size):
  with pytest.raises(UserError, match=f'image_size={size}'):
    load.load('digits', image_size=size)


def test_image_size_of_an_embedded_set():
  assert load.load('digits', image_size=16).image_shape == (16, 16, 1)
