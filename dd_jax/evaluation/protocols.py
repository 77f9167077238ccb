"""Named protocols: what is trained on a distilled set, and how it is scored.

A figure means nothing without its protocol: the same set scores points apart
under another. Each is a short factory here, by the name in the reports.

| name | what is trained | source |
|---|---|---|
| `dc` | ConvNet-D3-W128, SGD, 300 epochs (1,000 with augmentation) | DC |
| `mtt` | as `dc`, at the learned step size, always augmented (DSA) | MTT |
| `dd` | LeNet, the learned steps from the learned start, in order | DD |
| `ld` | LeNet, Adam at 1e-3 for the learned number of steps | LD |
| `frepo` | ConvNet, Adam with warm-up and cosine, squared error | FRePo |
| `krr-ntk` | kernel ridge regression, exact NTK | KIP |
| `krr-nngp` | kernel ridge regression, exact NNGP | KIP |
| `kip-nn` | KIP's ConvNet-W1024, SGD at a quarter of its largest step | KIP |
| `krr-feature` | ridge regression on features of `frepo`'s networks | FRePo |
| `krr-random` | kernel ridge regression, 16 random networks' kernel | RFAD |
| `rfad-nn` | ConvNet-D3-W1024 minus its start, SGD, scaled labels | RFAD |
| `rcig` | as `frepo`, Adam at 1e-4, mirror images, no augmentation | RCIG |
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from dd_jax import augment
from dd_jax.checks import check_name
from dd_jax.data.labels import LabelEncoding
from dd_jax.data.source import Source
from dd_jax.evaluation.learners import Recipe, Support, learner_test
from dd_jax.evaluation.ordered import ordered_test
from dd_jax.evaluation.regression import feature_test, kernel_test
from dd_jax.evaluation.tangent import tangent_test
from dd_jax.evaluation.wide import (
  centred,
  decay_to_start,
  random_feature_test,
)
from dd_jax.kernels import Ridge, dense_kernel
from dd_jax.losses import soft_cross_entropy, squared_error
from dd_jax.methods.frepo import with_flips
from dd_jax.networks import NETWORKS, Network
from dd_jax.types import (
  Augment,
  DistilledData,
  Kernel,
  Key,
  LabeledData,
  PyTree,
)

# FRePo's steps by set size; a size between two takes the next larger one's.
_FREPO_STEPS = {
  10: 1000,
  100: 2000,
  200: 20000,
  400: 5000,
  500: 5000,
  1000: 10000,
  2000: 40000,
  5000: 40000,
}


_DC_STEP_SIZE, _DC_BATCH = 0.01, 256
_DIGITS = ('mnist', 'svhn_cropped', 'digits')
_DSA_DIGITS = 'color_crop_cutout_scale_rotate'

Tester = Callable[[Key, Support, Source], jax.Array]
"""`(keys [m], data, test) -> accuracies in [0, 1] [m]`."""


class Setting(NamedTuple):
  """What a protocol may depend on.

  Attributes:
    dataset: its name: DC augments MNIST and nothing else.
    image_shape: `(h, w, c)`.
    num_classes: `k`.
    label_encoding: of the distilled labels, 'one-hot' or 'centred'.
    network: replaces the protocol's own learner, where given.
    kernel: replaces the exact kernel; `(get) -> Kernel`.
    ridge: of kernel and feature regression.
    steps: replaces the protocol's own number of steps, where given.
    networks: random networks in one kernel, for `krr-random`.
    mesh: whose `data` axis learners are split over, or None.
  """

  dataset: str
  image_shape: tuple[int, int, int]
  num_classes: int
  label_encoding: str = 'one-hot'
  network: Network | None = None
  kernel: Callable[..., Kernel] = dense_kernel
  ridge: Ridge = Ridge(1e-6, 'trace')
  steps: int | None = None
  networks: int = 16
  mesh: jax.sharding.Mesh | None = None


class Protocol(NamedTuple):
  """A way to score a distilled set.

  Attributes:
    name: as reports show it.
    score: `(keys [m], data, test) -> accuracies in [0, 1]`, `[m]`; one learner
      a key.
    exact: nothing is random: one key is enough and there is no deviation.
  """

  name: str
  score: Callable[[Key, DistilledData, Source], jax.Array]
  exact: bool = False


def dc(setting: Setting) -> Protocol:
  """The protocol of DC (arXiv 2006.05929), with its augmentation of MNIST.

  SGD at 0.01 with momentum 0.9 and weight decay 5e-4, batches of 256, for 301
  epochs, 1,001 with augmentation; a tenth of the rate and a fresh momentum from
  the middle on. Labels on the simplex are used as they are, any others by their
  largest entry.
  """
  transform = augment.dc_mnist() if setting.dataset == 'mnist' else None
  epochs = 300 if transform is None else 1000
  network = setting.network or NETWORKS['convnet'](
    setting.image_shape, setting.num_classes
  )

  @functools.cache
  def tester(size: int) -> Tester:
    chosen = _dc_recipe(network, size, epochs, transform, setting.steps)
    return learner_test(chosen._replace(mesh=setting.mesh))

  def score(keys: Key, data: DistilledData, test: Source) -> jax.Array:
    support = LabeledData(data.image, _on_simplex(setting, data.label))
    return tester(len(data.label))(keys, support, test)

  return Protocol('dc', score)


def mtt(setting: Setting) -> Protocol:
  """The protocol of trajectory matching (arXiv 2203.11932).

  As `dc` for 1,001 epochs, with every image of a batch augmented on its own by
  one operation of DSA (none flips digits), at the step size that was learned
  with the set; 0.01 where none was.
  """
  strategy = _DSA_DIGITS if setting.dataset in _DIGITS else augment.DSA
  transform = augment.dsa(strategy, siamese=False)
  network = setting.network or NETWORKS['convnet'](
    setting.image_shape, setting.num_classes
  )

  @functools.cache
  def tester(size: int) -> Tester:
    chosen = _dc_recipe(network, size, 1000, transform, setting.steps)
    half = _dc_half(size, 1000, setting.steps)

    def optimizer(data: DistilledData) -> optax.GradientTransformation:
      rate = data.step_size
      if rate is None or rate.ndim:  # none learned, or one for each step
        return _dc_optimizer(_DC_STEP_SIZE, half)
      return _dc_optimizer(rate, half)

    return learner_test(chosen._replace(optimizer=optimizer, mesh=setting.mesh))

  def score(keys: Key, data: DistilledData, test: Source) -> jax.Array:
    label = _on_simplex(setting, data.label)
    support = DistilledData(data.image, label, data.step_size)
    return tester(len(label))(keys, support, test)

  return Protocol('mtt', score)


def dd(setting: Setting) -> Protocol:
  """The protocol of dataset distillation (arXiv 1811.10959).

  Plain gradient descent from the set's own initial network where it has one, a
  batch and a learned step size for each step, cross-entropy with the labels as
  they are. A set that has learned no steps is trained on for 30 of 0.02.
  """
  network = setting.network or NETWORKS['lenet'](
    setting.image_shape, setting.num_classes
  )
  tester = ordered_test(network, setting.mesh)

  def score(keys: Key, data: DistilledData, test: Source) -> jax.Array:
    label = _on_simplex(setting, data.label)
    return tester(keys, data._replace(label=label, factors=None), test)

  return Protocol('dd', score)


_LD_STEPS = 300


def ld(setting: Setting) -> Protocol:
  """The protocol of label distillation (arXiv 2006.08572).

  Adam at 1e-3 on batches of 50, cross-entropy with the labels as they are, for
  as many steps as the restart rule found; 300 where the set has no such number.
  """

  def steps(data: DistilledData) -> int | jax.Array:
    learned = _LD_STEPS if data.num_steps is None else data.num_steps
    return setting.steps or learned

  network = setting.network or NETWORKS['lenet'](
    setting.image_shape, setting.num_classes
  )
  tester = learner_test(
    Recipe(
      network,
      optax.adam(1e-3),
      soft_cross_entropy,
      steps,
      50,
      mesh=setting.mesh,
    )
  )

  def score(keys: Key, data: DistilledData, test: Source) -> jax.Array:
    label = _on_simplex(setting, data.label)
    return tester(keys, data._replace(label=label, factors=None), test)

  return Protocol('ld', score)


def _on_simplex(setting: Setting, label: jax.Array) -> jax.Array:
  """Labels as cross-entropy wants them."""
  if setting.label_encoding == 'one-hot':
    return label
  return jax.nn.one_hot(label.argmax(-1), label.shape[-1])


def _dc_recipe(
  network: Network,
  size: int,
  epochs: int,
  transform: Augment | None,
  steps: int | None,
) -> Recipe:
  batch_size = min(_DC_BATCH, size)
  per_epoch = -(-size // batch_size)
  num_steps = steps or (epochs + 1) * per_epoch
  optimizer = _dc_optimizer(_DC_STEP_SIZE, _dc_half(size, epochs, steps))
  return Recipe(
    network, optimizer, soft_cross_entropy, num_steps, batch_size, transform
  )


def _dc_half(size: int, epochs: int, steps: int | None) -> int:
  """The step from which the rate is a tenth."""
  per_epoch = -(-size // min(_DC_BATCH, size))
  return steps // 2 if steps else (epochs // 2 + 2) * per_epoch


def _dc_optimizer(
  step_size: float | jax.Array, half: int
) -> optax.GradientTransformation:
  return restarted_sgd(step_size, half, momentum=0.9, weight_decay=5e-4)


class RestartState(NamedTuple):
  """State of `restarted_sgd`."""

  step: jax.Array
  momentum: PyTree


def restarted_sgd(
  step_size: float | jax.Array,
  restart: int,
  *,
  momentum: float,
  weight_decay: float,
) -> optax.GradientTransformation:
  """SGD whose rate drops to a tenth at step `restart`, momentum from zero."""

  def init(params: PyTree) -> RestartState:
    zeros = jax.tree.map(jnp.zeros_like, params)
    return RestartState(jnp.zeros((), jnp.int32), zeros)

  def update(
    gradient: PyTree, state: RestartState, params: PyTree = None
  ) -> tuple[PyTree, RestartState]:
    kept = jnp.where(state.step == restart, 0.0, momentum)
    rate = jnp.where(state.step < restart, step_size, 0.1 * step_size)
    trace = jax.tree.map(
      lambda g, p, m: kept * m + g + weight_decay * p,
      gradient,
      params,
      state.momentum,
    )
    updates = jax.tree.map(lambda m: -rate * m, trace)
    return updates, RestartState(state.step + 1, trace)

  return optax.GradientTransformation(init, update)


def frepo(setting: Setting) -> Protocol:
  """FRePo's final evaluation (arXiv 2206.00719).

  Adam at 3e-4, warmed up over 500 steps and annealed by a cosine to a
  hundredth, batches of at most 500, squared error on the labels as learned, one
  augmentation a step; the number of steps follows from the size of the set. The
  learner is FRePo's ConvNet without normalisation.
  """
  tester = functools.cache(lambda n: learner_test(_frepo_recipe(setting, n)))

  def score(keys: Key, data: DistilledData, test: Source) -> jax.Array:
    return tester(len(data.image))(keys, _centred(setting, data), test)

  return Protocol('frepo', score)


def krr_feature(setting: Setting) -> Protocol:
  """Ridge regression on the features of networks that `frepo` trains."""
  tester = functools.cache(
    lambda n: feature_test(_frepo_recipe(setting, n), setting.ridge)
  )

  def score(keys: Key, data: DistilledData, test: Source) -> jax.Array:
    return tester(len(data.image))(keys, _centred(setting, data), test)

  return Protocol('krr-feature', score)


def _frepo_recipe(setting: Setting, size: int) -> Recipe:
  colour = setting.image_shape[-1] == 3
  strategy = ('flip_' if colour else '') + 'color_crop_rotate_translate_cutout'
  network = setting.network or NETWORKS['frepo_convnet'](
    setting.image_shape, setting.num_classes, norm='none'
  )
  num_steps = setting.steps or _frepo_steps(size)
  schedule = optax.warmup_cosine_decay_schedule(
    0.0, 3e-4, min(500, num_steps // 2), num_steps, 3e-6
  )
  return Recipe(
    network,
    optax.adam(schedule),
    squared_error,
    num_steps,
    500,
    augment.frepo(strategy),
    setting.mesh,
  )


def _frepo_steps(size: int) -> int:
  sizes = [n for n in sorted(_FREPO_STEPS) if n >= size]
  return _FREPO_STEPS[sizes[0] if sizes else max(_FREPO_STEPS)]


def krr_random(setting: Setting) -> Protocol:
  """Ridge regression with the kernel that random networks estimate (RFAD)."""
  network = setting.network or NETWORKS['nngp_convnet'](
    setting.image_shape, setting.num_classes
  )
  tester = random_feature_test(
    network, setting.networks, setting.ridge, setting.mesh
  )

  def score(keys: Key, data: DistilledData, test: Source) -> jax.Array:
    return tester(keys, _centred(setting, data), test)

  name = 'krr-random'
  if setting.networks != Setting._field_defaults['networks']:
    name += f' of {setting.networks}'
  return Protocol(name, score)


# RFAD's step size, label scale and decay by set and images per class.
_RFAD_RATES = {
  ('cifar10', 1): (1e-3, 8.0, 0.0),
  ('cifar10', 10): (1e-3, 2.0, 0.0),
  ('cifar10', 50): (1e-2, 2.0, 0.0),
  ('mnist', 1): (1e-3, 8.0, 1e-3),
  ('cifar100', 1): (1e-1, 8.0, 0.0),
  ('cifar100', 10): (1e-1, 2.0, 0.0),
}
_RFAD_STEPS = 1000


def rfad_nn(setting: Setting) -> Protocol:
  """RFAD's wide network (arXiv 2210.12067).

  A plain ConvNet of width 1,024 minus itself at the start, SGD with momentum
  0.9 on the whole set (batches of 513), squared error to labels times a scale,
  divided by its square, decay towards the start. Those authors stop early, on a
  validation set, within 20,000 steps; here it is 1,000 steps, or as many as the
  setting says. Sets that they give no rates for get those of CIFAR-10.
  """
  network = setting.network or NETWORKS['nngp_convnet'](
    setting.image_shape, setting.num_classes, width=1024
  )

  @functools.cache
  def tester(size: int) -> Tester:
    ipc = max(1, size // setting.num_classes)
    near = min((1, 10, 50), key=lambda known: abs(known - ipc))
    known = _RFAD_RATES.get((setting.dataset, near))
    rate, scale, decay = known or _RFAD_RATES['cifar10', near]
    optimizer = optax.chain(
      decay_to_start(decay), optax.sgd(rate, momentum=0.9)
    )
    return learner_test(
      Recipe(
        centred(network),
        optimizer,
        lambda logits, label: _scaled_error(logits, label, scale),
        setting.steps or _RFAD_STEPS,
        513,
        mesh=setting.mesh,
      )
    )

  def score(keys: Key, data: DistilledData, test: Source) -> jax.Array:
    return tester(len(data.image))(keys, _centred(setting, data), test)

  return Protocol('rfad-nn', score)


def _scaled_error(
  logits: jax.Array, label: jax.Array, scale: float
) -> jax.Array:
  return jnp.mean((logits - scale * label) ** 2, -1) / scale**2


def rcig(setting: Setting) -> Protocol:
  """RCIG's evaluation without augmentation (arXiv 2302.06755).

  Adam at 1e-4, warmed up and annealed as `frepo`'s, 1,000 steps for one image
  per class of ten and 2,000 for more, batches of at most 256; colour images
  come with their mirror images.
  """

  @functools.cache
  def tester(size: int) -> Tester:
    num_steps = setting.steps or (1000 if size <= 10 else 2000)
    schedule = optax.warmup_cosine_decay_schedule(
      0.0, 1e-4, min(500, num_steps // 2), num_steps, 1e-6
    )
    plain = _frepo_recipe(setting, size)
    return learner_test(
      plain._replace(
        optimizer=optax.adam(schedule),
        num_steps=num_steps,
        batch_size=256,
        augment=None,
      )
    )

  def score(keys: Key, data: DistilledData, test: Source) -> jax.Array:
    support = _centred(setting, data)
    size = len(support.image)
    if setting.image_shape[-1] == 3:
      support = with_flips(support)
    return tester(size)(keys, support, test)

  return Protocol('rcig', score)


def _krr(get: str) -> Callable[[Setting], Protocol]:
  def factory(setting: Setting) -> Protocol:
    tester = kernel_test(setting.kernel(get), setting.ridge)

    def score(keys: Key, data: DistilledData, test: Source) -> jax.Array:
      accuracy = tester(_centred(setting, data), test)
      return jnp.broadcast_to(accuracy, (len(keys),))

    return Protocol(f'krr-{get}', score, exact=True)

  return factory


def kip_nn(setting: Setting) -> Protocol:
  """KIP's finite network (arXiv 2107.13034): see `tangent.tangent_test`.

  ConvNet of width 1,024 without normalisation, 5,000 steps, labels as learned.
  """
  network = setting.network or NETWORKS['kip_convnet'](
    setting.image_shape, setting.num_classes
  )
  tester = tangent_test(network, setting.steps or 5000, setting.mesh)

  def score(keys: Key, data: DistilledData, test: Source) -> jax.Array:
    return tester(keys, _centred(setting, data), test)

  return Protocol('kip-nn', score)


def _centred(setting: Setting, data: DistilledData) -> LabeledData:
  """Labels as regression wants them."""
  label = data.label
  if setting.label_encoding == 'one-hot':
    label = LabelEncoding('centred').encode(label)
  return LabeledData(data.image, label)


PROTOCOLS: dict[str, Callable[[Setting], Protocol]] = {
  'dc': dc,
  'mtt': mtt,
  'dd': dd,
  'ld': ld,
  'frepo': frepo,
  'krr-ntk': _krr('ntk'),
  'krr-nngp': _krr('nngp'),
  'kip-nn': kip_nn,
  'krr-feature': krr_feature,
  'krr-random': krr_random,
  'rfad-nn': rfad_nn,
  'rcig': rcig,
}
"""By name: `(Setting) -> Protocol`."""


def protocol(name: str, setting: Setting) -> Protocol:
  """The protocol of that name.

  Raises:
    UserError: there is none.
  """
  check_name('protocol', name, PROTOCOLS)
  return PROTOCOLS[name](setting)


class Score(NamedTuple):
  """Accuracy under a protocol, in percent.

  Attributes:
    protocol: its name.
    mean: over learners.
    std: sample standard deviation; None for a single or exact value.
    values: one for each learner.
  """

  protocol: str
  mean: float
  std: float | None
  values: tuple[float, ...]


def evaluate(
  protocol: Protocol,
  key: Key,
  data: DistilledData,
  test: Source,
  *,
  num_learners: int = 5,
) -> Score:
  """Scores `data` on `test` with fresh learners, all together."""
  count = 1 if protocol.exact else num_learners
  accuracies = protocol.score(jax.random.split(key, count), data, test)
  values = tuple(round(100 * float(a), 4) for a in accuracies)
  return summary(protocol.name, values)


def summary(name: str, values: tuple[float, ...]) -> Score:
  """Mean and deviation of accuracies in percent."""
  mean = sum(values) / len(values)
  if len(values) == 1:
    return Score(name, round(mean, 4), None, values)
  square = sum((v - mean) ** 2 for v in values) / (len(values) - 1)
  return Score(name, round(mean, 4), round(square**0.5, 4), values)
