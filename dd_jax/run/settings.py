"""From the command line to a configuration.

`--config=RECIPE[:ARGUMENT]` names a recipe of this package or a file, where the
argument is `DATASET,IPC` or one of the two, and `--config.FIELD=VALUE` changes
a field of it; both are read here, before absl sees the other flags.
"""

import ast
import inspect
import pathlib
import runpy
from collections.abc import Mapping, Sequence
from typing import Any

from dd_jax import recipes
from dd_jax.checks import check_name
from dd_jax.files import kind
from dd_jax.run import recipe, unknown
from dd_jax.types import UserError


def split(argv: Sequence[str]) -> tuple[list[str], dict[str, str]]:
  """Separates `--config.FIELD=VALUE` from the other arguments.

  Returns:
    `(other arguments, {'FIELD': 'VALUE'})`.

  Raises:
    UserError: a field without a value.
  """
  others: list[str] = []
  fields: dict[str, str] = {}
  for argument in argv:
    if not argument.startswith(('-config.', '--config.')):
      others.append(argument)
      continue
    field, found, value = argument.lstrip('-')[len('config.') :].partition('=')
    if not found:
      raise UserError(f'{argument}: needs a value, --config.{field}=VALUE')
    fields[field] = value
  return others, fields


def configuration(
  file: str | None,
  named: Mapping[str, Any],
  fields: Mapping[str, str],
) -> recipe.Config:
  """The complete configuration of a run.

  Args:
    file: a recipe by name (`mnist_dm`, `published/dc`) or the path of a file;
      a file wins. By default `DATASET_METHOD` of the named set and method where
      there is one, else the method's own settings.
    named: values of the flags that were given: `dataset`, `method`, `ipc`, ...
    fields: changes, by dotted field.

  Raises:
    UserError: an unknown or ill-typed field, or a file that is no recipe.
  """
  values = dict(named)
  method = values.pop('method', None)
  config = _recipe(file, method, values)
  if method and config['method']['name'] != method:
    raise UserError(
      f'--method={method}: the recipe {file} is for '
      f'{config["method"]["name"]}; leave out one of the two'
    )
  update(config, values)
  return change(config, fields)


def _minutes_last(fields: Mapping[str, str]) -> list[tuple[str, str]]:
  """Fields in their order, but for the one that another takes back."""
  return sorted(fields.items(), key=lambda item: item[0] == 'minutes')


def update(config: recipe.Config, changes: Mapping[str, Any]) -> recipe.Config:
  """As `recipe.update`: steps that are given stand for a default's minutes.

  Raises:
    UserError: an unknown or ill-typed field.
  """
  if 'num_steps' in changes:
    config['minutes'] = 0.0  # both may be given
  return recipe.update(config, changes)


def change(config: recipe.Config, fields: Mapping[str, str]) -> recipe.Config:
  """Changes fields in place, by dotted name and text.

  Raises:
    UserError: an unknown or ill-typed field.
  """
  for field, text in _minutes_last(fields):
    update(config, recipe.nested(field, _value(config, field, text)))
  return config


def as_found(config: recipe.Config, found: Mapping[str, str]) -> recipe.Config:
  """A run of given minutes as it was measured to be.

  Args:
    config: left as it is.
    found: what was measured for a run like it, see `plan.Plan.changes`.

  Raises:
    UserError: an unknown or ill-typed field.
  """
  return change(recipe.changed(config, {'minutes': 0.0}), found)


def _recipe(
  file: str | None, method: str | None, values: Mapping[str, Any]
) -> recipe.Config:
  flags = {k: values[k] for k in ('dataset', 'ipc') if values.get(k)}
  if 'dataset' in flags:
    flags['dataset'] = pathlib.Path(flags['dataset']).stem
  if file is None:
    return own_recipe(method or 'kip', flags)
  name, _, argument = file.partition(':')
  return _load(_path(name), name, _asked(file, argument), flags)


def _path(name: str) -> pathlib.Path:
  """The file of a recipe: at that path, or the package's of that name."""
  path = pathlib.Path(name)
  if path.is_file():
    return path
  found = recipes.find(name)
  if found is None:
    near = recipes.nearest(name)
    hint = f' (did you mean {near}?)' if near else ''
    raise UserError(
      f'--config={name}: no such file and no recipe{hint}; `dd-jax list '
      'recipes` names them'
    )
  return found


def own_recipe(method: str, flags: Mapping[str, Any]) -> recipe.Config:
  """The recipe of a set and method; see `unknown` where there is none.

  Args:
    method: by name.
    flags: `dataset`, the name of the set, and `ipc`, where they are given.

  Raises:
    UserError: there is no such method.
  """
  check_name('--method', method, recipe.METHODS)
  name = f'{flags.get("dataset", recipe.COMMON["dataset"])}_{method}'
  path = recipes.find(name)
  if path:
    return _load(path, name, {}, flags)
  return unknown.defaults({**recipe.default(method), **flags})


def _asked(file: str, argument: str) -> dict[str, Any]:
  """What `DATASET,IPC`, one of the two or nothing gives."""
  parts = argument.split(',')
  ipc = parts.pop() if parts[-1].isdecimal() else ''
  dataset = parts.pop() if parts else ''
  if parts or (ipc and not int(ipc)):
    raise UserError(
      f'--config={file}: after the colon, DATASET,IPC or one of the two, and '
      'of images per class 1 and more'
    )
  given = {'dataset': dataset, 'ipc': int(ipc or 0)}
  return {k: v for k, v in given.items() if v}


def _load(
  path: pathlib.Path,
  name: str,
  asked: Mapping[str, Any],
  flags: Mapping[str, Any],
) -> recipe.Config:
  """Runs a recipe file; whatever it raises is told in one line.

  Args:
    path: of the file.
    name: what it is called where it is refused.
    asked: arguments of its `get_config`, from after the colon.
    flags: stand in for those that are not asked for; a data set only where the
      file is for several.
  """
  found = kind(path)
  if found != 'a text file':  # a zip archive would be run
    raise UserError(
      f'--config={path}: is {found}; expected a recipe, a .py file'
    )
  try:
    get_config = runpy.run_path(str(path))['get_config']
    arguments = {**flags, **asked}
    if 'dataset' not in inspect.signature(get_config).parameters:
      if 'dataset' in asked:
        raise UserError('is for one data set: after the colon, IPC alone')
      arguments.pop('dataset', None)
    return get_config(**arguments).to_dict()
  except UserError as error:
    raise UserError(f'--config={name}: {error}') from error
  except Exception as error:
    what = ' '.join(f'{type(error).__name__}: {error}'.split())
    raise UserError(
      f'--config={name}: is no recipe, a Python file with get_config(ipc) or '
      f'get_config(dataset, ipc) that returns a ConfigDict ({what})'
    ) from error


def _value(config: recipe.Config, field: str, text: str) -> Any:
  """Reads a value in the type that the field has now."""
  old: Any = config
  for part in field.split('.'):
    old = old.get(part) if isinstance(old, dict) else None
  if isinstance(old, str):
    return text
  if isinstance(old, tuple):
    return tuple(x for x in text.strip('()').split(',') if x)
  try:
    return ast.literal_eval(
      text.capitalize() if isinstance(old, bool) else text
    )
  except (ValueError, SyntaxError):
    return text
