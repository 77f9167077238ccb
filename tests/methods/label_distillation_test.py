"""Label distillation through a step, against finite differences."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from carried import at_start, log_softmax, made, softmax

from dd_jax.methods.label_distillation import label_distillation
from dd_jax.types import UserError


def test_the_gradient_goes_through_the_inner_step(x64):
  """Against finite differences of one step and the loss after it, in NumPy."""
  step_size = 0.4
  method = made(label_distillation, 'free', inner_step_size=step_size)
  state, batch = at_start(method)
  params = jax.device_get(state.models.model.variables['params'])
  image = np.asarray(method.distilled(state).image).reshape(6, -1)

  def loss(label):
    w = [params['Dense_0']['kernel'], params['Dense_0']['bias']]
    w += [params['head']['kernel'], params['head']['bias']]
    z = image @ w[0] + w[1]
    h = np.maximum(z, 0)
    logits = h @ w[2] + w[3]
    r = (softmax(logits) * label.sum(1, keepdims=True) - label) / len(label)
    back = (r @ w[2].T) * (z > 0)
    slopes = [image.T @ back, back.sum(0), h.T @ r, r.sum(0)]
    w = [a - step_size * g for a, g in zip(w, slopes, strict=True)]
    x = np.asarray(batch.image).reshape(60, -1)
    out = np.maximum(x @ w[0] + w[1], 0) @ w[2] + w[3]
    return -np.mean(np.sum(np.asarray(batch.label) * log_softmax(out), 1))

  label = np.asarray(method.distilled(state).label)
  measured = np.zeros_like(label)
  for i in np.ndindex(label.shape):
    shift = np.zeros_like(label)
    shift[i] = 1e-6
    measured[i] = (loss(label + shift) - loss(label - shift)) / 2e-6
  _, metrics = jax.jit(method.update)(
    jax.random.key(2), jnp.int32(0), state, batch
  )
  assert float(metrics['loss']) == pytest.approx(loss(label), rel=1e-9)
  norm = np.sqrt((measured**2).sum())
  assert float(metrics['grad_norm']) == pytest.approx(norm, rel=1e-5)


def test_refused_before_any_compute():
  with pytest.raises(UserError) as error:
    made(label_distillation, inner_step_size=0.0)
  assert 'inner_step_size=0.0' in str(error.value) and '\n' not in str(
    error.value
  )
