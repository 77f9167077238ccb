"""The real data set that needs no download: scikit-learn's 8 x 8 digits."""

import numpy as np

from dd_jax.data.raw import Arrays, Raw


def digits() -> Raw:
  """The 1,797 handwritten digits of the UCI set, 8 x 8 x 1, in sixteenths.

  Stored values 0 to 16 become float32 multiples of 1/16, exactly. There is no
  official test split.
  """
  # Deferred: it costs a second, and other data sets do not need it.
  from sklearn import datasets

  bunch = datasets.load_digits()
  image = (bunch.images / 16).astype(np.float32)[..., None]
  arrays = Arrays(image, bunch.target.astype(np.int32))
  return Raw('digits', arrays)
