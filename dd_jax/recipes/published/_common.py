"""What several of these recipes share."""

from collections.abc import Mapping
from typing import TypeVar

from dd_jax.augment import DSA, DSA_UPRIGHT
from dd_jax.checks import check_name
from dd_jax.run import recipe
from dd_jax.types import UserError

_DIGITS = ('mnist', 'svhn_cropped')
_Settings = TypeVar('_Settings')


def published(
  table: Mapping[str, Mapping[int, _Settings]], dataset: str, ipc: int
) -> _Settings:
  """The settings for a data set at `ipc` images per class.

  Args:
    table: settings by data set and images per class.
    dataset: one of the table's.
    ipc: one of the data set's.

  Raises:
    UserError: none were published.
  """
  check_name('dataset', dataset, table)
  if ipc not in table[dataset]:
    raise UserError(f'ipc={ipc}: published are {list(table[dataset])}')
  return table[dataset][ipc]


def dsa_strategy(dataset: str) -> str:
  """DSA's augmentation: a flipped digit is no digit."""
  return DSA_UPRIGHT if dataset in _DIGITS else DSA


def upright(protocol: str, dataset: str) -> recipe.Config:
  """`evaluation` under that protocol, which mirrors no digits."""
  never = {'mirror': 'never'} if dataset in _DIGITS else {}
  return {'protocol': protocol, **never}
