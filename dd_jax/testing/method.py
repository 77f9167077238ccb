"""All laws of a method, one after the other."""

import functools
from collections.abc import Callable, Collection
from typing import Any

from dd_jax.checks import check_name
from dd_jax.testing import laws, programs
from dd_jax.testing.cases import Case, Make, case, toy_source

LAWS: dict[str, Callable[[Case], None]] = {
  law.__name__: law
  for law in (
    laws.closed,
    laws.compiles_once,
    laws.pure,
    laws.sample_is_pure,
    laws.sample_varies,
    laws.sources_agree,
    laws.whole,
    laws.leading_axis,
    laws.fresh_buffers,
    laws.structure,
    laws.donated,
    laws.shapes,
    laws.class_major,
    laws.distilled_is_pure,
    laws.counted,
    laws.lowers,
    programs.through_orbax,
  )
}
"""By name; of a method that is made and compiled once."""

PROGRAMS: dict[str, Callable[[Make, Any], None]] = {
  law.__name__: law
  for law in (
    programs.under_vmap,
    programs.inside_scan,
    programs.under_grad,
    programs.in_float64,
    programs.in_float32,
  )
}
"""By name; these make the method anew, where float64 is switched on."""


def check_method(
  make: Make, source: Any = None, *, skip: Collection[str] = ()
) -> None:
  """Holds a method against every law.

      check_method(
        lambda: mean_match(pixels(2), optax.sgd(0.1), batch_size=8)
      )

  Tiny settings are enough, and quick. An optimiser that can be differentiated
  (SGD) lets `under_grad` look through it.

  Args:
    make: makes the method, anew at each call.
    source: real data on the device, such as `dd_jax.data.source.resident` or,
      with experts, `dd_jax.experts.with_experts` gives; by default
      `cases.toy_source()`: 3 classes of 8 x 8 x 1.
    skip: laws, by name, that the method does not mean to keep.

  Raises:
    AssertionError: names the first law that is broken and what was seen.
    UserError: an unknown name in `skip`.
  """
  for name in skip:
    check_name('skip', name, (*LAWS, *PROGRAMS))
  source = toy_source() if source is None else source
  held = case(make, source)
  asked = {name: functools.partial(law, held) for name, law in LAWS.items()}
  for name, program in PROGRAMS.items():
    asked[name] = functools.partial(program, make, source)
  for name, ask in asked.items():
    if name not in skip:
      _ask(name, ask)


def _ask(name: str, law: Callable[[], None]) -> None:
  """Whatever a law meets, its name is said."""
  try:
    law()
  except AssertionError:
    raise
  except Exception as error:
    what = ' '.join(f'{type(error).__name__}: {error}'.split())
    raise AssertionError(f'{name}: {what}') from error
