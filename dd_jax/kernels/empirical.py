r"""Empirical kernels of finite networks: NNGP by features, NTK by Jacobians.

.. math:: K = \phi(x) \phi(x')^T / d, \qquad
  \Theta_{cc'} = J_c(x) J_{c'}(x')^T

with :math:`\phi` the d penultimate features and :math:`J_c` the gradient of
logit c in the parameters. Both are computed block by block of images. A
Jacobian is as large as the network for every image and class, so blocks follow
from a budget of bytes; blocks of the second batch are made anew for each block
of the first.
"""

import functools
import math
from collections.abc import Callable
from typing import Literal

import jax
import jax.numpy as jnp

from dd_jax.checks import check_name
from dd_jax.networks import Network
from dd_jax.types import Kernel, PyTree, UserError

_HIGHEST = jax.lax.Precision.HIGHEST
_BUDGET = 1 << 29
_FEATURE_BLOCK = 256

Contract = Callable[[jax.Array, jax.Array], jax.Array]


def empirical_kernel(
  network: Network,
  variables: PyTree,
  get: Literal['ntk', 'nngp'] = 'ntk',
  *,
  block: int | None = None,
) -> Kernel:
  """The kernel of one network, called as the exact kernels are.

  The NTK is the mean over logits c of `Theta_cc`, what neural-tangents gives by
  default; `empirical_ntk` gives all of it. Networks run in evaluation mode.

  Args:
    network: any.
    variables: its own.
    get: 'ntk' or 'nngp'.
    block: images at a time; by default as many as half a GiB of Jacobians
      holds, 256 for the NNGP.

  Returns:
    `kernel(x1 [n, h, w, c], x2 [m, h, w, c] or None) -> [n, m]`; differentiable
    in reverse mode.

  Raises:
    UserError: another `get`, or a block below 1.
  """
  _check(get, block)

  def features(x: jax.Array) -> list[jax.Array]:
    phi = network.apply(variables, x)[0].features
    return [phi / phi.shape[1] ** 0.5]

  def jacobian(x: jax.Array) -> list[jax.Array]:
    leaves = jax.tree.leaves(_jacobian(network, variables, x))
    return [a / a.shape[1] ** 0.5 for a in leaves]

  if get == 'nngp':
    size = lambda x: block or _FEATURE_BLOCK
    return functools.partial(_blocked, features, _all_axes, size)
  size = lambda x: block or _block(network, variables, x)
  return functools.partial(_blocked, jacobian, _all_axes, size)


def empirical_ntk(
  network: Network,
  variables: PyTree,
  x1: jax.Array,
  x2: jax.Array | None = None,
  *,
  block: int | None = None,
) -> jax.Array:
  """The whole NTK, `[n, m, k, k]`; see `empirical_kernel`."""
  _check('ntk', block)

  def jacobian(x: jax.Array) -> list[jax.Array]:
    return jax.tree.leaves(_jacobian(network, variables, x))

  size = lambda x: block or _block(network, variables, x)
  return _blocked(jacobian, _by_logit, size, x1, x2)


def _jacobian(network: Network, variables: PyTree, x: jax.Array) -> PyTree:
  """Gradients of the logits: leaves `[n, k, ...]`; one image at a time."""

  def logits(params: PyTree, image: jax.Array) -> jax.Array:
    out, _ = network.apply({**variables, 'params': params}, image[None])
    return out.logits[0]

  one = lambda image: jax.jacrev(logits)(variables['params'], image)
  return jax.lax.map(one, x)


def _all_axes(a: jax.Array, b: jax.Array) -> jax.Array:
  """`[n, ...]` with `[m, ...]` over all of the rest: `[n, m]`."""
  a, b = a.reshape(a.shape[0], -1), b.reshape(b.shape[0], -1)
  return jnp.matmul(a, b.T, precision=_HIGHEST)


def _by_logit(a: jax.Array, b: jax.Array) -> jax.Array:
  """`[n, k, ...]` with `[m, k, ...]`: `[n, m, k, k]`."""
  a, b = (x.reshape(*x.shape[:2], -1) for x in (a, b))
  return jnp.einsum('ncp,mdp->nmcd', a, b, precision=_HIGHEST)


def _blocked(
  rows: Callable[[jax.Array], list[jax.Array]],
  contract: Contract,
  block: Callable[[jax.Array], int],
  x1: jax.Array,
  x2: jax.Array | None = None,
) -> jax.Array:
  """Sums `contract` over the leaves of `rows(x1)`, `rows(x2)`, in blocks."""
  x2 = x1 if x2 is None else x2
  size = min(block(x1), max(x1.shape[0], x2.shape[0]))
  first, second = _cut(x1, size), _cut(x2, size)

  def pair(a: list[jax.Array], y: jax.Array) -> jax.Array:
    parts = [contract(p, q) for p, q in zip(a, rows(y), strict=True)]
    return functools.reduce(jnp.add, parts)

  def row(x: jax.Array) -> jax.Array:
    a = rows(x)
    found = jax.lax.map(lambda y: pair(a, y), second)
    return jnp.moveaxis(found, 0, 1).reshape(size, -1, *found.shape[3:])

  found = jax.lax.map(row, first)
  whole = found.reshape(-1, *found.shape[2:])
  return whole[: x1.shape[0], : x2.shape[0]]


def _cut(x: jax.Array, size: int) -> jax.Array:
  """Blocks `[b, size, ...]`; the last one is filled up with copies."""
  count = -(-x.shape[0] // size)
  index = jnp.arange(count * size) % x.shape[0]
  return x[index].reshape(count, size, *x.shape[1:])


def _block(network: Network, variables: PyTree, x: jax.Array) -> int:
  """Images whose Jacobians, of two blocks, fit the budget."""
  shapes = jax.eval_shape(
    functools.partial(_jacobian, network, variables), x[:1]
  )
  leaves = jax.tree.leaves(shapes)
  each = sum(math.prod(a.shape) * a.dtype.itemsize for a in leaves)
  return max(1, _BUDGET // (2 * each))


def _check(get: str, block: int | None) -> None:
  check_name('kernel.get', get, ('ntk', 'nngp'))
  if block is not None and block < 1:
    raise UserError(f'kernel.block={block}: allowed are 1 and more')
