"""The laws of `dd_jax.types.Kernel`."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from dd_jax.testing.cases import difference, require, spread
from dd_jax.types import Kernel

_ROUNDING = 1e-5  # of float32
_FAR, _NUDGE = 1e-5, 1e-6  # of a finite difference in float64
_LEAST = -1e-5  # of an eigenvalue, of the largest
_PLATFORMS = ('cpu', 'cuda', 'tpu')


def check_kernel(
  make: Callable[[], Kernel],
  image_shape: tuple[int, int, int] = (8, 8, 1),
) -> None:
  """Holds a kernel against every law.

  `kernel(x1 [n, ...], x2 [m, ...])` is `[n, m]` in the images' dtype, pure, and
  each entry depends on its two images alone; `kernel(x, None)` is
  `kernel(x, x)`, symmetric and positive semidefinite; the gradient is finite on
  duplicates and zero images, and is what a finite difference gives in float64
  in both arguments; it lowers for cpu, cuda and tpu.

  Args:
    make: makes the kernel, anew at each call.
    image_shape: `(h, w, c)` of what it takes.

  Raises:
    AssertionError: names the first law that is broken and what was seen.
  """
  image = jax.random.normal(jax.random.key(0), (5, *image_shape))
  kernel = make()
  _entries(kernel, image)
  _symmetric(kernel, image)
  _finite(kernel, image)
  with jax.enable_x64(True):
    _exact(make(), image.astype(jnp.float64))
  _lowers(kernel, image)


def _entries(kernel: Kernel, image: jax.Array) -> None:
  one, other = image[:3], image[3:]
  found = kernel(one, other)
  require(found.shape == (3, 2), 'entries', f'{found.shape} for 3 and 2 images')
  same = found.dtype == image.dtype
  require(same, 'entries', f'{found.dtype} for {image.dtype} images')
  seen = difference(found, kernel(one, other))
  require(not seen, 'entries', f'in two calls, {seen}')
  gap = spread(found[1:2, :1], kernel(one[1:2], other[:1]))
  require(gap <= _ROUNDING, 'entries', f'a pair alone differs by {gap:.1e}')


def _symmetric(kernel: Kernel, image: jax.Array) -> None:
  own = kernel(image, None)
  gap = spread(own, kernel(image, image))
  told = f'kernel(x, None) and kernel(x, x) differ by {gap:.1e}'
  require(gap <= _ROUNDING, 'symmetric', told)
  gap = spread(own, own.T)
  require(gap <= _ROUNDING, 'symmetric', f'its transpose differs by {gap:.1e}')
  values = np.linalg.eigvalsh(np.asarray(own, np.float64))
  told = f'eigenvalues from {values[0]:.1e} to {values[-1]:.1e}'
  require(values[0] >= _LEAST * values[-1], 'positive', told)


def _finite(kernel: Kernel, image: jax.Array) -> None:
  """On duplicates and zeros, where an angle or a length has no derivative."""
  hard = image.at[1].set(image[0]).at[2].set(0).at[4].set(-image[3])
  for name, other in (('None', None), ('itself', hard)):
    total = lambda x, other=other: jnp.sum(kernel(x, other))
    slope = jax.jit(jax.grad(total))(hard)
    finite = bool(np.all(np.isfinite(slope)))
    told = f'against {name}, of duplicates, zeros and opposites, it is not'
    require(finite, 'finite', told)


def _exact(kernel: Kernel, image: jax.Array) -> None:
  rng = np.random.default_rng(0)
  one, other = image[:3], image[3:]
  weight = rng.normal(size=(3, 2)), rng.normal(size=(3, 3))
  total = {
    'first': lambda x: jnp.vdot(weight[0], kernel(x, other)),
    'second': lambda x: jnp.vdot(weight[0], kernel(one[: len(weight[0])], x)),
    'only': lambda x: jnp.vdot(weight[1], kernel(x, None)),
  }
  for name, loss in total.items():
    at = other if name == 'second' else one
    nudge = rng.normal(size=at.shape)
    slope = float(jnp.vdot(nudge, jax.jit(jax.grad(loss))(at)))
    moved = [jax.jit(loss)(at + e * nudge) for e in (_NUDGE, -_NUDGE)]
    expected = float(moved[0] - moved[1]) / (2 * _NUDGE)
    told = f'in its {name} argument {slope:.6g}, by difference {expected:.6g}'
    near = abs(slope - expected) <= _FAR * max(abs(expected), 1)
    require(near, 'exact', told)


def _lowers(kernel: Kernel, image: jax.Array) -> None:
  run = lambda x: kernel(x, None)
  exported = jax.export.export(jax.jit(run), platforms=_PLATFORMS)(image)
  found = exported.platforms
  require(found == _PLATFORMS, 'lowers', f'for {found} alone')
