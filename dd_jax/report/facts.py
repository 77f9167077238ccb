"""What a result says, in words and numbers, whatever it lacks.

A result is result.json's content, of this version or of an earlier one.
"""

import json
from collections.abc import Mapping, Sequence
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


def per_class(result: Mapping[str, Any]) -> object:
  """Images per class, as results and as artefacts call them; or None."""
  return result.get('images_per_class', result.get('ipc'))


def per_class_text(result: Mapping[str, Any]) -> str:
  """`10 per class`, `1 to 3 per class`, or ''."""
  each, counts = per_class(result), by_class(result)
  if counts:
    return f'{min(counts)} to {max(counts)} per class'
  return f'{each} per class' if each is not None else ''


def by_class(result: Mapping[str, Any]) -> tuple[int, ...]:
  """Images of each class where they differ; or nothing."""
  return tuple(result.get('images_by_class', ()))


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


def whole(result: Mapping[str, Any]) -> Mapping[str, Any]:
  """The score of a learner of the whole training set, or nothing."""
  return mapping(result.get('whole'))


def whole_name(result: Mapping[str, Any]) -> str:
  """What that learner is called: of a trained one, for how long too."""
  epochs = formats.number(whole(result).get('epochs'))
  rest = '' if epochs is None else f', {epochs:.3g} epochs'
  return f'Whole training set{rest}'


def labels(result: Mapping[str, Any]) -> str:
  """Which labels learners were trained on, in words; '' if untold."""
  held = mapping(result.get('labels'))
  if held.get('kind') == 'soft':
    beside = result.get('baselines')
    rest = '; those of real images are hard' if beside else ''
    return f'soft, the own ones of the set{rest}'
  teacher = mapping(held.get('teacher'))
  if not teacher:
    return str(held.get('kind', ''))
  name = mapping(teacher.get('network')).get('name')
  return (
    f'of a teacher at every step ({name}, '
    f'{formats.count(teacher.get("parameters"))} parameters, '
    f'{formats.count(teacher.get("steps"))} steps on real images, '
    f'{teacher.get("test_accuracy"):.2f} % on the test images, temperature '
    f'{teacher.get("temperature"):g})'
  )


def lead(result: Mapping[str, Any], baseline: str) -> str | None:
  """How far the set is ahead of a baseline, in words; or None."""
  own = scores.read('', result.get('test_accuracy'))
  other = scores.read('', comparable(result).get(baseline))
  if own is None or other is None:
    return None
  return f'{formats.signed(own.mean - other.mean)} points'


def interval(result: Mapping[str, Any]) -> tuple[str, str] | None:
  """What another test set of that size might say: its name, and it; or None."""
  ends = list(mapping(result.get('test_accuracy')).get('interval') or ())
  count = formats.count(mapping(result.get('test_set')).get('examples'))
  if len(ends) != 2 or count is None:
    return None
  name = f'95 % interval, {count} images'
  return name, f'{ends[0]:.1f} to {ends[1]:.1f}\N{NO-BREAK SPACE}%'


def class_sizes(result: Mapping[str, Any]) -> list[int]:
  """Test examples of each class that has any; empty where it is not told."""
  sizes = mapping(result.get('test_set')).get('by_class') or ()
  return [n for n in sizes if formats.number(n)]


def unequal(sizes: Sequence[int]) -> bool:
  """Whether classes differ in size by more than a tenth."""
  return bool(sizes) and max(sizes) > 1.1 * min(sizes)


def class_name(names: Sequence[str], i: int) -> str:
  """A class by its number and, where it has another, its name."""
  return names[i] if names[i] == str(i) else f'{i} {names[i]}'


def selection(result: Mapping[str, Any]) -> str:
  """How the returned set was chosen, in words; or ''."""
  rule = result.get('selection')
  return f'How the returned set was chosen: {rule}.' if rule else ''


def pixels(result: Mapping[str, Any]) -> str:
  """The range of the stored pixels and what pictures clip of it; or ''."""
  held = result.get('pixels')
  if not isinstance(held, Mapping):
    return ''
  said = sentence(held, mapping(result.get('config')))
  said = said.replace(' %', '\N{NO-BREAK SPACE}%')
  said = said.replace('-', '\N{MINUS SIGN}')
  return f'{said[0].upper()}{said[1:]}.'


def loading(result: Mapping[str, Any]) -> list[str]:
  """What was done to the data as they were read, a line each."""
  found, config = provenance(result), mapping(result.get('config'))
  held, size = mapping(found.get('validation')), config.get('image_size')
  lines = [str(note) for note in found.get('notes') or ()]
  if formats.number(size):
    lines.append(
      f'scaled: the shorter side to {size} pixels, and the centre cropped'
    )
  count = formats.count(held.get('count'))
  if count:
    lines.append(
      f'validation: {count} training images held out, chosen by seed '
      f'{held.get("seed")}'
    )
  return lines


def notes(result: Mapping[str, Any]) -> list[str]:
  """What a reader must know, but for what is listed with the data."""
  listed = loading(result)
  given = map(str, result.get('notes') or ())
  return [note for note in given if note not in listed]


def flat(prefix: str, value: object) -> list[tuple[str, object]]:
  """Fields of a nested mapping, by their full names."""
  if not isinstance(value, Mapping) or not value:
    return [(prefix, value)]
  found = []
  for key, inner in value.items():
    found += flat(f'{prefix}.{key}' if prefix else str(key), inner)
  return found


def mapping(value: object) -> Mapping[str, Any]:
  """`value` where it is a mapping, an empty one otherwise."""
  return value if isinstance(value, Mapping) else {}


def distilling(result: Mapping[str, Any]) -> float | None:
  """Seconds from the first state to the last outer step, as a user waits.

  Making the state, compiling, the steps and their validations; of a cell of a
  suite what its seconds were given for: experts and steps. None where a record
  has no times.

  Args:
    result: as in result.json.
  """
  spent = mapping(result.get('seconds'))
  phases: tuple[str, ...] = ('init', 'compile', 'distil', 'validate')
  if 'seconds_given' in result:
    phases = ('experts', 'distil')
  found = [formats.number(spent.get(name)) for name in phases]
  known = [seconds for seconds in found if seconds is not None]
  return sum(known) if known else None


def text(value: object) -> str:
  """As it would be written in JSON, a string without its quotes."""
  return value if isinstance(value, str) else json.dumps(value, default=str)
