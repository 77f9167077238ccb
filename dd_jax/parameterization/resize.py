"""Bilinear scaling: enlarged as PyTorch does without aligned corners."""

import jax


def resize(image: jax.Array, height: int, width: int) -> jax.Array:
  """Scales `[n, h, w, c]` to `[n, height, width, c]`; down with antialiasing.

  Enlarged, a pixel's centre stays where it was and the border is repeated.
  """
  shape = (image.shape[0], height, width, image.shape[3])
  if image.shape == shape:
    return image
  return jax.image.resize(image, shape, 'bilinear')
