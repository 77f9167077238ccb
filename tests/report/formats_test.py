"""Numbers as a reader wants them."""

import math

import numpy as np
import pytest

from dd_jax.report import formats


@pytest.mark.parametrize(
  ('value', 'said'),
  [
    (0.42, '0.42 s'),
    (3.14159, '3.1 s'),
    (59.4, '59.4 s'),
    (61.0, '1 min 1 s'),
    (3599.7, '1 h 0 min'),
    (7500, '2 h 5 min'),
    (86_400, '1 d 0 h'),
    (3.2 * 86_400, '3 d 5 h'),
    (None, None),
    (math.nan, None),
  ],
)
def test_duration(value: float | None, said: str | None) -> None:
  assert formats.duration(value) == said


@pytest.mark.parametrize(
  ('value', 'said'),
  [
    (0, '0 bytes'),
    (1023, '1,023 bytes'),
    (313600, '306 KiB'),
    (2**40, '1 TiB'),
  ],
)
def test_size(value: int, said: str) -> None:
  assert formats.size(value) == said


@pytest.mark.parametrize(
  ('score', 'said'),
  [
    ({'mean': 96.53, 'std': None}, '96.5'),
    ({'mean': 64.9, 'std': 3.52}, '64.9 ± 3.5'),
    ({'mean': 64.9, 'std': 0.04}, '64.90 ± 0.04'),
    ({'mean': None}, None),
    (None, None),
  ],
)
def test_accuracy(score: dict[str, float] | None, said: str | None) -> None:
  assert formats.accuracy(score) == said


def test_signed_has_no_negative_zero() -> None:
  assert formats.signed(-0.01) == '0.0'
  assert formats.signed(-3.14) == formats.MINUS + '3.1'
  assert formats.signed(3.14) == '+3.1'


def test_number_takes_numpy_scalars_but_not_booleans() -> None:
  assert formats.number(np.float32(0.5)) == 0.5
  assert formats.number(True) is None
  assert formats.number('1') is None


def test_titles() -> None:
  assert formats.title('frepo') == 'FRePo'
  assert formats.title('my_set') == 'my_set'
