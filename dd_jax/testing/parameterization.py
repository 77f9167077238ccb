"""The laws of `dd_jax.parameterization.Parameterization`."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.flatten_util import ravel_pytree

from dd_jax.distiller import Distiller, factors, from_loss
from dd_jax.parameterization import Parameterization
from dd_jax.testing.cases import difference, in_dtype, require, toy_source
from dd_jax.testing.method import check_method
from dd_jax.types import Metrics, PyTree

_ROUNDING = 1e-5
_FAR, _NUDGE = 1e-5, 1e-6  # of a finite difference in float64


def check_parameterization(
  make: Callable[[], Parameterization], source: Any = None
) -> None:
  """Holds a parameterization against every law.

  `init` is pure and strongly typed; `decode` is pure; `project` keeps kinds and
  changes nothing that it has allowed; what a factorised set stores is nested
  dicts of arrays from which a parameterization made anew decodes the same
  images; the gradient of what is decoded is a finite difference. Then it is
  learned by a small method, and that is held against the laws of methods
  (class-major, counted, ...).

  Args:
    make: makes the parameterization for `source`, anew at each call.
    source: real data on the device; by default `cases.toy_source()`: 3 classes
      of 8 x 8 x 1.

  Raises:
    AssertionError: names the first law that is broken and what was seen.
  """
  source = toy_source() if source is None else source
  made = make()
  params, constants = made.init(jax.random.key(0), source)
  again = make().init(jax.random.key(0), source)
  seen = difference((params, constants), again)
  require(not seen, 'init', f'of the same key twice: {seen}')
  _floats(params)
  _projects(made, params)
  if not made.plain:
    _decodes(made, make(), params, constants, source)
  with jax.enable_x64(True):
    _exact(make(), in_dtype(source, jnp.float64))
  # What is projected may lie where a projection has no derivative.
  check_method(lambda: _learned(make()), source, skip=('under_grad',))


def _floats(params: PyTree) -> None:
  other = [
    f'{jax.tree_util.keystr(path)} {x.dtype}'
    for path, x in jax.tree.leaves_with_path(params)
    if not jnp.issubdtype(x.dtype, jnp.floating)
  ]
  require(not other, 'init', f'params that no gradient moves: {other}')


def _projects(made: Parameterization, params: PyTree) -> None:
  moved = jax.tree.map(lambda a: a - 0.5, params)
  once = made.project(moved)
  kinds = [jax.eval_shape(lambda t=t: t) for t in (moved, once)]
  seen = difference(*kinds)
  require(not seen, 'project', seen)
  twice = made.project(once)
  pairs = zip(*map(jax.tree.leaves, (once, twice)), strict=True)
  still = all(np.allclose(a, b, atol=_ROUNDING) for a, b in pairs)
  require(still, 'project', 'what it has allowed changes once more')


def _decodes(
  made: Parameterization,
  anew: Parameterization,
  params: PyTree,
  constants: PyTree,
  source: Any,
) -> None:
  """From what an artefact holds, as an artefact holds it."""
  stored = factors(params, constants)
  plain = _only_dicts(stored)
  require(plain, 'decode', 'what is stored is no nested dict of arrays')
  data = made.decode(params, constants)
  held = {'label': data.label, **stored['params']}
  image = anew.decode(jax.tree.map(np.asarray, held), stored['constants']).image
  close = np.allclose(image, data.image, atol=_ROUNDING)
  require(close, 'decode', 'made anew, it decodes the factors to other images')


def _exact(made: Parameterization, source: Any) -> None:
  params, constants = made.init(jax.random.key(0), source)
  flat, unflatten = ravel_pytree(params)
  decode = lambda flat: made.decode(unflatten(flat), constants)
  rng = np.random.default_rng(0)
  draw = lambda x: rng.normal(size=x.shape)
  weight = jax.tree.map(draw, jax.eval_shape(decode, flat))
  nudge = draw(flat)
  loss = jax.jit(lambda flat: optax.tree.vdot(weight, decode(flat)))
  slope = float(jnp.vdot(nudge, jax.grad(loss)(flat)))
  moved = [loss(flat + e * nudge) for e in (_NUDGE, -_NUDGE)]
  expected = float(moved[0] - moved[1]) / (2 * _NUDGE)
  near = abs(slope - expected) <= _FAR * max(abs(expected), 1)
  told = f'a derivative of {slope:.6g}, by difference {expected:.6g}'
  require(near, 'exact', told)


def _only_dicts(tree: PyTree) -> bool:
  if isinstance(tree, dict):
    return all(map(_only_dicts, tree.values()))
  return hasattr(tree, 'dtype')


def _learned(parameterization: Parameterization) -> Distiller:
  """Images near the mean of a batch, and small labels: a loss of everything."""

  def loss(learned: Any, batch: Any, context: Any) -> tuple[Any, Metrics]:
    del context
    gap = learned.data.image - batch.image.mean(0)
    return jnp.mean(gap**2) + jnp.mean(learned.data.label**2), {}

  def sample(key: Any, step: jax.Array, source: Any) -> Any:
    del step
    return source.take(jax.random.randint(key, (4,), 0, len(source)))

  return from_loss(parameterization, optax.sgd(0.1), loss, sample=sample)
