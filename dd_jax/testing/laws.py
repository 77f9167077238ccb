"""The laws of `dd_jax.distiller.Distiller`, one function each.

| law | what it asks |
|---|---|
| `closed` | an update keeps structure, shapes, dtypes and (strong) types |
| `compiles_once` | nothing is traced again after the first call |
| `pure` | same arguments, same bits; nothing given is changed |
| `sample_is_pure` | a batch follows from key and step |
| `sample_varies` | and does depend on one of the two |
| `sources_agree` | the same batches from data on the device and on the host |
| `whole` | saved, restored and continued equals never stopped, to the bit |
| `leading_axis` | every leaf of a batch leads with an axis of examples |
| `fresh_buffers` | `init` shares no buffer with anybody |
| `structure` | a checkpoint is read into what is like the first state |
| `donated` | the update of a donated state touches no other |
| `shapes` | the set is `[k * m, h, w, c]` with labels `[k * m, k]` |
| `class_major` | its labels say so: the first `m` are of the first class, ... |
| `distilled_is_pure` | `distilled` gives the same compiled |
| `counted` | what is stored is what the budget counts |
| `lowers` | an update lowers for cpu, cuda and tpu |

Each takes a `Case` and raises an AssertionError that names it and what was
seen. Batches are split over devices along the leading axis (`devices.agree`).
"""

import functools
import re
import tempfile
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from dd_jax.distiller import budget
from dd_jax.run.checkpoint import Checkpointer
from dd_jax.testing.cases import (
  Case,
  bits,
  difference,
  is_weak,
  on_host,
  require,
  run,
)

_PLATFORMS = ('cpu', 'cuda', 'tpu')
_ROUNDING = 1e-5  # of decoded images, compiled otherwise


def closed(case: Case) -> None:
  """What an update gives is in kind what it takes."""
  weak = [path for path, x in _leaves(case.state) if is_weak(x)]
  require(not weak, 'closed', f'{weak} of the first state are weakly typed')
  key, step = jax.random.key(1), jnp.int32(0)
  state, metrics = jax.eval_shape(
    case.update, key, step, case.state, case.batch
  )
  before = jax.eval_shape(lambda: case.state)
  seen = difference(before, state)
  require(not seen, 'closed', f'in an update, {seen}')
  require('loss' in metrics, 'closed', f'no loss among {sorted(metrics)}')
  bad = [k for k, m in metrics.items() if m.shape or m.weak_type]
  require(not bad, 'closed', f'metrics {bad} are no strongly typed scalars')


def structure(case: Case) -> None:
  """What a checkpoint is read into is of the kind that `init` makes."""
  cheap = case.method.structure
  if cheap is None:
    return
  like = cheap(jax.random.key(0), case.source)
  seen = difference(
    *(jax.eval_shape(lambda s=s: s) for s in (case.state, like))
  )
  require(not seen, 'structure', f'what init makes, {seen}')


def compiles_once(case: Case) -> None:
  """What a step gives is what the next one takes: one program serves all."""
  count = max(1, len(case.traces))
  state, first = run(case, 1)
  _, later = run(case, 2, state, first=1)
  require(
    len(case.traces) == count,
    'compiles_once',
    f'traced {len(case.traces) - count + 1} times in three steps',
  )
  same = first.keys() == later.keys()
  require(same, 'compiles_once', f'metrics {[*first]}, later {[*later]}')
  wrong = [k for k, m in later.items() if not np.isfinite(m)]
  require(not wrong, 'compiles_once', f'metrics {wrong} are not finite')


def pure(case: Case) -> None:
  """Randomness comes from keys alone, and nothing is kept between calls."""
  arguments = jax.random.key(5), jnp.int32(3), case.state, case.batch
  before = bits(case.state)
  first = case.update(*arguments)
  seen = difference(first, case.update(*arguments))
  require(not seen, 'pure', f'the same update twice: {seen}')
  # A new function: JAX remembers the programs of those it knows.
  anew = jax.jit(lambda *arguments: case.method.update(*arguments))
  same = _program(case.update, arguments) == _program(anew, arguments)
  require(same, 'pure', 'update, traced twice, is two programs')
  same = bits(case.state) == before
  require(same, 'pure', 'an update changed the state that it was given')
  remade = case.make().init(jax.random.key(0), case.source)
  seen = difference(case.state, remade)
  require(not seen, 'pure', f'the same init twice: {seen}')


def sample_is_pure(case: Case) -> None:
  """A batch follows from the key and the step."""
  same = _draw(case, 0, 1) == _draw(case, 0, 1)
  require(same, 'sample_is_pure', 'other batches of the same key and step')


def sample_varies(case: Case) -> None:
  """Either the key or, in a sweep, the step decides."""
  first = _draw(case, 0, 0)
  others = [_draw(case, 0, 1), _draw(case, 7, 0), _draw(case, 8, 0)]
  varies = any(other != first for other in others)
  require(varies, 'sample_varies', 'one batch for all keys and steps')


def sources_agree(case: Case) -> None:
  """A host source, fetched as the driver does, gives the same batches."""
  host = on_host(case.source)
  draw = functools.partial(case.method.sample, jax.random.key(2), jnp.int32(1))
  seen = difference(draw(case.source), host.fetch(draw(host.plan())))
  require(not seen, 'sources_agree', f'from the device and the host, {seen}')


