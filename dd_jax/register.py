'''Parts of your own, by name: methods, networks, kernels and the others.

What is registered stands beside the built-in parts in `--help`, in recipes, in
`dd_jax.distill(..., method='mine')` and in reports. A whole method:

    import jax.numpy as jnp
    import optax

    from dd_jax import Distiller, from_loss, register
    from dd_jax.data import sampling
    from dd_jax.parameterization import Parameterization


    def mean_match(
      parameterization: Parameterization,
      optimizer: optax.GradientTransformation,
      *,
      batch_size: int = 64,
      power: float = 2.0,
    ) -> Distiller:
      """The distilled images of a class have the mean of the real ones."""

      def loss(learned, batch, context):
        del context  # no network, and nothing drawn at random
        real = batch.image.mean(0)  # [classes, h, w, c]
        image = learned.data.image  # [classes * ipc, h, w, c], class-major
        own = image.reshape(len(real), -1, *image.shape[1:]).mean(1)
        return jnp.mean(jnp.abs(own - real) ** power), {}

      def sample(key, step, source):
        del step
        return sampling.per_class(key, source, batch_size)

      return from_loss(parameterization, optimizer, loss, sample=sample)


    register.method(
      'mean_match',
      mean_match,
      recipe={'num_steps': 500, 'optimizer': {'learning_rate': 0.05}},
      summary='class means of the images',
    )

A factory's signature is its schema. A parameter called after a part (`PARTS` in
`dd_jax.run.recipe` lists them: `parameterization`, `network`, `kernel`,
`optimizer`, `ipc`, ...) is given that part of the configuration, built. Any
other needs a plain default (int, float, bool, str; for a method also a `Ridge`;
`int | None` with None) and is a setting: `--config.method.power=1.5`. A default
of None otherwise is an option for Python callers alone. A method that reads
expert trajectories says so by its settings `expert_epochs` and `max_start`.

`dd_jax.testing` holds a part against the laws that the built-in ones keep.

For the command line, parts must be found. A package names the module (or the
function) that registers them as an entry point of the group `dd_jax.parts`, in
its `pyproject.toml`:

    [project.entry-points."dd_jax.parts"]
    mine = "my_package.parts"

Once it is installed, every command and `dd_jax.distill` know its parts. Without
a package, the file given as `--config` may register what it names. An artefact
records whose parts it was made with, and says so where they are missing.

Defining a part anew replaces it (a notebook's cell that is run twice); a name
that another one has is refused.
'''

import functools
import importlib.metadata
import inspect
import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

from dd_jax.distiller import Distiller
from dd_jax.evaluation.protocols import Protocol, Setting
from dd_jax.methods import selection as selections
from dd_jax.methods.method import Method
from dd_jax.parameterization import Parameterization
from dd_jax.run import limits, registries
from dd_jax.run import recipe as recipes
from dd_jax.types import Kernel, UserError

GROUP = 'dd_jax.parts'
"""The entry points that other packages register by."""

_DATA = ('image_shape', 'num_classes')  # what is known of any real data


def method(
  name: str,
  factory: Callable[..., Distiller],
  *,
  recipe: Mapping[str, Any] | None = None,
  summary: str = '',
) -> None:
  """Adds a method.

  Args:
    name: a lower-case identifier that no method has.
    factory: makes the `Distiller`; its signature is the schema, see the module.
    recipe: what it changes of `dd_jax.run.recipe.COMMON`, nested.
    summary: one line for `--help`.

  Raises:
    UserError: the name is taken or no identifier, the signature is no schema,
      or the recipe names a field that there is not.
  """
  _check_schema('method', name, factory, recipes.PARTS)
  _add('method', name, Method(factory, recipe or {}, summary), factory)


