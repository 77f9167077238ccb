r"""Hallucinators: shared small decoders that redraw every base (HaBa).

Liu et al. (arXiv 2210.16774): image :math:`x_{ij}`, of base :math:`b_i` and
hallucinator j, is

.. math:: \mathrm{dec}_j(\sigma_j \odot \mathrm{enc}_j(b_i) + \mu_j)

with one convolution as encoder, one transposed convolution as decoder, and a
scale and a shift for every pixel and channel between them.
"""

import functools

import jax
import jax.numpy as jnp

from dd_jax.data.labels import LabelEncoding
from dd_jax.data.source import Source
from dd_jax.networks import Network
from dd_jax.networks.convolution import conv3x3
from dd_jax.parameterization.adversary import adversary_of
from dd_jax.parameterization.base import Parameterization
from dd_jax.parameterization.labels import make_labels
from dd_jax.parameterization.pixels import images_of
from dd_jax.parameterization.resize import resize
from dd_jax.parameterization.starts import Start, real, with_repeats
from dd_jax.parameterization.storage import budget_of
from dd_jax.types import Key, LabeledData, PyTree, UserError

_NOISE = 0.3  # of PyTorch's default initialisation, in which HaBa starts


def hallucinator(
  ipc: int,
  image_shape: tuple[int, int, int],
  num_classes: int,
  *,
  hallucinators: int = 5,
  channels: int = 0,
  bases: int = 0,
  base_channels: int = 0,
  downsample: int = 1,
  club: float = 0.0,
  network: Network | None = None,
  start: Start = real,
  labels: str = 'free',
  encoding: LabelEncoding | None = None,
  label_rule: str = 'plain',
) -> Parameterization:
  """Bases of each class, every one redrawn by every hallucinator.

  The paper's sets hold `ipc` bases beside 5 hallucinators, 0.91 images per
  class of CIFAR-10 more than `ipc`: set `bases` for that.

  Args:
    ipc: the budget, in plain images per class.
    image_shape: `(h, w, c)`.
    num_classes: `k`.
    hallucinators: decoded images of one base, which share its label.
    channels: between encoder and decoder; 0 for as many as the image has.
    bases: per class; 0 for as many as the budget holds.
    base_channels: of a base; 0 for as many as the image has.
    downsample: a base has `h / downsample` rows, rounded up.
    club: weight of the adversary's penalty (the paper's is 0.1); 0 for none.
    network: the adversary.
    start: what the bases start from.
    labels: see `pixels`.
    encoding: of the labels.
    label_rule: see `pixels`.

  Raises:
    UserError: the budget has no room for one base of every class.
  """
  h, w, c = image_shape
  if hallucinators < 1 or downsample < 1 or min(h, w) < 3:
    raise UserError(
      f'hallucinators={hallucinators}, downsample={downsample}: allowed are 1 '
      f'and more, for images of at least 3x3 (these are {h}x{w})'
    )
  inner = channels or c
  base = (-(-h // downsample), -(-w // downsample), base_channels or c)
  target = make_labels(labels, label_rule, encoding)
  room = budget_of(ipc, image_shape, num_classes, target).room(
    bases,
    shared=hallucinators * _numbers(image_shape, base[2], inner),
    each=base[0] * base[1] * base[2],
    what=f'{hallucinators} hallucinators',
  )
  stored = room.filled(
    images_of(_shrunk(with_repeats(start), base), room.per_class)
  )

  def init(key: Key, source: Source) -> tuple[PyTree, PyTree]:
    k_base, k_style = jax.random.split(key)
    params, constants = stored.init(k_base, source)
    draw = functools.partial(_first, shape=image_shape, base=base[2], c=inner)
    styles = [draw(k) for k in jax.random.split(k_style, hallucinators)]
    dtype = params['image'].dtype  # that of the images
    stack = lambda *a: jnp.stack(a).astype(dtype)
    return {**params, 'style': jax.tree.map(stack, *styles)}, constants

  def decode(params: PyTree, constants: PyTree) -> LabeledData:
    image, label = stored.decode(params, constants)
    drawn = redraw(resize(image, h, w), params['style'])
    return LabeledData(drawn, jnp.repeat(label, hallucinators, 0))

  adversary = None
  if club:
    if network is None or hallucinators < 2:
      raise UserError(
        f'club={club}: needs a network to judge 2 or more hallucinators'
      )
    adversary = adversary_of(network, num_classes, hallucinators, club)
  return stored._replace(init=init, decode=decode, adversary=adversary)


def redraw(base: jax.Array, style: PyTree) -> jax.Array:
  """Every base by every hallucinator.

  Args:
    base: `[n, h, w, c']`.
    style: `encoder` and `decoder` kernels `[s, 3, 3, ., .]` and biases,
      `scale` and `shift` `[s, h - 2, w - 2, d]`.

  Returns:
    `[n * s, h, w, c]`, all redrawings of a base side by side.
  """
  count = style['scale'].shape[0]
  one = lambda i: _redraw_one(base, jax.tree.map(lambda a: a[i], style))
  # One after the other: a batched convolution is slow on a CPU.
  drawn = jnp.stack([one(i) for i in range(count)], 1)
  return drawn.reshape(-1, *drawn.shape[2:])


def _redraw_one(base: jax.Array, style: PyTree) -> jax.Array:
  # VALID is SAME without its border; its transpose is SAME of a padded input.
  code = conv3x3(base, style['encoder'])[:, 1:-1, 1:-1] + style['encoder_bias']
  code = code * style['scale'] + style['shift']
  code = jnp.pad(code, ((0, 0), (1, 1), (1, 1), (0, 0)))
  return conv3x3(code, style['decoder']) + style['decoder_bias']


def _numbers(shape: tuple[int, int, int], base: int, inner: int) -> int:
  """Stored for one hallucinator."""
  h, w, c = shape
  return (
    (9 * base + 1) * inner + 2 * (h - 2) * (w - 2) * inner + (9 * inner + 1) * c
  )


def _first(
  key: Key, *, shape: tuple[int, int, int], base: int, c: int
) -> dict[str, PyTree]:
  """Near the identity: each pixel passes through, plus PyTorch's noise."""
  k_encoder, k_decoder = jax.random.split(key)
  h, w, channels = shape
  encoder, encoder_bias = _convolution(k_encoder, base, c)
  decoder, decoder_bias = _convolution(k_decoder, c, channels)
  return {
    'encoder': encoder,
    'encoder_bias': encoder_bias,
    'scale': jnp.ones((h - 2, w - 2, c)),
    'shift': jnp.zeros((h - 2, w - 2, c)),
    'decoder': decoder,
    'decoder_bias': decoder_bias,
  }


def _convolution(
  key: Key, inputs: int, outputs: int
) -> tuple[jax.Array, jax.Array]:
  """A 3x3 kernel and a bias."""
  k_kernel, k_bias = jax.random.split(key)
  bound = (9 * inputs) ** -0.5
  kernel = jax.random.uniform(
    k_kernel, (3, 3, inputs, outputs), minval=-bound, maxval=bound
  )
  bias = jax.random.uniform(k_bias, (outputs,), minval=-bound, maxval=bound)
  through = jnp.eye(max(inputs, outputs))[:inputs, :outputs]
  return (_NOISE * kernel).at[1, 1].add(through), _NOISE * bias


def _shrunk(start: Start, shape: tuple[int, int, int]) -> Start:
  """A start at the size, and with the channels, of a base."""

  def started(key: Key, source: Source, ipc: int) -> jax.Array:
    image = resize(start(key, source, ipc), *shape[:2])
    if image.shape[-1] == shape[2]:
      return image
    grey = image.mean(-1, keepdims=True)
    return jnp.repeat(grey, shape[2], -1)

  return started
