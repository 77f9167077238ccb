"""IDC's turns, class by class, and its training on real images."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from dd_jax.methods.idc import idc
from dd_jax.parameterization import pixels
from dd_jax.types import UserError

CLASSES, IPC = 3, 2
KEY = jax.random.key(0)
RATE = 0.1


def test_a_class_drifts_on_its_momentum_while_others_are_in_turn(gradients):
  """One gradient g moves it by lr g (1 + m + m^2 + ...)."""
  method = gradients.make(idc, optimizer=optax.sgd(RATE, 0.5), labels='fixed')
  state = gradients.start(method)
  images = [state.params['data']['image']]
  for t in range(CLASSES):
    state = gradients.step(method, state, t).after
    images.append(state.params['data']['image'])
  moves = np.diff([np.asarray(i).reshape(CLASSES, -1) for i in images], axis=0)
  assert (moves[0, 1:] == 0).all() and (moves[0, 0] != 0).any()
  np.testing.assert_allclose(moves[1, 0], moves[0, 0] / 2, atol=1e-6)
  np.testing.assert_allclose(moves[2, 0], moves[0, 0] / 4, atol=1e-6)
  assert (moves[1, 2] == 0).all() and (moves[1, 1] != 0).any()


def test_idc_trains_on_real_images_once_a_round(gradients):
  method = gradients.make(idc, inner_steps=2)
  state, weights, ages = gradients.start(method), [], []
  for t in range(3 * CLASSES):
    weights.append(np.asarray(jax.tree.leaves(state.models.variables)[0]))
    ages.append(int(state.models.age[0]))
    state = gradients.step(method, state, t).after
  changed = [bool((a != b).any()) for a, b in zip(weights, weights[1:])]  # noqa: B905, RUF007
  assert changed == [t % CLASSES == CLASSES - 1 for t in range(8)]
  assert ages == [t % (2 * CLASSES) for t in range(9)]


def test_idc_draws_one_class_in_turn(gradients):
  batch_of = lambda t: gradients.make(idc).sample(
    KEY, jnp.int32(t), gradients.source()
  )
  for t in range(2 * CLASSES):
    assert (batch_of(t).match.label.argmax(-1) == t % CLASSES).all()
  assert len(np.unique(batch_of(0).train.label.argmax(-1))) > 1


# What the user may give.


WRONG = {
  'train_size=0': {'train_size': 0},
  'cutmix=2.0': {'cutmix': 2.0},
  "unknown operation 'blur'": {'strategy': 'blur'},
}


@pytest.mark.parametrize('words', WRONG)
def test_wrong_settings_are_refused_in_one_line(gradients, words):
  with pytest.raises(UserError) as error:
    gradients.make(idc, **WRONG[words])
  assert words in str(error.value) and '\n' not in str(error.value)


def test_a_network_without_what_is_matched_is_refused(gradients):
  method = gradients.make(idc, matched='convolutions')
  with pytest.raises(UserError, match="matched='convolutions'"):
    gradients.step(method, gradients.start(method))


def test_another_number_of_classes_is_refused(gradients):
  method = idc(pixels(IPC), gradients.network(), optax.sgd(1.0), CLASSES + 1)
  with pytest.raises(UserError, match='num_classes=4'):
    method.sample(KEY, jnp.int32(0), gradients.source())
