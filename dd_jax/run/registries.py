"""The parts that can be named in a configuration, and whose they are.

A part is a method, a network, a kernel, a parameterization, a protocol or a
selection. Those of this package are in its registries from the start; others
come in by `dd_jax.register`.
"""

import functools
import importlib.metadata
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from dd_jax.evaluation.protocols import PROTOCOLS
from dd_jax.kernels import KERNELS
from dd_jax.methods import METHODS
from dd_jax.methods.selection import SELECTIONS
from dd_jax.networks import NETWORKS
from dd_jax.parameterization import PARAMETERIZATIONS
from dd_jax.types import UserError

REGISTRIES: dict[str, dict[str, Any]] = {
  'method': METHODS,
  'network': NETWORKS,
  'protocol': PROTOCOLS,
  'parameterization': PARAMETERIZATIONS,
  'selection': SELECTIONS,
  'kernel': KERNELS,
}
"""By kind; the command line and the recipes read these."""

ADDED: dict[tuple[str, str], str] = {}
"""The parts that `dd_jax.register` added: `{(kind, name): package}`."""


def named(config: Mapping[str, Any]) -> list[tuple[str, str]]:
  """Every part that a configuration names: `(kind, name)`."""
  section = config['evaluation']
  own = ('method', 'parameterization', 'kernel', 'network')
  found = [(kind, config[kind]['name']) for kind in own]
  found.append(('network', section['network']['name']))
  if section['labels'] == 'teacher':
    found.append(('network', section['teacher']['network']))
  protocols = (section['protocol'], *section['others'])
  found += [('protocol', name) for name in protocols]
  return found + [('selection', name) for name in section['baselines']]


def added(parts: Iterable[tuple[str, str]]) -> dict[str, str]:
  """Those of `parts` that other packages brought: `{'KIND NAME': package}`."""
  return {
    f'{kind} {name}': ADDED[kind, name]
    for kind, name in parts
    if (kind, name) in ADDED
  }


def check_installed(metadata: Mapping[str, Any]) -> None:
  """Refuses an artefact whose parts are not all here.

  Args:
    metadata: of the artefact.

  Raises:
    UserError: names the first missing part and the package that it is from.
  """
  for part, package in metadata.get('parts', {}).items():
    kind, _, name = part.partition(' ')
    if name not in REGISTRIES[kind]:
      raise UserError(
        f'{kind}={name!r}: the set was made with it; it is from {package}, '
        'which is not installed here'
      )


def package_of(part: Callable[..., Any]) -> str:
  """Who wrote a part: `package version`; without one, the module."""
  while isinstance(part, functools.partial):
    part = part.func
  module = getattr(part, '__module__', None) or type(part).__module__
  top = module.partition('.')[0]
  packages = importlib.metadata.packages_distributions().get(top)
  if not packages:
    return module
  return f'{packages[0]} {importlib.metadata.version(packages[0])}'
