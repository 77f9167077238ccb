"""What a network makes of real and synthetic images, class by class."""

import jax
import jax.numpy as jnp
import numpy as np

from dd_jax.methods.embeddings import Embedder, Embedding, embeddings

CLASSES, IPC, SHAPE = 3, 2, (8, 8, 1)
KEY = jax.random.key(0)
KEYS = jax.random.split(KEY, CLASSES)
NO_WEIGHTS = {'params': {}}


def mean_features(out):
  return Embedding(out.features)


def class_major(image):
  """`[n, k, ...]` as `[k * n, ...]`."""
  return image.swapaxes(0, 1).reshape(-1, *SHAPE)


def test_through_a_network_the_means_are_of_features(toys, x64):
  network = toys.convnet()
  variables = network.init(KEY)
  batch = toys.source(dtype=np.float64).take(jnp.arange(45).reshape(15, 3))
  support = class_major(batch.image[:2])
  embed = lambda out: Embedding(out.features, out.logits)
  real, synthetic = embeddings(
    Embedder(network, embed, None), variables, KEYS, support, batch.image
  )
  out = network.apply(variables, batch.image.reshape(-1, *SHAPE))[0]
  by_class = lambda a: np.asarray(a).reshape(15, CLASSES, -1).swapaxes(0, 1)
  features, logits = by_class(out.features), by_class(out.logits)
  np.testing.assert_allclose(real.mean, features.mean(1), rtol=1e-9)
  np.testing.assert_allclose(real.each, logits, rtol=1e-9)
  np.testing.assert_allclose(synthetic.mean, features[:, :2].mean(1), rtol=1e-9)
  np.testing.assert_allclose(synthetic.each, logits[:, :2], rtol=1e-9)


def test_many_synthetic_images_pass_in_chunks(toys, x64):
  """The same value and the same gradient as the mean of all at once."""
  network, source = toys.convnet(), toys.source(180, np.float64)
  real = source.take(jnp.arange(180).reshape(60, 3)).image
  variables, support = network.init(KEY), class_major(real)  # 180 of them
  embedder = Embedder(network, mean_features, None)

  def chunked(image):
    synthetic = embeddings(embedder, variables, KEYS, image, real)[1]
    return jnp.sum(synthetic.mean**2)

  def plain(image):
    features = network.apply(variables, image)[0].features
    return jnp.sum(features.reshape(CLASSES, 60, -1).mean(1) ** 2)

  one, two = (jax.jit(jax.value_and_grad(f))(support) for f in (chunked, plain))
  np.testing.assert_allclose(one[0], two[0], rtol=1e-9)
  np.testing.assert_allclose(one[1], two[1], rtol=1e-6, atol=1e-12)


def test_batch_norm_normalises_by_the_batch_of_all_classes(toys):
  network = toys.convnet('batch')
  variables = network.init(KEY)
  batch = toys.source().take(jnp.arange(90).reshape(30, 3))
  support = class_major(batch.image[:2])
  embedder = Embedder(network, mean_features, None)
  real, synthetic = jax.jit(
    lambda image: embeddings(embedder, variables, KEYS, support, image)
  )(batch.image)
  means = lambda image, axis: (
    network.apply(variables, image.reshape(-1, *SHAPE), train=True)[0]
    .features.reshape(*image.shape[:2], -1)
    .mean(axis)
  )
  np.testing.assert_allclose(real.mean, means(batch.image, 0), rtol=1e-3)
  by_class = support.reshape(CLASSES, IPC, *SHAPE)
  np.testing.assert_allclose(synthetic.mean, means(by_class, 1), rtol=1e-3)


def test_no_gradient_flows_to_the_real_images(toys):
  batch = toys.source().take(jnp.arange(30).reshape(10, 3))
  support = jnp.zeros((CLASSES, *SHAPE))
  embedder = Embedder(toys.plain, mean_features, None)

  def total(image):
    real, _ = embeddings(embedder, NO_WEIGHTS, KEYS, support, image)
    return jnp.sum(real.mean**2)

  assert not np.any(jax.grad(total)(batch.image))


def test_every_class_and_step_has_its_own_draw(toys):
  shifted = lambda key, image: image * 0 + jax.random.uniform(key)
  embed = lambda out: Embedding(out.features[:, :1])
  batch = toys.source().take(jnp.arange(30).reshape(10, 3))
  support = jnp.zeros((CLASSES * IPC, *SHAPE))
  embedder = Embedder(toys.plain, embed, shifted)
  real, synthetic = embeddings(embedder, NO_WEIGHTS, KEYS, support, batch.image)
  np.testing.assert_allclose(real.mean, synthetic.mean, rtol=1e-6)
  assert len(np.unique(real.mean)) == CLASSES
