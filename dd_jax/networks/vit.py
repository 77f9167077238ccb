"""The vision transformer of DC-BENCH, for small images.

Patches of 4x4 pixels and a class token, six layers of attention and a
two-layer perceptron, each behind a layer norm (Dosovitskiy et al., arXiv
2010.11929; Cui et al., arXiv 2207.09639).
"""

import flax.linen as nn
import jax
import jax.numpy as jnp

from dd_jax.checks import check_least
from dd_jax.networks.layers import Dense, uniform_fan_in
from dd_jax.networks.network import Network, Outputs, from_flax
from dd_jax.types import UserError

_EPSILON = 1e-5


class ViT(nn.Module):
  """See the module docstring.

  Attributes:
    num_classes: logits.
    width: of every token.
    depth: layers.
    heads: of the attention, each of `width / heads`.
    mlp_width: hidden units of the perceptrons.
    patch: its side in pixels.
    dropout: of tokens, attention's and perceptrons' outputs, in training.
  """

  num_classes: int
  width: int = 512
  depth: int = 6
  heads: int = 8
  mlp_width: int = 512
  patch: int = 4
  dropout: float = 0.1

  @nn.compact
  def __call__(self, x: jax.Array, train: bool = False) -> Outputs:
    """Maps `[n, h, w, c]` to `Outputs`; taps are tokens `[n, t, width]`."""
    drop = nn.Dropout(self.dropout, deterministic=not train)
    x = drop(self._placed(Dense(self.width)(_patches(x, self.patch))))
    taps = []
    for _ in range(self.depth):
      x = x + drop(self._attention(_norm(x)))
      x = x + self._perceptron(_norm(x), drop)
      taps.append(x)
    features = _norm(x[:, 0])
    logits = Dense(self.num_classes, name='head')(features)
    return Outputs(logits, features, tuple(taps))

  def _placed(self, tokens: jax.Array) -> jax.Array:
    """Tokens behind that of the class, each with its place added."""
    n, count, width = tokens.shape
    normal = nn.initializers.normal(1.0)
    first = self.param('class_token', normal, (1, 1, width))
    place = self.param('position', normal, (1, count + 1, width))
    first = jnp.broadcast_to(first.astype(tokens.dtype), (n, 1, width))
    return jnp.concatenate([first, tokens], 1) + place.astype(tokens.dtype)

  def _attention(self, x: jax.Array) -> jax.Array:
    n, count, width = x.shape
    init = uniform_fan_in(width)
    mixed = nn.Dense(3 * width, use_bias=False, kernel_init=init)(x)
    split = mixed.reshape(n, count, 3, self.heads, width // self.heads)
    query, key, value = (split[:, :, i] for i in range(3))
    score = jnp.einsum('nqhd,nkhd->nhqk', query, key)
    share = nn.softmax(score / (width // self.heads) ** 0.5)
    seen = jnp.einsum('nhqk,nkhd->nqhd', share, value)
    return Dense(width)(seen.reshape(n, count, width))

  def _perceptron(self, x: jax.Array, drop: nn.Dropout) -> jax.Array:
    hidden = nn.gelu(Dense(self.mlp_width)(x), approximate=False)
    return drop(Dense(self.width)(drop(hidden)))


def _norm(x: jax.Array) -> jax.Array:
  return nn.LayerNorm(epsilon=_EPSILON)(x)


def _patches(x: jax.Array, side: int) -> jax.Array:
  """`[n, h, w, c]` to `[n, patches, side * side * c]`, row by row."""
  n, height, width, channels = x.shape
  rows, columns = height // side, width // side
  x = x.reshape(n, rows, side, columns, side, channels).swapaxes(2, 3)
  return x.reshape(n, rows * columns, -1)


def vit(
  image_shape: tuple[int, int, int],
  num_classes: int,
  *,
  width: int = 512,
  depth: int = 6,
  heads: int = 8,
  mlp_width: int = 512,
  patch: int = 4,
  dropout: float = 0.1,
) -> Network:
  """The vision transformer of DC-BENCH, for images whole patches in size.

  Args:
    image_shape: `(h, w, c)`.
    num_classes: logits.
    width: of every token, a multiple of `heads`.
    depth: layers.
    heads: of the attention.
    mlp_width: hidden units of the perceptrons.
    patch: its side in pixels, which divides the images' sides.
    dropout: in training, 0 to below 1.

  Raises:
    UserError: a setting is out of range, or does not divide another.
  """
  counts = {'depth': depth, 'heads': heads, 'patch': patch}
  check_least(1, **{f'network.{k}': v for k, v in counts.items()})
  check_least(1, **{'network.mlp_width': mlp_width})
  if not 0 <= dropout < 1:
    raise UserError(f'network.dropout={dropout}: allowed are 0 to below 1')
  if image_shape[0] % patch or image_shape[1] % patch:
    raise UserError(
      f'network.patch={patch}: does not divide the sides of images of '
      f'{image_shape[0]} x {image_shape[1]}'
    )
  if width % heads:
    raise UserError(
      f'network.heads={heads}: does not divide network.width={width}'
    )
  module = ViT(num_classes, width, depth, heads, mlp_width, patch, dropout)
  return from_flax(module, image_shape, dropout=dropout > 0)
