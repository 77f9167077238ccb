"""Says what is installed, and whether a tiny step works here.

  dd-jax doctor

An extra is a group of optional packages: `pip install -e ".[EXTRA]"` in a
checkout.
"""

import importlib.metadata
import os
import platform
import re
import time
from collections.abc import Iterator

import jax
import jax.numpy as jnp

from dd_jax.cache import default_directory
from dd_jax.data.load import load
from dd_jax.data.prepare import prepare
from dd_jax.run import command_line, machine, parts, recipe
from dd_jax.types import UserError

FLAGS = command_line.new_flags()
# A package, the extra of it that is wanted, and the extra that wants it.
_EXTRA = re.compile(r'^([\w.-]+)(?:\[([\w-]+)\])?.*; extra == .([\w-]+)')
_TINY = {'ipc': 1, 'method': {'batch_size': 20}}


def doctor() -> None:
  """Prints what it finds.

  Raises:
    UserError: a tiny step fails.
  """
  for line in _found():
    print(line, flush=True)


def _found() -> Iterator[str]:
  versions = machine.versions()
  yield ', '.join(f'{name} {version}' for name, version in versions.items())
  yield f'system: {platform.platform()}, {os.cpu_count()} processors'
  kinds = [f'{d.platform} {d.id} ({d.device_kind})' for d in jax.devices()]
  yield f'devices: {", ".join(kinds)}'
  yield from extras()
  yield _cache()
  yield _step()


def extras() -> Iterator[str]:
  """Which optional packages are here, by extra."""
  for extra, packages in _wanted('dd_jax').items():
    yield f'extra {extra}: {", ".join(map(_version, packages))}'


def _wanted(package: str) -> dict[str, list[str]]:
  """What the extras of an installed package ask for beyond its own needs.

  `jax[cuda13]` stands for what that extra asks for: jax is there anyway.
  """
  wanted: dict[str, list[str]] = {}
  for line in importlib.metadata.requires(package) or ():
    if found := _EXTRA.match(line):
      name, inner, extra = found.groups()
      more = _wanted(name).get(inner, []) if inner and _here(name) else []
      wanted.setdefault(extra, []).extend(more or [name])
  return wanted


def _here(package: str) -> bool:
  try:
    return bool(importlib.metadata.version(package))
  except importlib.metadata.PackageNotFoundError:
    return False


def _version(package: str) -> str:
  try:
    return f'{package} {importlib.metadata.version(package)}'
  except importlib.metadata.PackageNotFoundError:
    return f'{package} is not installed'


def _cache() -> str:
  folder = default_directory()
  sizes = [p.stat().st_size for p in folder.rglob('*') if p.is_file()]
  there = f'{len(sizes)} files, {sum(sizes) / 2**20:.1f} MiB'
  return f'cache: {folder} ({there if folder.is_dir() else "not made yet"})'


def _step() -> str:
  """Compiles a step of KIP on the embedded digits, and makes it."""
  before = time.perf_counter()
  config = recipe.update(recipe.default('kip'), _TINY)
  source = prepare(load('digits'), 'standardise').train
  setting = parts.Setting(source.image_shape, source.num_classes)
  key = jax.random.key(0)
  try:
    method = parts.build(config, setting)
    state, first = method.init(key, source), jnp.int32(0)
    batch = method.sample(key, first, source)
    _, metrics = jax.jit(method.update)(key, first, state, batch)
    loss = float(metrics['loss'])
  except jax.errors.JaxRuntimeError as error:
    told = ' '.join(str(error).split())
    raise UserError(f'a tiny step does not work here: {told}') from error
  seconds = time.perf_counter() - before
  return f'a tiny step: works (loss {loss:.3g}, {seconds:.1f} s with compiling)'


COMMAND = command_line.Command(
  'doctor', __doc__, FLAGS, doctor, takes_fields=False
)
