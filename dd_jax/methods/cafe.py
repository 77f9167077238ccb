r"""CAFE: aligned features of every layer (arXiv 2203.01531).

The support set's class means are matched in every block's activations, and real
images are to be told apart by their nearness to the support set's features,

.. math:: L = \sum_l w_l \sum_c |\bar f_l(T_c) - \bar f_l(S_c)|^2
              - \lambda \sum_{x \in T} \log softmax(F(x) \bar F_S^T)_{y(x)}.

The published loss also holds the cross-entropy of the real images, which has no
gradient to the support set: it is left out. How long a network is in use, and
how it is trained, is in `cafe_loops`.
"""

import functools

import jax
import jax.numpy as jnp
import optax

from dd_jax.checks import check_least
from dd_jax.distiller import Context, Distiller, Learned
from dd_jax.losses import accuracy, soft_cross_entropy, squared_gap
from dd_jax.methods.cafe_loops import Loops, outer_step
from dd_jax.methods.distribution_matching import (
  SHARED_RECIPE,
  class_cross_entropy,
  distribution_matching,
)
from dd_jax.methods.embeddings import Embedding
from dd_jax.methods.method import Method
from dd_jax.models import renewed
from dd_jax.networks import Network
from dd_jax.parameterization.base import Parameterization
from dd_jax.training import Model, epochs, map_chunks, train, train_step
from dd_jax.types import Augment, LabeledData


def cafe(
  parameterization: Parameterization,
  network: Network,
  optimizer: optax.GradientTransformation,
  *,
  augment: Augment | None = None,
  batch_size: int = 256,
  deep_weight: float = 1.0,
  shallow_weight: float = 0.1,
  embedding_weight: float = 1.0,
  discrimination: float = 0.01,
  readings: int = 10,
  reading_size: int = 128,
  settled: float = 0.04,
  moved: float = 0.03,
  outer_cap: int = 100,
  inner_cap: int = 100,
  inner_optimizer: optax.GradientTransformation | None = None,
  inner_batch_size: int = 256,
) -> Distiller:
  """Condensation by aligning features.

  Args:
    parameterization: of the support set, whose labels also train networks.
    network: of any depth.
    optimizer: the paper's is SGD at 0.1, momentum 0.5, the rate halved at 60,
      80 and 90 % of the run.
    augment: siamese; also of the support set while it trains a network.
    batch_size: real images per class.
    deep_weight: of the last block's activations and of their pooled map.
    shallow_weight: of every earlier block's.
    embedding_weight: of the last layer's input.
    discrimination: of the real images' cross-entropy, a sum over them.
    readings: in a window.
    reading_size: real images per class in a reading, the batch's first.
    settled: see `cafe_loops`; an accuracy in [0, 1].
    moved: see `cafe_loops`; an accuracy in [0, 1].
    outer_cap: steps of the support set on one network, at most.
    inner_cap: epochs of one inner loop, at most.
    inner_optimizer: trains the network; the paper's, and the default, is SGD
      at 0.01.
    inner_batch_size: support images in one of its steps, at most.

  Raises:
    UserError: a setting is out of range, and see `distribution_matching`.
  """
  loops = Loops(readings, settled, moved, outer_cap, inner_cap)
  loops.check()
  check_least(1, reading_size=reading_size, inner_batch_size=inner_batch_size)
  inner = inner_optimizer or optax.sgd(0.01)
  one_step = functools.partial(train_step, network, inner, soft_cross_entropy)

  def distance(
    real: Embedding, synthetic: Embedding, context: Context
  ) -> jax.Array:
    del context
    gaps = jax.tree.map(squared_gap, real.mean, synthetic.mean)
    features = real.each.mean(1), synthetic.each.mean(1)
    total = shallow_weight * sum(gaps[:-2]) + deep_weight * sum(gaps[-2:])
    total += embedding_weight * squared_gap(*features)
    return total + discrimination * confusion(real.each, features[1])

  def advance(learned: Learned, batch: LabeledData, context: Context) -> Model:
    assert context.model is not None
    batches, per_epoch = epochs(
      context.key, learned.data, inner_batch_size, augment
    )
    shown = jax.tree.map(
      lambda a: a[:reading_size].reshape(-1, *a.shape[2:]), batch
    )

    def epoch(model: Model, index: jax.Array) -> Model:
      of_epoch = lambda i: batches(per_epoch * index + i)
      trained = train(one_step, model, of_epoch, per_epoch)
      return trained._replace(age=model.age)

    def measure(model: Model) -> jax.Array:
      logits = lambda x: network.apply(model.variables, x)[0].logits
      return accuracy(
        map_chunks(logits, shown.image, network.runs_on.pass_examples),
        shown.label,
      )

    return outer_step(loops, measure, epoch, context.model)

  return distribution_matching(
    parameterization,
    network,
    optimizer,
    embed=lambda out: Embedding(out.taps, out.features),
    distance=distance,
    models=renewed(
      network, inner, lambda model: model.aux.over, aux=loops.start()
    ),
    advance=advance,
    augment=augment,
    batch_size=batch_size,
  )


def confusion(real: jax.Array, centre: jax.Array) -> jax.Array:
  """Cross-entropy of telling real images apart by inner products, summed.

  Args:
    real: features `[k, n, d]`.
    centre: the support set's mean features `[k, d]`.
  """
  logits = jnp.einsum('knd,cd->knc', real, centre)
  return jnp.sum(class_cross_entropy(logits))


RECIPE = {
  **SHARED_RECIPE,
  'parameterization': {'labels': 'fixed', 'start': 'noise'},
  'optimizer': {
    'name': 'sgd',
    'learning_rate': 0.1,
    'momentum': 0.5,
    'schedule': 'halving',
  },
  'inner_optimizer': {'name': 'sgd', 'learning_rate': 0.01},
  # 2,000 networks as published, each seen through ten steps at the least.
  'num_steps': 20_000,
}
"""The published settings with DSA (arXiv 2203.01531)."""

METHOD = Method(cafe, RECIPE, 'aligned features (arXiv 2203.01531)')
