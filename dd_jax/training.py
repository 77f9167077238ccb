"""The inner loop: how a learner is trained on labelled data.

Model pools, evaluation, experts and meta-gradients all use it.
"""

import functools
from collections.abc import Callable
from typing import NamedTuple, TypeVar

import jax
import jax.numpy as jnp
import optax

from dd_jax.networks import Network, Outputs
from dd_jax.networks.convolution import keeps_convolutions
from dd_jax.networks.network import activations
from dd_jax.platform import Platform
from dd_jax.types import Augment, Key, LabeledData, PyTree

T = TypeVar('T')
Loss = Callable[[jax.Array, jax.Array], jax.Array]
Mix = Callable[[Key, LabeledData], LabeledData]
"""`(logits [n, k], label [n, k]) -> [n]`."""


class Model(NamedTuple):
  """One network in training.

  Attributes:
    variables: as `Network.init` makes them.
    opt_state: of the optimiser that trains it.
    age: int32 scalar, steps taken.
    aux: whatever else a method keeps with a network.
  """

  variables: PyTree
  opt_state: PyTree
  age: jax.Array
  aux: PyTree = ()


class Batch(NamedTuple):
  """A minibatch and how much each example counts.

  Attributes:
    data: images and labels, `[b, ...]`.
    weight: `[b]`; zero for padding.
  """

  data: LabeledData
  weight: jax.Array


def fresh_model(
  network: Network, optimizer: optax.GradientTransformation, key: Key
) -> Model:
  """An untrained network of age 0."""
  variables = network.init(key)
  opt_state = optimizer.init(variables['params'])
  return Model(variables, opt_state, jnp.zeros((), jnp.int32))


def train_step(
  network: Network,
  optimizer: optax.GradientTransformation,
  loss: Loss,
  model: Model,
  batch: Batch,
  *,
  differentiable: bool = False,
) -> Model:
  """One step of `optimizer` on the weighted mean of `loss` over `batch`.

  Args:
    network: the learner.
    optimizer: its rule.
    loss: `(logits, label) -> [n]`.
    model: to move on.
    batch: what it sees.
    differentiable: a gradient will be taken through this step, so its batch is
      kept whole.
  """
  take = batch_gradient if differentiable else chunked_gradient
  gradient, variables = take(network, loss, model.variables, batch)
  return apply_gradient(optimizer, model, gradient, variables)


def batch_gradient(
  network: Network, loss: Loss, variables: PyTree, batch: Batch
) -> tuple[PyTree, PyTree]:
  """`(gradient of the weighted mean loss in the params, new variables)`."""

  def objective(params: PyTree) -> tuple[jax.Array, PyTree]:
    out, new = network.apply(
      {**variables, 'params': params}, batch.data.image, train=True
    )
    each = loss(out.logits, batch.data.label)
    return jnp.vdot(each, batch.weight) / jnp.sum(batch.weight), new

  return jax.grad(objective, has_aux=True)(variables['params'])


def chunked_gradient(
  network: Network, loss: Loss, variables: PyTree, batch: Batch
) -> tuple[PyTree, PyTree]:
  """As `batch_gradient`, in chunks that fit a CPU's cache.

  Whole where the batch is small, on an accelerator, and where the network has
  statistics of the batch or draws in training.
  """
  size = cached_chunk(
    lambda image: activations(network.apply(variables, image)[0]),
    batch.data.image,
    network.runs_on,
  )
  alone = set(variables) == {'params'}  # no statistics, no draws
  if not alone or size >= batch.weight.shape[0]:
    return batch_gradient(network, loss, variables, batch)
  share = batch.weight / jnp.sum(batch.weight)

  def objective(params: PyTree, chunk: Batch) -> jax.Array:
    known = {**variables, 'params': params}
    out, _ = network.apply(known, chunk.data.image, train=True)
    return jnp.vdot(loss(out.logits, chunk.data.label), chunk.weight)

  return sum_chunks(
    lambda chunk: jax.grad(objective)(variables['params'], chunk),
    batch._replace(weight=share),
    size,
  ), variables