def whole(case: Case) -> None:
  """A run saved and restored goes on as if nothing had happened."""
  state, _ = run(case, 2)
  with tempfile.TemporaryDirectory() as folder:
    Checkpointer(folder, {}).save(2, state)
    like = jax.eval_shape(lambda: case.state)
    restored = Checkpointer(folder, {}).restore(like)
  require(restored is not None, 'whole', 'the checkpoint was not there')
  assert restored is not None
  seen = difference(state, restored.tree)
  require(not seen, 'whole', f'saved and restored, {seen}')
  uninterrupted, _ = run(case, 3, state, first=2)
  continued, _ = run(case, 3, restored.tree, first=2)
  seen = difference(uninterrupted, continued)
  require(not seen, 'whole', f'continued from the checkpoint, {seen}')


def leading_axis(case: Case) -> None:
  """Every leaf of a batch leads with an axis of independent examples."""
  scalars = [path for path, x in _leaves(case.batch) if x.ndim == 0]
  require(not scalars, 'leading_axis', f'{scalars} of a batch have no axis')


def fresh_buffers(case: Case) -> None:
  """The driver donates the state: nobody else may hold any of its buffers."""
  states = [case.method.init(jax.random.key(0), case.source) for _ in range(2)]
  owner: dict[int, str] = {}
  for path, x in _leaves((*states, case.source)):
    held = jax.random.key_data(x) if _is_key(x) else x
    if held.size:
      other = owner.setdefault(held.unsafe_buffer_pointer(), path)
      shared = f'{path} shares its buffer with {other}; [2] is the source'
      require(other == path, 'fresh_buffers', shared)


def donated(case: Case) -> None:
  """The update of a donated state leaves every other state alone."""
  init = case.method.init
  first, second = (init(jax.random.key(0), case.source) for _ in range(2))
  before = bits(second)
  update = jax.jit(case.method.update, donate_argnums=2)
  key, step = jax.random.key(0), jnp.int32(0)
  once, _ = update(key, step, first, case.batch)
  gone = any(x.is_deleted() for x in jax.tree.leaves(first))
  require(gone, 'donated', 'no buffer of the donated state was used')
  kept = not any(x.is_deleted() for x in jax.tree.leaves(second))
  require(kept, 'donated', 'another state lost its buffers')
  same = bits(second) == before
  require(same, 'donated', 'another state changed')
  again, _ = update(key, step, second, case.batch)
  seen = difference(once, again)
  require(not seen, 'donated', f'of two equal states, {seen}')


def shapes(case: Case) -> None:
  """As many images of each class, and a label for each of them."""
  data, classes = case.method.distilled(case.state), case.source.num_classes
  count = data.image.shape[0]
  divides = bool(count) and count % classes == 0
  require(divides, 'shapes', f'{count} images of {classes} classes')
  for found, wanted in (
    (data.image.shape, (count, *case.source.image_shape)),
    (data.label.shape, (count, classes)),
  ):
    require(found == wanted, 'shapes', f'{found} where {wanted} should be')


def class_major(case: Case, steps: int = 0) -> None:
  """The labels' largest entries are the classes in order, as many of each.

  Args:
    case: the method.
    steps: outer steps before the labels are looked at.
  """
  shapes(case)
  classes = case.source.num_classes
  data = case.method.distilled(run(case, steps)[0])
  of_class = np.asarray(data.label).reshape(classes, -1, classes).argmax(-1)
  right = bool(np.all(of_class == np.arange(classes)[:, None]))
  require(right, 'class_major', f'images by row are of {of_class.tolist()}')


def distilled_is_pure(case: Case) -> None:
  """`distilled` compiled gives the same: to the bit what is not decoded."""
  data = case.method.distilled(case.state)
  compiled = jax.jit(case.method.distilled)(case.state)
  if data.factors is None:
    seen = difference(data, compiled)
    require(not seen, 'distilled_is_pure', f'compiled, {seen}')
  for a, b in zip(*map(jax.tree.leaves, (data, compiled)), strict=True):
    close = np.allclose(a, b, atol=_ROUNDING)
    require(close, 'distilled_is_pure', 'compiled, images are others')


def counted(case: Case) -> None:
  """The budget is what is stored: pixels and labels, or fewer factors."""
  data, cost = case.method.distilled(case.state), budget(case.state)
  least, most = data.image.size, data.image.size + data.label.size
  sane = cost.bytes >= 4 * cost.floats
  require(sane, 'counted', f'{cost.floats} floats in {cost.bytes} bytes')
  if data.factors is None:
    right = least <= cost.floats <= most
    seen = f'{cost.floats} floats for {least} pixels and {most - least} labels'
    require(right, 'counted', seen)
  else:
    seen = f'{cost.bytes} bytes of factors for {least} pixels'
    require(cost.bytes < 4 * most, 'counted', f'{seen}: no saving')


def lowers(case: Case) -> None:
  """An update lowers for every platform; that needs no device."""
  arguments = jax.random.key(0), jnp.int32(0), case.state, case.batch
  case.update.trace(*arguments).lower(lowering_platforms=_PLATFORMS)


def _program(update: Any, arguments: Any) -> tuple[str, list[bytes]]:
  """The program of an update, without addresses, and its constants."""
  traced = update.trace(*arguments).jaxpr
  return re.sub('0x[0-9a-f]+', '', str(traced.jaxpr)), bits(traced.consts)


def _draw(case: Case, key: int, step: int) -> list[bytes]:
  drawn = case.method.sample(jax.random.key(key), jnp.int32(step), case.source)
  return bits(drawn)


def _leaves(tree: Any) -> list[tuple[str, Any]]:
  """Name and value of every leaf."""
  found = jax.tree.leaves_with_path(tree)
  return [(jax.tree_util.keystr(path), x) for path, x in found]


def _is_key(x: Any) -> bool:
  return jnp.issubdtype(x.dtype, jax.dtypes.prng_key)
