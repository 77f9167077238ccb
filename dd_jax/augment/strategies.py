"""Named strategies: which operations a batch sees, and how they are drawn."""

import difflib
from collections.abc import Mapping

import jax

from dd_jax.augment.combination import each, identity, in_turn, one_of
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
from dd_jax.types import Augment, Key, UserError

DSA = 'color_crop_cutout_flip_scale_rotate'
DSA_UPRIGHT = 'color_crop_cutout_scale_rotate'
IDC = 'color_crop_cutout'
FREPO = 'flip_color_crop_rotate_translate_cutout'


def flip(key: Key, images: jax.Array) -> jax.Array:
  """Flips each of `[n, h, w, c]` horizontally with probability one half."""
  return each(random_mirror())(key, images)


def dsa(
  strategy: str = DSA, *, siamese: bool = True, align_corners: bool = False
) -> Augment:
  """Differentiable siamese augmentation (Zhao & Bilen, arXiv 2102.08259).

  One operation, drawn uniformly per call, for the whole batch.

  Args:
    strategy: names joined by `_`, of color, crop, cutout, flip, scale, rotate;
      or `none`. Digits go without flip.
    siamese: one draw of parameters for the batch; False gives every image its
      own (evaluation, expert training, inner steps of trajectory matching).
    align_corners: see `rotation`; matters for non-square images only.

  Returns:
    The augmentation; values are those of the paper's code, on standardised
    images.

  Raises:
    UserError: an unknown operation.
  """
  if strategy == 'none':
    return identity
  chosen = _parse(strategy, _dsa_operations(align_corners), siamese)
  return one_of(list(chosen.values()))


def composed(strategy: str) -> Augment:
  """Operations one after the other, each with its own draw for every image.

  For real images alone, such as KIP's targets: nothing siamese about it.

  Args:
    strategy: as for `dsa`; its names and `shift`, half as far as `crop`.

  Raises:
    UserError: an unknown operation.
  """
  operations = {**_dsa_operations(False), 'shift': random_shift(1 / 16)}
  return in_turn(list(_parse(strategy, operations, siamese=False).values()))


def idc(
  strategy: str = IDC, *, siamese: bool = True, align_corners: bool = False
) -> Augment:
  """IDC's use of DSA's operations (Kim et al., arXiv 2205.14959).

  Of those named, flip and color are always applied, then one of crop, scale and
  rotate, then cutout always.

  Args:
    strategy: as in `dsa`; IDC matches under the default.
    siamese: as in `dsa`.
    align_corners: as in `dsa`.

  Raises:
    UserError: an unknown operation.
  """
  if strategy == 'none':
    return identity
  chosen = _parse(strategy, _dsa_operations(align_corners), siamese)
  first = [chosen[n] for n in ('flip', 'color') if n in chosen]
  last = [chosen[n] for n in ('cutout',) if n in chosen]
  drawn = [chosen[n] for n in ('crop', 'scale', 'rotate') if n in chosen]
  return in_turn([*first, *([one_of(drawn)] if drawn else []), *last])


def frepo(strategy: str = FREPO) -> Augment:
  """FRePo's evaluation augmentation (Zhou et al., arXiv 2206.00719).

  One operation, drawn uniformly per call, for the whole batch, with its own
  parameters per image. Geometric operations repeat the image's border.

  Args:
    strategy: names joined by `_`, of flip, color, crop, rotate, translate,
      cutout; or `none`. Greyscale sets go without flip.

  Returns:
    The augmentation.

  Raises:
    UserError: an unknown operation.
  """
  operations = {
    'flip': random_mirror(),
    'color': random_color_log(),
    'crop': random_zoom(),
    'rotate': random_rotate(edge=True),
    'translate': random_translate(),
    'cutout': random_cutout_inside(),
  }
  if strategy == 'none':
    return identity
  return one_of(list(_parse(strategy, operations, siamese=False).values()))


def _dsa_operations(align_corners: bool) -> dict[str, Operation]:
  return {
    'color': random_color(),
    'crop': random_shift(),
    'cutout': random_cutout(),
    'flip': random_mirror(),
    'scale': random_scale(),
    'rotate': random_rotate(align_corners=align_corners),
  }


def _parse(
  strategy: str, operations: Mapping[str, Operation], siamese: bool
) -> dict[str, Augment]:
  """The operations that a strategy joins by `_`, for whole batches, by name."""
  names = strategy.split('_')
  for name in names:
    if name not in operations:
      raise UserError(_unknown(name, strategy, operations))
  return {n: each(operations[n], siamese=siamese) for n in names}


def _unknown(name: str, strategy: str, allowed: Mapping[str, object]) -> str:
  near = difflib.get_close_matches(name, allowed, 1)
  hint = f' (nearest: {near[0]!r})' if near else ''
  return (
    f'augmentation {strategy!r}: unknown operation {name!r}{hint}; allowed, '
    f"joined by '_': {', '.join(allowed)}; or 'none'"
  )
