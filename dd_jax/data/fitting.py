"""Fitting a preprocessing to training images: the named recipes.

Five recipes are called "ZCA" in the field or stand in for it, and sets
distilled under one are useless under another:

| name          | per channel      | each image          | centre | covariance | ridge             |
|---------------|------------------|---------------------|--------|------------|-------------------|
| `none`        | -                | -                   | -      | -          | -                 |
| `standardise` | mean, std        | -                   | -      | -          | -                 |
| `field`       | constants        | -                   | -      | -          | -                 |
| `kip`         | mean, std        | mean 0, norm 1      | no     | / n        | 0.1 trace / d     |
| `rfad`        | mean, std of n-1 | as KIP, SVHN only   | no     | / n        | 0.1 trace / d     |
| `frepo`       | mean, std        | -                   | pixel  | / n        | 0.1 trace / d     |
| `kornia`      | -                | -                   | pixel  | / (n - 1)  | 0.1               |

`field` has the constants of DC's code for the sets of the field, see
`constants`. `rfad` and `frepo` only standardise images of one channel, as their
authors do. `frepo` here standardises by the fitted mean and std; its authors
round them.

References: Nguyen et al., arXiv 2107.13034 (kip); Loo et al., arXiv 2210.12067
(rfad); Zhou et al., arXiv 2206.00719 (frepo); Kornia's `ZCAWhitening` with
`eps=0.1`, as Cazenave et al., arXiv 2203.11932, use it (kornia).
"""  # noqa: E501

import functools
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from scipy import linalg

from dd_jax.checks import check_name
from dd_jax.data import constants
from dd_jax.data.preprocess import Preprocessing, Zca
from dd_jax.types import UserError

_CHUNK_VALUES = 1 << 23
_TINY = 1e-6
_MAX_WHITENED = 12_288
_GRAM_VALUES = 4_096  # from here on few images are whitened by their products
_CUBE_SECONDS = 4e-10  # of one core, for the cube of an eigen-decomposition
_UNIT_NOTE = (
  'this preprocessing throws away the mean and the norm of each image: '
  'pictures show the inverse of its linear part, rescaled image by image'
)


class Recipe(NamedTuple):
  """How a preprocessing is fitted; see the table above.

  Attributes:
    standardise: per channel, by the mean and standard deviation.
    constants: these are not measured but the field's.
    unbiased: that standard deviation divides by n - 1.
    unit_norm: each image gets mean 0 and L2 norm 1: `always`, `never` or `svhn`
      (for data sets of that name).
    whiten: ZCA: `always`, `never` or `colour` (not for one channel).
    centred: whitening subtracts the mean of each pixel.
    covariance_unbiased: the covariance divides by n - 1.
    ridge: what is added to the eigenvalues of the covariance.
    ridge_relative: the ridge is in units of their mean.
    null_as_is: with fewer images than pixels, the directions that no image
      spans are multiplied by 1.
  """

  standardise: bool = True
  constants: bool = False
  unbiased: bool = False
  unit_norm: str = 'never'
  whiten: str = 'never'
  centred: bool = False
  covariance_unbiased: bool = False
  ridge: float = 0.1
  ridge_relative: bool = True
  null_as_is: bool = False


RECIPES = {
  'none': Recipe(standardise=False),
  'standardise': Recipe(),
  'field': Recipe(constants=True),
  'kip': Recipe(unit_norm='always', whiten='always', null_as_is=True),
  'rfad': Recipe(unbiased=True, unit_norm='svhn', whiten='colour'),
  'frepo': Recipe(whiten='colour', centred=True, null_as_is=True),
  'kornia': Recipe(
    standardise=False, whiten='always', centred=True,
    covariance_unbiased=True, ridge_relative=False,
  ),
}  # fmt: skip
NAMES = tuple(RECIPES)
MEASURED = tuple(n for n, r in RECIPES.items() if not r.constants)
"""Of these, what suits any images."""