def apply_gradient(
  optimizer: optax.GradientTransformation,
  model: Model,
  gradient: PyTree,
  variables: PyTree,
) -> Model:
  """The model one step older, `variables` being what its forward pass left."""
  params = model.variables['params']
  updates, opt_state = optimizer.update(gradient, model.opt_state, params)
  params = optax.apply_updates(params, updates)
  return Model(
    {**variables, 'params': params}, opt_state, model.age + 1, model.aux
  )


def train(
  step: Callable[[Model, Batch], Model],
  model: Model,
  batches: Callable[[jax.Array], Batch],
  num_steps: int | jax.Array,
) -> Model:
  """Trains `model`; `batches(i)` is what step `i` sees.

  Not differentiable in reverse mode: `num_steps` may be traced, so that one
  program serves every length.
  """
  return jax.lax.fori_loop(
    0, num_steps, lambda i, m: step(m, batches(i)), model
  )


def train_many(
  train_one: Callable[[PyTree], PyTree],
  keys: PyTree,
  platform: Platform,
  *,
  mesh: jax.sharding.Mesh | None = None,
) -> PyTree:
  """Runs `train_one` for every key; results are stacked on a leading axis.

  Args:
    train_one: `(key) -> result`.
    keys: `[m]`; or any pytree, such as half-trained models, with that axis.
    platform: decides whether all go together or one by one.
    mesh: with an axis `data`, over which the keys are split; where they do not
      divide, some run twice and are dropped.
  """

  def run(keys: PyTree) -> PyTree:
    one_by_one = functools.partial(jax.lax.map, train_one)
    together = platform.batches_networks
    return (jax.vmap(train_one) if together else one_by_one)(keys)

  if mesh is None:
    return run(keys)
  count, devices = len(jax.tree.leaves(keys)[0]), mesh.shape['data']
  order = jnp.arange(-(-count // devices) * devices) % count
  padded = jax.tree.map(lambda a: a[order], keys)
  split = jax.sharding.PartitionSpec('data')
  spread = jax.shard_map(
    run, mesh=mesh, in_specs=split, out_specs=split, check_vma=False
  )
  return jax.tree.map(lambda a: a[:count], spread(padded))


def epochs(
  key: Key, data: LabeledData, batch_size: int, augment: Augment | None = None
) -> tuple[Callable[[jax.Array], Batch], int]:
  """Shuffled minibatches, epoch after epoch, as a function of the step.

  Args:
    key: decides the order and the augmentation.
    data: `[n, ...]`.
    batch_size: the last batch of an epoch is smaller: padded, weight zero.
    augment: applied to every batch.

  Returns:
    `(batches(i) -> Batch, steps per epoch)`.
  """
  size = data.image.shape[0]
  batch_size = min(batch_size, size)
  per_epoch = -(-size // batch_size)
  k_order, k_augment = jax.random.split(key)

  def batches(i: jax.Array) -> Batch:
    if per_epoch == 1:
      batch = Batch(data, jnp.ones(size))
    else:
      batch = _minibatch(k_order, data, i, batch_size)
    if augment is None:
      return batch
    image = augment(jax.random.fold_in(k_augment, i), batch.data.image)
    return batch._replace(data=batch.data._replace(image=image))

  return batches, per_epoch


def mixed(
  key: Key, batches: Callable[[jax.Array], Batch], mix: Mix
) -> Callable[[jax.Array], Batch]:
  """`batches`, each with its images and labels mixed by a draw of its own."""

  def one(i: jax.Array) -> Batch:
    plain = batches(i)
    data = mix(jax.random.fold_in(key, i), plain.data)
    return plain._replace(data=data)

  return one


def _minibatch(
  key: Key, data: LabeledData, i: jax.Array, batch_size: int
) -> Batch:
  size = data.image.shape[0]
  per_epoch = -(-size // batch_size)
  order = jax.random.permutation(jax.random.fold_in(key, i // per_epoch), size)
  position = (i % per_epoch) * batch_size + jnp.arange(batch_size)
  index = order[position % size]
  weight = (position < size).astype(jnp.float32)
  return Batch(jax.tree.map(lambda a: a[index], data), weight)


def each_class(
  platform: Platform, function: Callable[..., T], *args: PyTree
) -> T:
  """Maps over classes in one program: in groups that an accelerator fills.

  One by one on a CPU, where a batch of networks' gradients is slower.
  """
  together = platform.gradient_classes
  result: T = jax.lax.map(
    lambda each: function(*each),
    args,
    batch_size=together if together > 1 else None,
  )
  return result


def map_chunks(
  function: Callable[[jax.Array], PyTree], x: jax.Array, size: int
) -> PyTree:
  """Applies `function` to chunks of `x [n, ...]` and joins the results.

  For passes without gradient: a chunk that fits the cache runs at several times
  the speed of the whole batch on a CPU. Chunks are about equal and hold at most
  `size` examples; a remainder is run as one more. They are strided, so that a
  leading axis that is split over devices stays split inside every chunk.
  """
  size = -(-x.shape[0] // -(-x.shape[0] // size))
  whole = x.shape[0] // size * size
  parts = []
  if whole:
    out = jax.lax.map(function, _chunks(x[:whole], size))
    parts.append(jax.tree.map(_unchunk, out))
  if whole < x.shape[0]:
    parts.append(function(x[whole:]))
  return jax.tree.map(lambda *a: jnp.concatenate(a), *parts)


def sum_chunks(
  function: Callable[[PyTree], PyTree], x: PyTree, size: int
) -> PyTree:
  """Sums `function` over the chunks of `map_chunks`; leaves `x` are `[n, ...]`.

  Only one chunk's result and the sum are held.
  """
  n = jax.tree.leaves(x)[0].shape[0]
  whole = n // size * size
  rest = jax.tree.map(lambda a: a[whole:], x)
  if not whole:
    return function(rest)
  chunks = jax.tree.map(lambda a: _chunks(a[:whole], size), x)
  first = jax.tree.map(lambda a: a[0], chunks)
  start = (
    function(rest)
    if whole < n
    else optax.tree.zeros_like(jax.eval_shape(function, first))
  )

  def add(total: PyTree, chunk: PyTree) -> tuple[PyTree, None]:
    return jax.tree.map(jnp.add, total, function(chunk)), None

  return jax.lax.scan(add, start, chunks)[0]


def chunked_features(
  network: Callable[[jax.Array], Outputs],
  image: jax.Array,
  platform: Platform,
) -> jax.Array:
  """Features `[n, d]` of `image [n, h, w, c]`, to be differentiated in both.

  On a CPU in chunks that fit its cache, of which only what the costly
  convolutions gave is kept for the backward pass.

  Args:
    network: treats each example alone.
    image: support images, say.
    platform: what this runs on.
  """
  features = lambda image: network(image).features
  size = cached_chunk(
    lambda image: activations(network(image)), image, platform
  )
  if size >= image.shape[0]:
    return features(image)
  policy = keeps_convolutions
  again = jax.checkpoint(features, policy=policy, prevent_cse=False)
  return map_chunks(again, image, size)


def cached_chunk(
  function: Callable[[jax.Array], PyTree], x: jax.Array, platform: Platform
) -> int:
  """How many examples of `x [n, ...]` to pass through `function` at once.

  All of them, or on a CPU as many as keep its outputs within the cache: large
  activations that go through memory cost half the speed of a convolution, and
  a second core gains nothing there. A divisor of `n` where one is near.
  """
  n = x.shape[0]
  if not platform.activation_bytes or n == 1:
    return n
  one = jax.eval_shape(
    function, jax.ShapeDtypeStruct((1, *x.shape[1:]), x.dtype)
  )
  held = sum(a.size * a.dtype.itemsize for a in jax.tree.leaves(one))
  most = max(1, platform.activation_bytes // max(held, 1))
  if most >= n:
    return n
  return next((s for s in range(most, most // 2, -1) if n % s == 0), most)


def _chunks(a: jax.Array, size: int) -> jax.Array:
  """Strided chunks `[n / size, size, ...]`."""
  return a.reshape(size, -1, *a.shape[1:]).swapaxes(0, 1)


def _unchunk(a: jax.Array) -> jax.Array:
  """`[chunks, size, ...]` of strided chunks, back in order."""
  return a.swapaxes(0, 1).reshape(-1, *a.shape[2:])
