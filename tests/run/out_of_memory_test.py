"""Out of memory, in the words of NumPy, JAX and XLA, is one line."""

import jax
import numpy as np
import pytest

import dd_jax
from dd_jax.run import memory, recipe
from dd_jax.types import UserError

SAID = [
  MemoryError('Unable to allocate 8. TiB'),
  OverflowError('An overflow was encountered'),
  jax.errors.JaxRuntimeError('RESOURCE_EXHAUSTED: allocating 8 bytes.'),
  jax.errors.JaxRuntimeError('INTERNAL: dispatch: Out of memory\nallocating'),
]


@pytest.mark.parametrize('error', SAID, ids=str)
def test_every_wording_names_what_to_lower(error):
  config = recipe.update(recipe.default('dm'), {'network': {'width': 10**8}})
  with (
    pytest.raises(UserError, match=r'^out of memory .*--config') as told,
    memory.told(config, lambda: '; kept'),
  ):
    raise error
  text = str(told.value)
  assert '\n' not in text and text.endswith('; kept')
  assert text.index('--config.network.width=100000000') < text.index(', --')


@pytest.mark.parametrize(
  'error', [ValueError('x'), jax.errors.JaxRuntimeError('INTERNAL: a bug')]
)
def test_other_errors_pass(error):
  with pytest.raises(type(error)) as told, memory.told(recipe.default()):
    raise error
  assert told.value is error


def test_only_what_the_method_reads_is_named():
  many = {'network': {'width': 10**6}, 'experts': {'at_once': 10**6}}
  for method, words in (('kip', ''), ('dm', 'width'), ('mtt', 'at_once')):
    config = recipe.update(recipe.default(method), many)
    said = ' '.join(memory.sizes(config))
    assert 'method.batch_size' in said or method == 'mtt'
    assert ('width' in said, 'at_once' in said) == (
      words != '',
      words == 'at_once',
    )


@pytest.mark.parametrize('size', [10**11, 2 * 10**9])
def test_a_batch_that_fits_nowhere(tmp_path, size):
  rng = np.random.default_rng(0)
  image, label = rng.random((60, 8, 8)), np.arange(60) % 3
  changes = {'num_steps': 1, 'method': {'batch_size': size}}
  with pytest.raises(UserError, match=f'out of memory.*batch_size={size}'):
    dd_jax.distill(
      image,
      label,
      ipc=1,
      config=changes,
      workdir=tmp_path / 'w',
      progress=False,
    )
  assert not (tmp_path / 'w').exists()  # no step was made: it is free again
