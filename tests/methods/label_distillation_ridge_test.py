"""Label distillation through ridge regression, against NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from carried import at_start, log_softmax, made

from dd_jax.methods.label_distillation_ridge import label_distillation_ridge
from dd_jax.types import UserError


def test_the_ridge_variant_is_ridge_regression(x64):
  method = made(label_distillation_ridge, 'free', ridge=0.7)
  state, batch = at_start(method)
  layer = jax.device_get(state.models.model.variables['params'])['Dense_0']

  def features(image):
    x = np.asarray(image).reshape(len(image), -1)
    h = np.maximum(x @ layer['kernel'] + layer['bias'], 0)
    return np.concatenate([h, np.ones((len(h), 1))], 1)

  data = method.distilled(state)
  f = features(data.image)
  gram = f @ f.T + 0.7 * np.eye(6)
  weights = f.T @ np.linalg.solve(gram, np.asarray(data.label))
  logits = features(batch.image) @ weights
  expected = -np.mean(np.sum(np.asarray(batch.label) * log_softmax(logits), 1))
  _, metrics = jax.jit(method.update)(
    jax.random.key(2), jnp.int32(0), state, batch
  )
  assert float(metrics['loss']) == pytest.approx(expected, rel=1e-9)


def test_refused_before_any_compute():
  with pytest.raises(UserError) as error:
    made(label_distillation_ridge, ridge=0.0)
  message = str(error.value)
  assert 'ridge=0.0' in message and '\n' not in message
