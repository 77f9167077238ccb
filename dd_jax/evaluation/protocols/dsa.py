"""The protocol of differentiable siamese augmentation."""

from dd_jax import augment
from dd_jax.evaluation.protocols import dc
from dd_jax.evaluation.protocols.base import Protocol, Setting, unmirrored
from dd_jax.types import Augment


def dsa(setting: Setting) -> Protocol:
  """The protocol of DSA (arXiv 2102.08259), DCC, DM, CAFE and DataDAM.

  As `dc` for 1,001 epochs, every batch augmented by one operation of DSA, with
  parameters of its own for each image.
  """
  name = unmirrored('dsa', True, setting)
  return dc.trained(name, setting, augmentation(setting.mirrors))


def augmentation(flip: bool = True) -> Augment:
  """One operation of DSA for a batch, its parameters drawn for each image."""
  return augment.dsa(
    augment.DSA if flip else augment.DSA_UPRIGHT, siamese=False
  )