def network(name: str, factory: Callable[..., Any]) -> None:
  """Adds a learner.

  The factory makes a `Network`; or a plain Flax classifier, `nn.Module` or
  `nnx.Module`, see `dd_jax.networks.classifier`.

  Experts that are trained on it are kept under its name, settings and package
  version: raise the version, or clear the cache, where it computes otherwise.

  Args:
    name: a lower-case identifier that no network has.
    factory: `(image_shape, num_classes, *, ...)`, for `nnx` with a parameter
      `rngs`; settings have plain defaults.

  Raises:
    UserError: see `method`.
  """
  _check_schema('network', name, factory, (*_DATA, 'rngs'), _DATA)
  _add('network', name, factory)


def kernel(name: str, factory: Callable[..., Kernel]) -> None:
  """Adds a kernel.

  Args:
    name: a lower-case identifier that no kernel has.
    factory: `(get, *, ...) -> Kernel`, where `get` is 'ntk' or 'nngp'; settings
      have plain defaults. What it has not, it refuses by a `UserError`.

  Raises:
    UserError: see `method`.
  """
  _check_schema('kernel', name, factory, ('get',), ('get',))
  _add('kernel', name, factory)


def parameterization(
  name: str, factory: Callable[..., Parameterization]
) -> None:
  """Adds a way to learn images.

  What an artefact stores is decoded by the factory, called with `ipc`,
  `image_shape` and `num_classes` (those that it takes) and its settings: no
  other parameter may be without a default. `decode` must not need the labels'
  encoding, and params and constants must be nested dicts of arrays. One that
  learns labels has a setting `labels`, of which 'fixed' means that it does not.

  Args:
    name: a lower-case identifier that no parameterization has.
    factory: `(...) -> Parameterization`; parameters as those of a method.

  Raises:
    UserError: see `method`.
  """
  _check_schema('parameterization', name, factory, recipes.PARTS)
  known = ('ipc', *_DATA)
  for parameter in inspect.signature(factory).parameters.values():
    if parameter.default is parameter.empty and parameter.name not in known:
      raise UserError(
        f'parameterization {name!r}: its parameter {parameter.name!r} needs a '
        f'default: of an artefact only {", ".join(known)} are known'
      )
  _add('parameterization', name, factory)


def protocol(name: str, factory: Callable[[Setting], Protocol]) -> None:
  """Adds a way to score a set.

  Args:
    name: a lower-case identifier that no protocol has.
    factory: of one argument; its `Protocol`'s own name is what reports show.

  Raises:
    UserError: the name is taken or no identifier, or the factory takes another
      number of arguments.
  """
  _check_arity('protocol', name, factory, 1)
  _add('protocol', name, factory)


def selection(
  name: str, select: selections.Select, *, summary: str = ''
) -> None:
  """Adds a selection of real images: as a baseline, and as a method.

  Args:
    name: a lower-case identifier that no selection and no method has.
    select: `(key, source, ipc, features) -> int32 [k, ipc]`, the indices of
      each class; `features` maps images `[n, h, w, c]` to `[n, d]`.
    summary: one line for `--help`.

  Raises:
    UserError: the name is taken or no identifier, or `select` takes another
      number of arguments.
  """
  _check_arity('selection', name, select, 4)
  _check_free('method', name, select)
  _add('selection', name, select)
  factory = functools.partial(selections.selection, select)
  told = summary or f'{name} selection of real images (baseline)'
  _add('method', name, Method(factory, selections.RECIPE, told), select)


def load_installed() -> None:
  """Loads what installed packages register, once.

  Every command, `dd_jax.distill` and `dd_jax.load` call this.

  Raises:
    UserError: a package fails; names it and its error.
  """
  for entry in importlib.metadata.entry_points(group=GROUP):
    _load(entry)


@functools.cache
def _load(entry: importlib.metadata.EntryPoint) -> None:
  try:
    found = entry.load()
    if callable(found):
      found()
  except Exception as error:
    package = entry.dist.name if entry.dist else entry.module
    what = ' '.join(f'{type(error).__name__}: {error}'.split())
    raise UserError(
      f'{package}: its entry point {entry.name!r} of {GROUP} failed ({what}); '
      'mend or uninstall that package'
    ) from error


