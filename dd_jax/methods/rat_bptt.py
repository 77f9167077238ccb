r"""RaT-BPTT: through a random window of training (arXiv 2310.08566).

.. math::
  \min_S \mathbb{E}_W L(\theta_W(S)) , \quad
  \theta_{t+1} = \theta_t - U(\nabla_\theta l(\theta_t; S_t)) ,

differentiated through the last `M` of `W` steps alone, a window that lies at a
random place of a longer training (Feng et al.).
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax

from dd_jax.checks import check_least, check_name
from dd_jax.distiller import Distiller
from dd_jax.methods.clipping import clip_to_average
from dd_jax.methods.inner_loop import InnerLoop
from dd_jax.methods.meta_gradient import meta_gradient_descent
from dd_jax.methods.method import Method
from dd_jax.networks import Network
from dd_jax.parameterization.base import Parameterization
from dd_jax.types import Augment, Key, UserError


def rat_bptt(
  parameterization: Parameterization,
  network: Network,
  optimizer: optax.GradientTransformation,
  *,
  batch_size: int = 5000,
  inner_optimizer: optax.GradientTransformation | None = None,
  inner_steps: int = 200,
  window: int = 60,
  first_start: int = 0,
  placement: str = 'random',
  pace: int = 100,
  inner_batch_size: int = 1000,
  networks: int = 1,
  clip: float = 2.0,
  plan: str = 'remat',
  memory: float = 4.0,
  inner_augment: Augment | None = None,
  augment_real: bool = False,
) -> Distiller:
  """Back-propagation through a random window of training.

  The other arguments are those of `bptt`.

  Args:
    optimizer: the paper's is Adam at 1e-3.
    inner_optimizer: trains the network; the paper's, and the default, is Adam
      at 1e-3 (with 1e-12 inside the root: its derivative stays finite where a
      gradient is zero).
    inner_steps: of the whole training; the window lies within.
    window: steps that are differentiated; the loss is that at its end.
    first_start: the least number of steps before the window.
    placement: where the window lies: 'random', 'end', or 'forward', which moves
      it on by a step every `pace` outer steps.
    pace: see `placement`.
    augment_real: the real images are augmented as those of the inner loop are.
    clip: the gradient's norm may be this many times its moving average (of
      decay 0.9); 0 for any.

  Raises:
    UserError: a setting out of range.
  """
  check_least(1, window=window, pace=pace)
  _check_window(inner_steps, window, first_start)
  place = _placement(placement, first_start, inner_steps - window, pace)
  inner = InnerLoop(
    network,
    inner_optimizer or optax.adam(1e-3, eps_root=1e-12),
    inner_batch_size,
    inner_augment,
  )

  transforms = [clip_to_average(clip)] if clip else []
  return meta_gradient_descent(
    parameterization,
    optax.chain(*transforms, optimizer),
    inner,
    window,
    place,
    batch_size=batch_size,
    networks=networks,
    plan=plan,
    memory=memory,
    real_augment=inner_augment if augment_real else None,
  )


def _placement(
  name: str, first: int, last: int, pace: int
) -> Callable[[Key, jax.Array], jax.Array]:
  """`(key, outer step) -> the window's first inner step`."""
  placements = {
    'random': lambda key, step: jax.random.randint(key, (), first, last + 1),
    'end': lambda key, step: jnp.int32(last),
    'forward': lambda key, step: jnp.minimum(first + step // pace, last),
  }
  check_name('placement', name, placements)
  return placements[name]


def _check_window(inner_steps: int, window: int, first_start: int) -> None:
  if window > inner_steps:
    raise UserError(
      f'window={window}: allowed are 1 to {inner_steps}, inner_steps'
    )
  if not 0 <= first_start <= inner_steps - window:
    raise UserError(
      f'first_start={first_start}: allowed are 0 to {inner_steps - window}, '
      'inner_steps less window'
    )


RECIPE = {
  'preprocessing': 'kip',
  'parameterization': {'start': 'unit_noise', 'labels': 'nonnegative'},
  'optimizer': {'name': 'adam', 'learning_rate': 1e-3},
  'inner_optimizer': {'name': 'smooth_adam', 'learning_rate': 1e-3},
  'num_steps': 60_000,
  'validate_every': 1000,
  'evaluation': {'protocol': 'rat'},
}
"""RaT-BPTT's settings for CIFAR-10 (arXiv 2310.08566)."""

METHOD = Method(
  rat_bptt, RECIPE, 'through a random window of training (arXiv 2310.08566)'
)
