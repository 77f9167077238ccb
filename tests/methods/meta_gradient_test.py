"""Meta-gradient descent: its mean over networks, its explosions."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from unrolled import CLASSES, SHAPE, data, made, source

from dd_jax.distiller import Context, Learned
from dd_jax.methods.bptt import bptt
from dd_jax.methods.inner_loop import InnerLoop, unrolled_loss
from dd_jax.methods.meta_gradient import averaged_gradient
from dd_jax.methods.rat_bptt import rat_bptt
from dd_jax.networks import mlp
from dd_jax.run import driver
from dd_jax.types import LabeledData


def test_several_networks_are_the_mean_of_each():
  network = mlp(SHAPE, CLASSES, width=4, depth=1)
  inner = InnerLoop(network, optax.sgd(0.1), 3)
  image, label = (jnp.asarray(a, jnp.float32) for a in data(0, 3))
  batch = LabeledData(*(jnp.asarray(a, jnp.float32) for a in data(1, 6)))

  def loss(learned, batch, context):
    key = context.key
    return unrolled_loss(inner, learned.data, batch, key, 0, 3, 'plain')

  decode = lambda params: Learned(LabeledData(*params), {})
  context = Context(jax.random.key(4), jnp.int32(0), None)
  run = lambda count, context: averaged_gradient(count)(
    loss, decode, (image, label), batch, context
  )
  together = run(3, context)
  keys = jax.random.split(context.key, 3)
  alone = [run(1, context._replace(key=key)) for key in keys]
  mean = jax.tree.map(lambda *a: sum(a) / 3, *alone)
  for a, b in zip(
    jax.tree.leaves(together), jax.tree.leaves(mean), strict=True
  ):
    np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize('method', [bptt, rat_bptt])
def test_an_exploding_inner_loop_is_told_with_its_step(method):
  settings = {'window': 5} if method is rat_bptt else {}
  exploding = made(method, inner_optimizer=optax.sgd(1e30), **settings)
  with pytest.raises(driver.Diverged, match='step size') as error:
    driver.distill(exploding, source(), seed=0, num_steps=3)
  assert error.value.step == 1
