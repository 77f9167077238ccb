"""Random image transforms in model space, as pure functions of a key.

An `Augment` maps `(key, images [n, h, w, c])` to images of the same shape and
dtype. The same key gives the same transform, so siamese augmentation (real and
synthetic images transformed alike) is two calls with one key:

    augment = dsa('color_crop_cutout_flip_scale_rotate')
    real, synthetic = augment(key, real), augment(key, synthetic)

Three layers, each usable alone: image functions (`shift`, `rotate`, ...) take
explicit parameters; operations (`random_shift`, ...) draw them, `(key, image)
-> image`; strategies (`dsa`, `frepo`, `dc_mnist`) choose among operations, and
what combines these (`one_of`, `in_turn`) makes others. All are differentiable
in the image. Parameters are drawn in float32 whatever the image's dtype, so
float32 and float64 runs see the same transforms.
"""

from dd_jax.augment.combination import (
  each,
  identity,
  in_turn,
  one_of,
  per_image,
)
from dd_jax.augment.dc import dc_mnist
from dd_jax.augment.images import (
  Scalar,
  adjust_color,
  erase,
  mirror,
  rotate,
  rotation,
  scale,
  shift,
  warp,
)
from dd_jax.augment.mixing import cutmix
from dd_jax.augment.operations import (
  Operation,
  random_color,
  random_color_log,
  random_cutout,
  random_cutout_inside,
  random_mirror,
  random_rotate,
  random_scale,
  random_shift,
  random_translate,
  random_zoom,
)
from dd_jax.augment.strategies import (
  DSA,
  DSA_UPRIGHT,
  FREPO,
  IDC,
  composed,
  dsa,
  flip,
  frepo,
  idc,
)

__all__ = [
  'DSA',
  'DSA_UPRIGHT',
  'FREPO',
  'IDC',
  'Operation',
  'Scalar',
  'adjust_color',
  'composed',
  'cutmix',
  'dc_mnist',
  'dsa',
  'each',
  'erase',
  'flip',
  'frepo',
  'idc',
  'identity',
  'in_turn',
  'mirror',
  'one_of',
  'per_image',
  'random_color',
  'random_color_log',
  'random_cutout',
  'random_cutout_inside',
  'random_mirror',
  'random_rotate',
  'random_scale',
  'random_shift',
  'random_translate',
  'random_zoom',
  'rotate',
  'rotation',
  'scale',
  'shift',
  'warp',
]
