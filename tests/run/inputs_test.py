"""What a run is given: a start under another preprocessing of one name."""

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest

from dd_jax import from_arrays
from dd_jax.artifact import Artifact
from dd_jax.data import packing
from dd_jax.data.prepare import prepare
from dd_jax.run.inputs import check_start
from dd_jax.types import DistilledData, UserError

CONFIG = {'parameterization': {'start': 'first.npz'}}


def prepared(name):
  rng = np.random.default_rng(0)
  image = rng.integers(0, 256, (200, 5, 5, 3)).astype(np.uint8)
  return prepare(from_arrays(image, np.arange(200) % 4), name)


def start(preprocessing):
  data = DistilledData(jnp.zeros((4, 5, 5, 3)), jnp.eye(4))
  return Artifact(data, preprocessing, None, {})


@pytest.mark.parametrize('name', ['standardise', 'kornia'])
def test_the_same_as_stored_is_taken(name):
  held = prepared(name)
  stored = packing.unpack(packing.pack(held.preprocessing))
  check_start(CONFIG, start(stored), held)


@pytest.mark.parametrize('field, by', [('mean', 0.01), ('std', 0.01)])
def test_other_numbers_of_the_same_name_are_refused(field, by):
  held = prepared('standardise')
  own = held.preprocessing
  other = dataclasses.replace(own, **{field: getattr(own, field) + by})
  with pytest.raises(UserError, match=r"start='first.npz': its standardise"):
    check_start(CONFIG, start(other), held)
