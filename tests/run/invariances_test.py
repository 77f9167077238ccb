"""Augmentations that real images decide, in a configuration."""

import numpy as np
import pytest

from dd_jax.cache import Cache
from dd_jax.data.dataset import from_arrays
from dd_jax.evaluation.invariance import MEASURED, Seen
from dd_jax.run import invariances, recipe

FLIPS = {name: Seen(93.0, 92.0, 0.02, 0.0) for name in MEASURED}
FLIPS['crop'] = Seen(93.0, 90.0, 0.05, 0.01)
NO_FLIP = {**FLIPS, 'flip': Seen(93.0, 61.2, 0.36, 0.32)}
NOTHING = {name: Seen(93.0, 61.2, 0.36, 0.32) for name in MEASURED}


@pytest.fixture
def decide(tmp_path, monkeypatch):
  """`decide(config, found)`: what becomes of it, and how often was measured."""
  rng = np.random.default_rng(0)
  image = rng.integers(0, 256, (40, 8, 8, 1)).astype(np.uint8)
  dataset, calls = from_arrays(image, np.arange(40) % 2), []

  def run(config, found=NO_FLIP):
    monkeypatch.setattr(
      invariances, 'measure', lambda *asked: calls.append(asked) or found
    )
    decided = invariances.decide(config, dataset, Cache(tmp_path))
    same = recipe.copied(config)
    for field, text in decided.changes.items():
      recipe.update(same, recipe.nested(field, text))
    assert same == decided.config
    return decided.config, decided.notes, len(calls)

  return run


def measured(method, *fields):
  config = recipe.default(method)
  for field in fields:
    recipe.update(config, recipe.nested(field, 'measured'))
  return config


@pytest.mark.parametrize(
  ('method', 'field', 'found', 'text', 'note'),
  [
    (
      'dm', 'augment', NO_FLIP, 'color_crop_cutout_scale_rotate',
      'augment: color_crop_cutout_scale_rotate; no flip, which may cost over '
      '20 % of the right answers (two standard errors): mirrored held-out '
      'images 61 % against 93 %',
    ),
    (
      'm3d', 'augment', FLIPS, 'color_crop_cutout',
      'augment: color_crop_cutout, all of it, at worst learned with shifts, '
      'held-out images 90 % against 93 %',
    ),
    ('kip', 'augment', NO_FLIP, 'color_crop_cutout_scale_rotate', 'no flip'),
    ('dm', 'augment', NOTHING, 'cutout', 'no color or crop or flip or scale'),
    (
      'idc', 'method.inner_strategy', NO_FLIP, 'color_crop_scale_rotate',
      'method.inner_strategy: color_crop_scale_rotate; no flip',
    ),
  ],
)  # fmt: skip
def test_only_what_the_images_allow(decide, method, field, found, text, note):
  asked = measured(method, field)
  config, notes, _ = decide(asked, found)
  assert config == recipe.update(measured(method), recipe.nested(field, text))
  assert asked == measured(method, field)  # as it was
  assert len(notes) == 1 and note in notes[0]


def test_few_images_decide_nothing_by_being_few(decide):
  """A bound that is far on both sides is no evidence, and is said."""
  found = {**NO_FLIP, 'color': Seen(80.0, 72.0, 0.3, -0.1)}
  config, notes, _ = decide(measured('dm', 'augment'), found)
  assert config['augment'] == 'color_crop_cutout_scale_rotate'
  assert 'no flip' in notes[0]
  assert notes[0].endswith('too few held-out images to tell of color')


def test_both_fields_of_a_method_of_experts(decide):
  config, notes, count = decide(measured('mtt', 'augment', 'experts.augment'))
  assert config['augment'] == config['experts']['augment']
  assert 'flip' not in config['augment'] and len(notes) == 2 and count == 1


def test_what_is_stated_is_not_measured(decide):
  config = recipe.default('dm')
  assert decide(config) == (config, [], 0)


def test_measured_once(decide, tmp_path):
  asked = measured('dm', 'augment')
  first = decide(asked)
  assert decide(asked, NOTHING) == first
  for path in tmp_path.iterdir():
    path.write_bytes(b'{"flip": 3}')
  assert decide(asked, NOTHING)[0]['augment'] == 'cutout'


@pytest.mark.parametrize(
  ('found', 'text', 'told'), [(NO_FLIP, 'never', 'never'), (FLIPS, '', 'as')]
)
def test_protocols_mirror_what_may_be_mirrored(decide, found, text, told):
  config, notes, _ = decide(measured('mtt', 'evaluation.mirror'), found)
  assert config['evaluation']['mirror'] == text
  assert notes[0].startswith(f'evaluation.mirror: {told}')
