"""HaBa's hallucinators and their adversary."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from dd_jax.distiller import from_loss
from dd_jax.networks import NETWORKS
from dd_jax.parameterization import hallucinator
from dd_jax.parameterization.adversary import adversary_of, contrast, likeness
from dd_jax.parameterization.hallucinator import redraw
from dd_jax.types import UserError

CLASSES, SHAPE = 3, (8, 6, 2)


def identity(style):
  """Every pixel passes through untouched."""
  eye = jnp.eye(style['encoder'].shape[-1])
  kernel = jnp.zeros_like(style['encoder']).at[:, 1, 1].set(eye)
  return {
    'encoder': kernel,
    'decoder': kernel,
    'encoder_bias': jnp.zeros_like(style['encoder_bias']),
    'decoder_bias': jnp.zeros_like(style['decoder_bias']),
    'scale': jnp.ones_like(style['scale']),
    'shift': jnp.zeros_like(style['shift']),
  }


def test_identity_decoders_give_the_base(started):
  """But for the border, which a 3x3 encoder without padding does not see."""
  params, _, _ = started(hallucinator(2, SHAPE, CLASSES, bases=2))
  base = params['image']
  drawn = redraw(base, identity(params['style']))
  drawn = np.asarray(drawn).reshape(len(base), 5, *SHAPE)
  for j in range(5):
    np.testing.assert_array_equal(drawn[:, j, 1:-1, 1:-1], base[:, 1:-1, 1:-1])


def test_redraws_as_the_reference(started):
  """Direct sums over the kernel, in float64."""
  params, _, data = started(hallucinator(2, SHAPE, CLASSES, bases=1))
  style = jax.tree.map(lambda a: np.asarray(a, np.float64), params['style'])
  base = np.asarray(params['image'], np.float64)
  code = np.zeros((len(base), 5, 6, 4, 2))
  out = np.zeros((len(base), 5, *SHAPE))
  for s in range(5):
    for i in range(3):
      for j in range(3):
        window = base[:, i : i + 6, j : j + 4]
        code[:, s] += window @ style['encoder'][s, i, j]
    code[:, s] += style['encoder_bias'][s]
    code[:, s] = code[:, s] * style['scale'][s] + style['shift'][s]
    for i in range(3):
      for j in range(3):
        # A transposed convolution of the flipped kernel scatters.
        flipped = style['decoder'][s, 2 - i, 2 - j]
        out[:, s, i : i + 6, j : j + 4] += code[:, s] @ flipped
    out[:, s] += style['decoder_bias'][s]
  np.testing.assert_allclose(data.image, out.reshape(-1, *SHAPE), atol=1e-5)


def test_published_size():
  """CIFAR-10: 5,568 numbers each, 0.91 images per class for five."""
  image = (32, 32, 3)
  made = hallucinator(1, image, 10, bases=1, labels='fixed')
  assert made.note.startswith('the set stores as much as 1.91 plain images')
  made = hallucinator(11, image, 10, labels='fixed')
  assert made.note == ''  # ten bases beside five hallucinators


@pytest.mark.parametrize('labels, label', [('fixed', 0), ('free', CLASSES)])
def test_budget_by_hand(started, numbers, labels, label):
  made = hallucinator(
    4, SHAPE, CLASSES, hallucinators=2, downsample=2, labels=labels
  )
  params, constants, data = started(made)
  one = 2 * (2 * (9 * 2 + 1) * 1) + 2 * 6 * 4 * 2
  budget = 4 * CLASSES * (96 + label)
  bases = (budget - 2 * one) // (CLASSES * (24 + label))
  assert len(data.image) == 2 * bases * CLASSES
  assert numbers((params, constants)) == (
    2 * one + CLASSES * bases * (24 + label)
  )


def test_grey_bases(started):
  params, _, _ = started(
    hallucinator(2, SHAPE, CLASSES, base_channels=1, bases=3)
  )
  assert params['image'].shape == (9, 8, 6, 1)
  assert params['style']['encoder'].shape == (5, 3, 3, 1, 2)


def test_refused():
  with pytest.raises(UserError, match='5 hallucinators take 860 of its'):
    hallucinator(1, SHAPE, CLASSES)
  with pytest.raises(UserError, match='hallucinators=0'):
    hallucinator(1, SHAPE, CLASSES, hallucinators=0)
  with pytest.raises(UserError, match=r'club=0\.1: needs a network'):
    hallucinator(9, SHAPE, CLASSES, club=0.1)


# The adversary.


def network():
  return NETWORKS['mlp'](SHAPE, CLASSES, depth=1, width=8)


def test_contrast_by_loops():
  rng = np.random.default_rng(0)
  z = rng.normal(size=(5, 4))
  z /= np.linalg.norm(z, axis=1, keepdims=True)
  label = np.array([0, 1, 0, 1, 1])
  expected = 0.0
  for i in range(5):
    others = [a for a in range(5) if a != i]
    total = sum(np.exp(z[i] @ z[a] / 0.07) for a in others)
    same = [a for a in others if label[a] == label[i]]
    expected -= np.mean(
      [np.log(np.exp(z[i] @ z[p] / 0.07) / total) for p in same]
    )
  found = contrast(jnp.asarray(z, jnp.float32), jnp.eye(3)[label])
  np.testing.assert_allclose(found, expected / 5, rtol=1e-5)


def test_likeness_pairs_redrawings():
  z = jnp.array([[1.0, 0], [0, 1], [1, 0], [0, -1]])
  np.testing.assert_array_equal(likeness(z), [1, -1])


def with_adversary(source):
  made = hallucinator(
    2, SHAPE, CLASSES, hallucinators=2, bases=2, club=0.1, network=network()
  )
  params, constants = made.init(jax.random.key(0), source)
  decode = lambda p: made.decode(p, constants)
  return made.adversary, decode, params, made


def test_adversary_is_trained(source):
  adversary, decode, params, _ = with_adversary(source)
  data, model = decode(params), adversary.init(jax.random.key(1))
  advance = jax.jit(adversary.advance)
  losses = []
  for t in range(60):
    model, metrics = advance(jax.random.key(t), model, data)
    losses.append(float(metrics['adversary_loss']))
  assert int(model.age) == 60
  assert losses[-1] < losses[0]


def test_redrawings_move_apart(source):
  """The penalty is the weighted mean likeness, and its gradient lowers it."""
  adversary, decode, params, _ = with_adversary(source)
  model = adversary.init(jax.random.key(1))
  penalty = lambda p: adversary.penalty(jax.random.key(2), model, decode(p))[0]
  value, slope = jax.jit(jax.value_and_grad(penalty))(params)
  features = network().apply(model.variables, decode(params).image)[0].features
  z = np.asarray(features, float).reshape(-1, 2, features.shape[-1])
  z /= np.linalg.norm(z, axis=-1, keepdims=True)
  likeness = np.sum(z[:, 0] * z[:, 1], -1)
  assert float(value) == pytest.approx(0.1 * np.mean((likeness + 1) / 2))
  moved = jax.tree.map(lambda p, g: p - g, params, slope)
  assert penalty(moved) < value


def test_plays_beside_any_loss(source):
  """Its penalty is in the loss that is reported; it takes a step a step."""
  *_, made = with_adversary(source)
  one = lambda learned, batch, context: (jnp.ones(()), {})
  method = from_loss(
    made,
    optax.sgd(1.0),
    one,
    sample=lambda key, step, source: source.take(jnp.arange(2)),
  )
  state = method.init(jax.random.key(0), source)
  for t in range(2):
    state, metrics = jax.jit(method.update)(jax.random.key(t), t, state, None)
  assert int(state.adversary.age) == 2
  assert metrics['loss'] == 1 + metrics['adversary_penalty']
  assert metrics['adversary_loss'] > 0


def test_no_adversary_without_its_weight():
  assert hallucinator(9, SHAPE, CLASSES).adversary is None
  assert adversary_of(network(), CLASSES, 2, 0.1) is not None
