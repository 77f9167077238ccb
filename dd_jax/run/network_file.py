"""Learners that the command line names: of this package, or of a file."""

import functools
import hashlib
import importlib.util
import pathlib
import sys
import types
from collections.abc import Callable
from typing import Any

from dd_jax import register
from dd_jax.checks import check_name
from dd_jax.files import kind, reason
from dd_jax.networks import NETWORKS
from dd_jax.types import UserError


def name(flag: str, text: str) -> str:
  """The name of a learner; one of a file is registered under its factory's.

  Args:
    flag: that gives it, as it is to be told of.
    text: `NAME`, or `FILE.py:FACTORY`.

  Raises:
    UserError: there is no such learner, file or factory.
  """
  file, colon, factory = text.rpartition(':')
  if not colon and text.endswith('.py'):
    raise UserError(
      f'{flag}={text}: names no factory; write {flag}={text}:FACTORY, a '
      'function of the file that makes a network'
    )
  if not colon:
    check_name(flag, text, NETWORKS)
    return text
  try:
    register.network(factory, _told(text, _factory(file, factory)))
  except UserError as error:
    raise UserError(f'{flag}={text}: {error}') from None
  return factory


def _told(text: str, factory: Callable[..., Any]) -> Callable[..., Any]:
  """`factory`, whose own mistakes end in a line as well."""
  if isinstance(factory, type):
    return factory

  @functools.wraps(factory)
  def made(*args: Any, **kwargs: Any) -> Any:
    try:
      return factory(*args, **kwargs)
    except UserError:
      raise
    except Exception as error:
      raise UserError(f'network {text}: {reason(error)}') from error

  return made


def _factory(file: str, factory: str) -> Callable[..., Any]:
  path = pathlib.Path(file)
  if not path.is_file():
    raise UserError('no such file')
  if kind(path) != 'a text file':
    raise UserError(f'the file is {kind(path)}; expected Python')
  found = getattr(_module(path.resolve()), factory, None)
  if not callable(found):
    raise UserError(f'there is no function {factory!r} in the file')
  return found


@functools.cache
def _module(path: pathlib.Path) -> types.ModuleType:
  """The file, run once. Its name has a digest: what is cached depends on it."""
  digest = hashlib.sha256(path.read_bytes()).hexdigest()[:8]
  title = f'{path.name} {digest}'
  spec = importlib.util.spec_from_file_location(title, path)
  if spec is None or spec.loader is None:
    raise UserError('expected a file that ends in .py')
  module = importlib.util.module_from_spec(spec)
  sys.modules[title] = module  # classes look their module up by name
  try:
    spec.loader.exec_module(module)
  except Exception as error:
    what = ' '.join(f'{type(error).__name__}: {error}'.split())
    raise UserError(f'the file fails ({what})') from error
  return module
