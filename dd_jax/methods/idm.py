r"""IDM: improved distribution matching (arXiv 2307.09742).

.. math:: L = \sum_c | mean_{x \in T_c} \psi(A_c(x))
                       - mean_{s \in S_c} \psi(A_c(s)) |^2
              + \lambda p \, mean_{s \in S_c} \ell(s, c)

on networks in training, with :math:`\ell` the cross-entropy and `p` the
network's own training accuracy in percent: the better it knows the classes, the
more its word counts.
"""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
import optax

from dd_jax.checks import check_least
from dd_jax.distiller import Context, Distiller, Learned
from dd_jax.losses import accuracy, soft_cross_entropy, squared_gap
from dd_jax.methods.decayed_sgd import DECAYED_SGD, decayed_sgd
from dd_jax.methods.distribution_matching import (
  SHARED_RECIPE,
  class_cross_entropy,
  distribution_matching,
  first_model,
)
from dd_jax.methods.embeddings import Embedding
from dd_jax.methods.method import Method
from dd_jax.models import queue
from dd_jax.networks import Network
from dd_jax.parameterization.base import Parameterization
from dd_jax.training import Batch, Model, epochs, train, train_many, train_step
from dd_jax.types import Augment, Key, LabeledData


def idm(
  parameterization: Parameterization,
  network: Network,
  optimizer: optax.GradientTransformation,
  *,
  augment: Augment | None = None,
  batch_size: int = 256,
  class_weight: float = 0.5,
  queue_size: int = 100,
  queue_start: int = 3,
  queue_interval: int = 30,
  trained: int = 2,
  train_steps: int = 10,
  train_batch_size: int = 256,
  inner_optimizer: optax.GradientTransformation | None = None,
) -> Distiller:
  """Networks come from a queue whose members train on real data.

  Args:
    parameterization: of the support set; the paper's is 2x2 tiles.
    network: the learner.
    optimizer: the paper's is SGD at 0.2, momentum 0.5, class by class.
    augment: siamese.
    batch_size: real images per class.
    class_weight: of the cross-entropy, for each percent of accuracy.
    queue_size: members at most.
    queue_start: members at the start.
    queue_interval: outer steps between two new members.
    trained: members trained after an outer step, whether or not one of them was
      matched on.
    train_steps: steps that each then takes, on this step's real images.
    train_batch_size: images in one of them.
    inner_optimizer: trains members; the paper's, and the default, is
      `decayed_sgd`.

  Raises:
    UserError: a setting is out of range, and see `distribution_matching`.
  """
  inner = inner_optimizer or decayed_sgd()
  check_least(0, train_steps=train_steps)
  check_least(1, train_batch_size=train_batch_size)

  def distance(
    real: Embedding, synthetic: Embedding, context: Context
  ) -> jax.Array:
    entropy = jnp.sum(class_cross_entropy(synthetic.each).mean(1))
    percent = 100 * first_model(context.model).aux
    gap = squared_gap(real.mean, synthetic.mean)
    return gap + class_weight * percent * entropy

  def advance(learned: Learned, batch: LabeledData, context: Context) -> Model:
    del learned
    flat = jax.tree.map(lambda a: a.reshape(-1, *a.shape[2:]), batch)
    models = context.model
    assert models is not None

    def one(key: Key, model: Model) -> Model:
      batches, _ = epochs(key, flat, train_batch_size)
      return train_member(network, inner, model, batches, train_steps)

    keys = jax.random.split(context.key, trained)
    rest = jax.tree.map(lambda a: a[1:], models)
    others = train_many(lambda pair: one(*pair), (keys, rest), network.runs_on)
    return jax.tree.map(lambda a, b: a.at[1:].set(b), models, others)

  return distribution_matching(
    parameterization,
    network,
    optimizer,
    embed=lambda out: Embedding(out.features, out.logits),
    distance=distance,
    models=queue(
      network,
      inner,
      size=queue_size,
      start=queue_start,
      interval=queue_interval,
      trained=trained,
      aux=jnp.zeros(()),
    ),
    advance=advance,
    augment=augment,
    batch_size=batch_size,
  )


def train_member(
  network: Network,
  optimizer: optax.GradientTransformation,
  model: Model,
  batches: Callable[[jax.Array], Batch],
  steps: int,
) -> Model:
  """Trains a queue's member; its `aux` becomes its training accuracy.

  That is counted, once it is trained, on the batch that would come next.
  """
  step = functools.partial(train_step, network, optimizer, soft_cross_entropy)
  model = train(step, model, batches, steps)
  data = batches(jnp.asarray(steps)).data
  logits = network.apply(model.variables, data.image)[0].logits
  return model._replace(aux=accuracy(logits, data.label))


RECIPE = {
  **SHARED_RECIPE,
  'optimizer': {'name': 'sgd', 'learning_rate': 0.4},
  'inner_optimizer': DECAYED_SGD,
}
"""As published (arXiv 2307.09742).

On the learning rate see `distribution_matching`.
"""

METHOD = Method(
  idm, RECIPE, 'matching on partly trained networks (arXiv 2307.09742)'
)
