"""Numbers as a reader wants them."""

import math
import numbers
from collections.abc import Mapping
from typing import Any

MINUS = '\N{MINUS SIGN}'
_TITLES = {
  'bptt': 'BPTT',
  'cafe': 'CAFE',
  'cifar10': 'CIFAR-10',
  'cifar100': 'CIFAR-100',
  'closed_form': 'Closed form',
  'datadam': 'DataDAM',
  'datm': 'DATM',
  'dc': 'DC',
  'dcc': 'DCC',
  'dd': 'DD',
  'digits': 'Digits',
  'dm': 'DM',
  'dsa': 'DSA',
  'fashion_mnist': 'Fashion-MNIST',
  'frepo': 'FRePo',
  'ftd': 'FTD',
  'herding': 'Herding',
  'idc': 'IDC',
  'idm': 'IDM',
  'kip': 'KIP',
  'kmeans': 'k-means',
  'label_distillation': 'Label distillation',
  'label_distillation_ridge': 'Label distillation (ridge)',
  'label_solve': 'Label solve',
  'm3d': 'M3D',
  'mnist': 'MNIST',
  'mtt': 'MTT',
  'random': 'Random',
  'rat_bptt': 'RaT-BPTT',
  'rcig': 'RCIG',
  'rfad': 'RFAD',
  'sldd': 'SLDD',
  'svhn_cropped': 'SVHN',
  'tesla': 'TESLA',
}


def title(name: object) -> str:
  """Returns a method's or data set's name as papers write it, if known."""
  return _TITLES.get(str(name), str(name))


def number(value: object) -> float | None:
  """Returns `value` as a finite float, or None where it is not one."""
  if isinstance(value, bool) or not isinstance(value, numbers.Real):
    return None
  return float(value) if math.isfinite(value) else None


def count(value: object) -> str | None:
  """Returns an integer with thousands separated: 78,400."""
  found = number(value)
  return None if found is None else f'{round(found):,}'


def size(value: object) -> str | None:
  """Returns bytes in a unit that fits: 306 KiB."""
  left = number(value)
  if left is None:
    return None
  for unit in ('bytes', 'KiB', 'MiB', 'GiB'):
    if abs(left) < 1024:
      return f'{_short(left)} {unit}'
    left /= 1024
  return f'{_short(left)} TiB'


def duration(value: object) -> str | None:
  """Returns seconds as 0.42 s, 31 s, 1 min 20 s, 2 h 5 min or 3 d 4 h."""
  seconds = number(value)
  if seconds is None:
    return None
  if seconds < 59.5:
    return f'{_short(seconds)} s'
  minutes, rest = divmod(round(seconds), 60)
  if minutes < 60:
    return f'{minutes} min {rest} s'
  hours, minutes = divmod(round(seconds / 60), 60)
  if hours < 24:
    return f'{hours} h {minutes} min'
  days, hours = divmod(round(seconds / 3600), 24)
  return f'{days:,} d {hours} h'


def ratio(value: float) -> str:
  """Returns a factor: 600x, 12.5x (with a true multiplication sign)."""
  return f'{_short(value)}\N{MULTIPLICATION SIGN}'


def accuracy(score: Mapping[str, Any] | None) -> str | None:
  """Returns mean and deviation in percent: 96.5, or 64.9 ± 3.5."""
  mean = number((score or {}).get('mean'))
  if mean is None:
    return None
  std = number((score or {}).get('std'))
  if std is None:
    return f'{mean:.1f}'
  digits = 2 if 0 < std < 0.095 else 1
  return f'{mean:.{digits}f} ± {std:.{digits}f}'


def signed(value: float) -> str:
  """Returns a difference with its sign: +3.1, −0.4, 0.0."""
  rounded = f'{abs(value):.1f}'
  if rounded == '0.0':
    return rounded
  return ('+' if value > 0 else MINUS) + rounded


def _short(value: float) -> str:
  if abs(value) >= 99.5 or value == round(value):
    return f'{round(value):,}'
  return f'{value:.3g}' if abs(value) < 1 else f'{value:.1f}'
