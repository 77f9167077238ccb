"""Channel statistics as the field's code has them, rounded to four digits.

DC, DSA, DM, CAFE, DCC, IDC and their kin state learning rates, and release
images, in pixels standardised by these; those of CIFAR are the mean over images
of each one's deviation, a fifth less than that of all pixels.
"""

from typing import NamedTuple

import numpy as np

from dd_jax.types import UserError


class Constants(NamedTuple):
  """Of each channel, in units of [0, 1].

  Attributes:
    mean: is subtracted.
    std: divides.
  """

  mean: tuple[float, ...]
  std: tuple[float, ...]


FIELD = {
  'mnist': Constants((0.1307,), (0.3081,)),
  'fashion_mnist': Constants((0.2861,), (0.3530,)),
  'svhn_cropped': Constants((0.4377, 0.4438, 0.4728), (0.1980, 0.2010, 0.1970)),
  'cifar10': Constants((0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010)),
  'cifar100': Constants((0.5071, 0.4866, 0.4409), (0.2673, 0.2564, 0.2762)),
  'tiny_imagenet': Constants((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
}
"""By data set; those of DC's code (arXiv 2006.05929)."""


def field(dataset: str, channels: int) -> tuple[np.ndarray, np.ndarray]:
  """Mean and standard deviation of each channel: `[c]`.

  Args:
    dataset: by name.
    channels: of its images.

  Raises:
    UserError: none are known for such images.
  """
  found = FIELD.get(dataset)
  if found is None or len(found.mean) != channels:
    raise UserError(
      f"preprocessing='field': no constants for {dataset!r} of {channels} "
      f'channels; there are some for {", ".join(FIELD)}; standardise measures '
      'them'
    )
  return np.asarray(found.mean), np.asarray(found.std)