def fit(name: str, image: np.ndarray, *, dataset: str = '') -> Preprocessing:
  """Fits a recipe to training images, in float64 on the host.

  Args:
    name: one of `NAMES`.
    image: `[n, h, w, c]`, uint8, or floats in [0, 1].
    dataset: the data set's name; `rfad` treats SVHN apart, `field` knows some.

  Raises:
    UserError: there is no such recipe, it has no constants for this set, or the
      images are too large to whiten.
  """
  check_name('preprocessing', name, RECIPES)
  recipe, channels = RECIPES[name], image.shape[-1]
  mean, std = (
    constants.field(dataset, channels)
    if recipe.constants
    else _statistics(image, recipe)
  )
  unit_norm = _applies(recipe.unit_norm, channels, dataset)
  norm, zca = None, None
  if unit_norm:
    norm = jnp.asarray(_mean_norm(image, mean, std), jnp.float32)
  if _applies(recipe.whiten, channels, dataset):
    features = functools.partial(
      _features, mean=mean, std=std, unit_norm=unit_norm
    )
    zca = _fit_zca(name, image, recipe, features)
  return Preprocessing(
    name,
    jnp.asarray(mean, jnp.float32),
    jnp.asarray(std, jnp.float32),
    norm,
    zca,
    _UNIT_NOTE if unit_norm else '',
  )


def keeps_range(name: str, dataset: str = '') -> bool:
  """Whether images keep their mean and norm, and with them a range.

  Args:
    name: one of `NAMES`.
    dataset: as for `fit`.

  Raises:
    UserError: there is no such recipe.
  """
  check_name('preprocessing', name, RECIPES)
  return not _applies(RECIPES[name].unit_norm, 1, dataset)


def _applies(when: str, channels: int, dataset: str) -> bool:
  return {
    'always': True,
    'never': False,
    'colour': channels > 1,
    'svhn': 'svhn' in dataset,
  }[when]


def _statistics(
  image: np.ndarray, recipe: Recipe
) -> tuple[np.ndarray, np.ndarray]:
  """Mean and standard deviation of each channel, in units of [0, 1]: `[c]`."""
  channels = image.shape[-1]
  if not recipe.standardise:
    return np.zeros(channels), np.ones(channels)
  count = image.size // channels
  mean = sum(x.sum((0, 1, 2)) for x in _unit_chunks(image)) / count
  # A second pass: the difference of two large sums would lose digits.
  square = sum(((x - mean) ** 2).sum((0, 1, 2)) for x in _unit_chunks(image))
  std = np.sqrt(square / max(1, count - recipe.unbiased))
  # A constant channel stays as it is.
  return mean, np.where(std > _TINY, std, 1.0)


def _mean_norm(
  image: np.ndarray, mean: np.ndarray, std: np.ndarray
) -> np.ndarray:
  """The mean over images of the L2 norm about each image's own mean."""
  total = 0.0
  for x in _unit_chunks(image):
    flat = _features(x, mean, std, unit_norm=False)
    flat = flat - flat.mean(1, keepdims=True)
    total += np.linalg.norm(flat, axis=1).sum()
  return np.asarray(max(total / len(image), _TINY))


def _fit_zca(
  name: str,
  image: np.ndarray,
  recipe: Recipe,
  features: Callable[[np.ndarray], np.ndarray],
) -> Zca:
  """Symmetric whitening, and its inverse, from one eigen-decomposition."""
  n, d = len(image), image[0].size
  if d > _MAX_WHITENED:
    raise UserError(
      f'preprocessing={name!r}: images of {d:,} values are too large to '
      f'whiten (at most {_MAX_WHITENED:,}); choose standardise or a smaller '
      'image_size'
    )
  centre = np.zeros(d)
  if recipe.centred:
    centre = sum(features(x).sum(0) for x in _unit_chunks(image)) / n
  flat = (features(x) - centre for x in _unit_chunks(image))
  if _by_products(n, d):
    whiten, unwhiten = _whitened_by_products(np.concatenate([*flat]), recipe)
  else:
    whiten, unwhiten = _whitened(flat, n, d, recipe)
  return Zca(*(jnp.asarray(a, jnp.float32) for a in (centre, whiten, unwhiten)))


def _by_products(n: int, d: int) -> bool:
  """Whether the images' own products are the smaller matrix by far."""
  return n < d and d >= _GRAM_VALUES


