"""The laws of `dd_jax.methods.selection.Select`."""

from typing import Any

import jax
import numpy as np

from dd_jax.methods.selection import Select, selection
from dd_jax.testing.cases import on_host, require, toy_source
from dd_jax.testing.method import check_method

_IPC = 2


def check_selection(select: Select, source: Any = None) -> None:
  """Holds a selection against every law.

  It gives int32 `[k, ipc]`, row `c` the indices of different examples of class
  `c`; the same for the same key, from the device and from the host. As a method
  it keeps the laws of methods.

  Args:
    select: as it is registered.
    source: real data on the device; by default `cases.toy_source()`.

  Raises:
    AssertionError: names the first law that is broken and what was seen.
  """
  source = toy_source() if source is None else source
  choose = lambda source: select(jax.random.key(0), source, _IPC, _pixels)
  index, wanted = choose(source), (source.num_classes, _IPC)
  integers = isinstance(index, np.ndarray) and index.dtype == np.int32
  found = f'{type(index).__name__} {getattr(index, "dtype", "")}'
  require(integers, 'indices', f'{found}, no int32 NumPy array')
  told = f'{index.shape} where {wanted} should be'
  require(index.shape == wanted, 'indices', told)
  for label, row in enumerate(index):
    own = bool(np.all(np.asarray(source.take(row).label).argmax(-1) == label))
    require(own, 'indices', f'of class {label}, {row} are not all of it')
    require(len({*row.tolist()}) == _IPC, 'indices', f'{row} holds one twice')
  require(np.array_equal(choose(source), index), 'pure', 'another choice')
  same = np.array_equal(choose(on_host(source)), index)
  require(same, 'sources_agree', 'another choice from the host')
  check_method(lambda: selection(select, _IPC, _pixels), source)


def _pixels(image: jax.Array) -> jax.Array:
  return image.reshape(image.shape[0], -1)