def _add(
  kind: str, name: str, part: Any, source: Callable[..., Any] | None = None
) -> None:
  """Adds a part, and takes it back where no configuration can name it.

  Args:
    kind: a key of `registries.REGISTRIES`.
    name: its name.
    part: what the registry holds.
    source: what the user wrote, if not the part itself.
  """
  source = source or part
  _check_free(kind, name, source)
  registry = registries.REGISTRIES[kind]
  before = registry.get(name)
  registry[name] = part
  try:
    limits.check(_naming(kind, name))
  except UserError as error:
    registry.pop(name)
    if before is not None:
      registry[name] = before
    raise UserError(f'{kind} {name!r}: {error}') from None
  registries.ADDED[kind, name] = registries.package_of(source)


def _naming(kind: str, name: str) -> recipes.Config:
  """A configuration that names the part, as a user's would."""
  if kind == 'method':
    return recipes.default(name)
  if kind in ('protocol', 'selection'):
    field = {'protocol': name} if kind == 'protocol' else {'baselines': (name,)}
    return recipes.update(recipes.default(), {'evaluation': field})
  return recipes.update(recipes.default(), {kind: {'name': name}})


def _check_free(kind: str, name: str, source: Callable[..., Any]) -> None:
  """Refuses a name that cannot be, or that is another part's."""
  if not re.fullmatch('[a-z][a-z0-9_]*', name):
    raise UserError(
      f'{kind} {name!r}: must be lower-case letters, digits and _, a letter '
      'first'
    )
  held = registries.REGISTRIES[kind].get(name)
  if held is not None and _place(_source(held)) != _place(source):
    raise UserError(f'{kind} {name!r}: there is one of that name')


def _source(part: Any) -> Any:
  """What the user wrote of what a registry holds."""
  if isinstance(part, Method):
    part = part.factory
  chosen = isinstance(part, functools.partial) and part.args
  return part.args[0] if chosen else part


def _place(part: Any) -> Any:
  """Where a function is defined; anything else stands for itself."""
  name = getattr(part, '__qualname__', None)
  return (part.__module__, name) if name else id(part)


def _check_schema(
  kind: str,
  name: str,
  factory: Callable[..., Any],
  known: Collection[str],
  needed: Collection[str] = (),
) -> None:
  """Refuses a signature that cannot serve as schema.

  Args:
    kind: of the part.
    name: of the part.
    factory: whose signature it is.
    known: parameters that are given something.
    needed: those that must be there.
  """
  parameters = inspect.signature(factory).parameters
  for parameter in parameters.values():
    wrong = _unfit(factory, parameter, known)
    if wrong:
      raise UserError(
        f'{kind} {name!r}: its parameter {parameter.name!r} {wrong}'
      )
  missing = [n for n in needed if n not in parameters]
  if missing:
    raise UserError(f'{kind} {name!r}: needs a parameter {missing[0]!r}')


def _unfit(
  factory: Callable[..., Any],
  parameter: inspect.Parameter,
  known: Collection[str],
) -> str:
  """What is wrong with a parameter, or ''."""
  named = (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
  if parameter.kind not in named:
    return 'cannot be given by name: write out every setting'
  if parameter.name in known:
    return ''
  if parameter.name == 'name' or parameter.name in recipes.PARTS:
    return 'has a name that means something else; choose another one'
  if parameter.default is parameter.empty:
    return f'has no default and is no part; parts are {", ".join(known)}'
  plain = parameter.name in recipes.settings(factory)
  if plain or parameter.default is None:
    return ''
  return (
    f'has the default {parameter.default!r}; allowed are int, float, bool, str '
    'and None'
  )


def _check_arity(
  kind: str, name: str, factory: Callable[..., Any], count: int
) -> None:
  """Refuses a function that cannot be called with `count` arguments."""
  try:
    inspect.signature(factory).bind(*range(count))
  except TypeError:
    raise UserError(
      f'{kind} {name!r}: must take {count} argument{"s" * (count > 1)}; its '
      f'signature is {inspect.signature(factory)}'
    ) from None
