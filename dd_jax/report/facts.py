"""What a result says, in words and numbers, whatever it lacks.

A result is result.json's content, of this version or of an earlier one.
"""

import json
from collections.abc import Mapping
from typing import Any

from dd_jax.data.shown import sentence
from dd_jax.report import formats, scores


def title(result: Mapping[str, Any]) -> str:
  """The method and the set, as a heading."""
  method = formats.title(result.get('method', 'A method'))
  return f'{method} on {formats.title(dataset(result))}'


def dataset(result: Mapping[str, Any]) -> object:
  """The name of the set; runs have told it in two ways."""
  given = result.get('dataset', 'a data set')
  return given.get('name') if isinstance(given, Mapping) else given


def provenance(result: Mapping[str, Any]) -> Mapping[str, Any]:
  """The set's name, counts and hash, or nothing."""
  for name in ('data', 'dataset'):
    if isinstance(result.get(name), Mapping):
      return result[name]
  return {}


def train_count(result: Mapping[str, Any]) -> int | None:
  """Real training images, or None."""
  counts = provenance(result).get('counts')
  given = counts.get('train') if isinstance(counts, Mapping) else None
  found = formats.number(given)
  return None if found is None else int(found)


def factorised(result: Mapping[str, Any]) -> bool:
  """Whether images are decoded from something other than themselves."""
  part = mapping(mapping(result.get('config')).get('parameterization'))
  return part.get('name', 'pixels') != 'pixels'


def plain_images(result: Mapping[str, Any]) -> str | None:
  """How many images, stored as they are, would take the same room."""
  count = formats.number(result.get('stored_images_per_class'))
  return None if count is None else f'{count:.3g} per class'


def protocol(result: Mapping[str, Any]) -> str:
  """Under which the headline score was made."""
  inner = result.get('test_accuracy')
  own = inner.get('protocol') if isinstance(inner, Mapping) else None
  return str(own or result.get('protocol') or 'unnamed')


def comparable(result: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
  """The baselines; a score under another protocol is no comparison."""
  own = protocol(result)
  return {
    str(name): entry
    for name, entry in mapping(result.get('baselines')).items()
    if mapping(entry).get('protocol', own) == own
  }


def lead(result: Mapping[str, Any], baseline: str) -> str | None:
  """How far the set is ahead of a baseline, in words; or None."""
  own = scores.read('', result.get('test_accuracy'))
  other = scores.read('', comparable(result).get(baseline))
  if own is None or other is None:
    return None
  return f'{formats.signed(own.mean - other.mean)} points'


def selection(result: Mapping[str, Any]) -> str:
  """How the returned set was chosen, in words; or ''."""
  rule = result.get('selection')
  return f'How the returned set was chosen: {rule}.' if rule else ''


def pixels(result: Mapping[str, Any]) -> str:
  """The range of the stored pixels and what pictures clip of it; or ''."""
  held = result.get('pixels')
  if not isinstance(held, Mapping):
    return ''
  said = sentence(held).replace(' %', '\N{NO-BREAK SPACE}%')
  said = said.replace('-', '\N{MINUS SIGN}')
  return f'{said[0].upper()}{said[1:]}.'


def flat(prefix: str, value: object) -> list[tuple[str, object]]:
  """Fields of a nested mapping, by their full names."""
  if not isinstance(value, Mapping) or not value:
    return [(prefix, value)]
  found = []
  for key, inner in value.items():
    found += flat(f'{prefix}.{key}', inner)
  return found


def mapping(value: object) -> Mapping[str, Any]:
  """`value` where it is a mapping, an empty one otherwise."""
  return value if isinstance(value, Mapping) else {}


def text(value: object) -> str:
  """As it would be written in JSON, a string without its quotes."""
  return value if isinstance(value, str) else json.dumps(value, default=str)
