"""How many images a factorised set may decode to: its storage budget.

A factorised set at `ipc` stores at most the numbers of `ipc` plain images per
class, with their labels where labels are learned. Everything that decoding
needs counts: bases, decoder weights, masks.
"""

import math
from typing import NamedTuple

from dd_jax.checks import check_least
from dd_jax.parameterization.base import Parameterization
from dd_jax.parameterization.labels import Images, Labels, labelled
from dd_jax.types import UserError


class Room(NamedTuple):
  """What a budget holds.

  Attributes:
    per_class: images (or bases) of each class.
    num_classes: `k`.
    labels: of the images.
    note: says so where that is more than the budget; or ''.
  """

  per_class: int
  num_classes: int
  labels: Labels
  note: str

  def filled(self, images: Images) -> Parameterization:
    """So many images of every class, each with a label of its own."""
    made = labelled(images, self.num_classes, self.per_class, self.labels)
    return made._replace(note=self.note)


class Budget(NamedTuple):
  """What may be stored.

  Attributes:
    numbers: in all, of four bytes each.
    labels: how they are stored, which counts.
    num_classes: `k`.
    ipc: the plain images per class that it equals.
  """

  numbers: int
  labels: Labels
  num_classes: int
  ipc: int

  def room(self, given: int, *, shared: int, each: int, what: str) -> Room:
    """How many images (or bases) there may be.

    Args:
      given: per class, what the user asked for; 0 for as many as fit.
      shared: numbers that all images share.
      each: numbers for one image, its label apart.
      what: names the shared part, for the refusal.

    Raises:
      UserError: there is no room for one image of every class.
    """
    label = self.labels.numbers(self.num_classes)
    row = self.num_classes * (each + label)
    fit = (self.numbers - shared) // row
    if given < 0 or (fit < 1 and not given):
      raise UserError(
        f'ipc={self.ipc}: fewer images than classes would fit: {what} take '
        f'{shared:,} of its {self.numbers:,} numbers, and one image of every '
        f'class {row:,} more'
      )
    stored = shared + (given or fit) * row
    plain = self.ipc * stored / self.numbers
    note = (
      f'the set stores as much as {plain:.3g} plain images per class, more '
      f'than ipc={self.ipc}'
    )
    return Room(
      given or fit,
      self.num_classes,
      self.labels,
      note if stored > self.numbers else '',
    )


def budget_of(
  ipc: int, image_shape: tuple[int, int, int], num_classes: int, labels: Labels
) -> Budget:
  """What `ipc` plain images per class would take.

  Raises:
    UserError: `ipc` is below 1.
  """
  check_least(1, ipc=ipc)
  label = labels.numbers(num_classes)
  numbers = num_classes * ipc * (math.prod(image_shape) + label)
  return Budget(numbers, labels, num_classes, ipc)