def _whitened(
  flat: Iterable[np.ndarray], n: int, d: int, recipe: Recipe
) -> tuple[np.ndarray, np.ndarray]:
  """Whitening and its inverse, each `[d, d]`, of `[n, d]` in pieces."""
  covariance = np.zeros((d, d))
  for x in flat:
    covariance += x.T @ x
  covariance /= max(1, n - recipe.covariance_unbiased)
  scale, basis = _scales(covariance, n, recipe)
  return (basis * scale) @ basis.T, (basis / scale) @ basis.T


def _whitened_by_products(
  flat: np.ndarray, recipe: Recipe
) -> tuple[np.ndarray, np.ndarray]:
  """As `_whitened`, from the products of the images with each other.

  Both matrices are a multiple of the identity and a part of rank `n`: with `v`
  and `U` the eigenvalues and -vectors of `F F^T`, the directions are the rows
  of `U^T F / sqrt(v)`. Directions that no image spans, that of the images' own
  mean included, all get the scale of an eigenvalue of zero, or 1.
  """
  n, d = flat.shape
  flat = flat / max(1, n - recipe.covariance_unbiased) ** 0.5
  value, vector = linalg.eigh(flat @ flat.T, overwrite_a=True, driver='evd')
  ridge = _ridge(value.sum(), d, recipe)
  spanned = value > value[-1] * n * np.finfo(float).eps
  value, basis = value[spanned], (vector[:, spanned].T @ flat)
  basis /= np.sqrt(value)[:, None]
  null = 1.0 if recipe.null_as_is else ridge**-0.5
  scale = (value + ridge) ** -0.5
  return (
    _identity_and(null, scale - null, basis),
    _identity_and(1 / null, 1 / scale - 1 / null, basis),
  )


def _identity_and(
  multiple: float, weight: np.ndarray, basis: np.ndarray
) -> np.ndarray:
  """`multiple * I + basis^T diag(weight) basis`, `[d, d]`."""
  whole = basis.T @ (weight[:, None] * basis)
  whole[np.diag_indices_from(whole)] += multiple
  return whole


def _ridge(trace: float, d: int, recipe: Recipe) -> float:
  """What is added to the eigenvalues of a covariance of that trace."""
  unit = max(trace / d, _TINY**2) if recipe.ridge_relative else 1.0
  return recipe.ridge * unit


def seconds(name: str, shape: tuple[int, ...], dataset: str = '') -> float:
  """About how long a fit takes on one core; 0 where nothing is whitened.

  Args:
    name: one of `NAMES`.
    shape: of the training images, `(n, h, w, c)`.
    dataset: see `fit`.
  """
  n, d = shape[0], int(np.prod(shape[1:]))
  if not _applies(RECIPES[name].whiten, shape[-1], dataset):
    return 0.0
  if _by_products(n, d):
    return _CUBE_SECONDS * (n**3 + n * d**2)
  return _CUBE_SECONDS * (d**3 + n * d**2 / 4)


def _scales(
  covariance: np.ndarray, n: int, recipe: Recipe
) -> tuple[np.ndarray, np.ndarray]:
  """What to multiply each principal direction by `[d]`, and those `[d, d]`."""
  d = len(covariance)
  ridge = _ridge(np.trace(covariance), d, recipe)
  value, basis = linalg.eigh(covariance, overwrite_a=True, driver='evd')
  # Rounding can leave a null direction slightly below zero.
  scale = (np.maximum(value, 0) + ridge) ** -0.5
  if recipe.null_as_is and n < d:
    scale[: d - n] = 1.0
  return scale, basis


def _features(
  x: np.ndarray, mean: np.ndarray, std: np.ndarray, unit_norm: bool
) -> np.ndarray:
  """What is whitened: float64 `[n, h, w, c]` in [0, 1] to `[n, h * w * c]`."""
  x = ((x - mean) / std).reshape(len(x), -1)
  if unit_norm:
    x = x - x.mean(1, keepdims=True)
    x = x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), _TINY)
  return x


def _unit_chunks(image: np.ndarray) -> Iterator[np.ndarray]:
  """Float64 pieces of `image` in [0, 1], of bounded size."""
  size = max(1, _CHUNK_VALUES // image[0].size)
  scale = 255 if image.dtype == np.uint8 else 1
  for start in range(0, len(image), size):
    yield image[start : start + size].astype(np.float64) / scale
