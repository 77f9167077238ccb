"""Augmentations that the real data decide: the `measured` of a configuration.

`evaluation.invariance` measures what each operation costs a network that never
saw it; one that costs too much is left out of the augmentation. What is left
then stands in the configuration.
"""

import json
from collections.abc import Mapping
from typing import NamedTuple

import jax

from dd_jax.augment import DSA
from dd_jax.cache import Cache
from dd_jax.data.dataset import Dataset
from dd_jax.evaluation import invariance
from dd_jax.evaluation.invariance import Seen, measure
from dd_jax.run import recipe
from dd_jax.run.fields import flat
from dd_jax.run.recipe import Config

MEASURED = 'measured'
"""Stands for the operations of the method's own that the real data allow."""

AUGMENTED = (
  'augment',
  'experts.augment',
  'method.strategy',
  'method.inner_strategy',
)
"""The fields that may say so, where a method has them."""

MIRROR = 'evaluation.mirror'
"""May say so too: of the protocols."""

TOLERATED = 0.2
"""The share of right answers that an operation may cost, surely.

One that may cost more is left out where it surely costs something. Few held-out
images leave both open: then nothing speaks against an operation but that few
were asked, it stays as the method's authors have it, and that is said.
"""

_VERSION = 2
_WORDS = {
  'flip': 'mirrored held-out images',
  'color': 'recoloured held-out images',
  'scale': 'scaled held-out images',
  'rotate': 'rotated held-out images',
  'crop': 'learned with shifts, held-out images',
}


class Decided(NamedTuple):
  """What became of a configuration.

  Attributes:
    config: with every `measured` replaced.
    changes: what they are now, by dotted field.
    notes: a line for each of them.
  """

  config: Config
  changes: dict[str, str]
  notes: list[str]


def decide(config: Config, dataset: Dataset, cache: Cache) -> Decided:
  """Replaces every `measured` by what the training images allow.

  Args:
    config: of the run.
    dataset: whose training images are looked at.
    cache: where what was measured is kept.
  """
  stated = flat(config)
  asked = [
    field for field in (*AUGMENTED, MIRROR) if stated.get(field) == MEASURED
  ]
  if not asked:
    return Decided(config, {}, [])
  found = _measured(dataset, cache)
  method = config['method']['name']
  decided = {field: _decided(method, field, found) for field in asked}
  changed = recipe.copied(config)
  for field, (text, _) in decided.items():
    recipe.update(changed, recipe.nested(field, text))
  changes = {field: text for field, (text, _) in decided.items()}
  return Decided(changed, changes, [note for _, note in decided.values()])


def allowed(name: str, found: Mapping[str, Seen]) -> bool:
  """Whether nothing shows that an operation makes images something else."""
  if name not in found:
    return True
  return found[name].lost <= TOLERATED or found[name].least <= 0


def undecided(name: str, found: Mapping[str, Seen]) -> bool:
  """Whether too few images were asked to tell what an operation costs."""
  return (
    allowed(name, found) and name in found and (found[name].lost > TOLERATED)
  )


def _decided(
  method: str, field: str, found: Mapping[str, Seen]
) -> tuple[str, str]:
  """What a field says from now on, and a line about it."""
  if field == MIRROR:
    may = allowed('flip', found)
    told = 'as the protocols do' if may else 'never'
    return '' if may else 'never', f'{field}: {told}; {_figures("flip", found)}'
  operations = _own(method, field).split('_')
  kept = [name for name in operations if allowed(name, found)]
  text = '_'.join(kept) or 'none'
  return text, _note(field, text, operations, found)


def _own(method: str, field: str) -> str:
  """The operations to choose among: the method's own, or DSA's."""
  own: str = flat(recipe.default(method))[field]
  return DSA if own == 'none' else own


def _note(
  field: str, text: str, operations: list[str], found: Mapping[str, Seen]
) -> str:
  """What was kept of the operations and what was not, and why."""
  left = [name for name in operations if not allowed(name, found)]
  open_ = [name for name in operations if undecided(name, found)]
  few = (
    f'; too few held-out images to tell of {" or ".join(open_)}'
    if open_
    else ''
  )
  if left:
    told = '; '.join(_figures(name, found) for name in left)
    return (
      f'{field}: {text}; no {" or ".join(left)}, which may cost over '
      f'{100 * TOLERATED:.0f} % of the right answers (two standard errors): '
      f'{told}{few}'
    )
  asked = [name for name in operations if name in found]
  worst = max(asked, key=lambda name: found[name].lost, default='')
  told = f', at worst {_figures(worst, found)}' if worst else ''
  return f'{field}: {text}, all of it{told}{few}'


def _figures(name: str, found: Mapping[str, Seen]) -> str:
  seen = found[name]
  words = _WORDS[name]
  return f'{words} {seen.changed:.0f} % against {seen.plain:.0f} %'


def _measured(dataset: Dataset, cache: Cache) -> dict[str, Seen]:
  """`measure`, or what it found before."""
  identity = {
    'invariance': _VERSION,
    'sha256': dataset.provenance['sha256'],
    'validation': dataset.provenance['validation'],
  }
  held = _read(cache.get(identity))
  if held:
    return held
  found = measure(jax.random.key(0), dataset.train, dataset.num_classes)
  cache.put(identity, json.dumps(found).encode())
  return found


def _read(content: bytes | None) -> dict[str, Seen] | None:
  """What was cached, or None where it is absent or damaged."""
  try:
    rows = json.loads(content or b'').items()
    found = {name: Seen(*row) for name, row in rows}
  except (ValueError, TypeError, AttributeError):
    return None
  return found if found.keys() == set(invariance.MEASURED) else None
