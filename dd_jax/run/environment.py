"""What a run ran on: versions, and the memory that it took."""

import importlib.metadata
import platform
import resource
import sys

import jax

from dd_jax.types import PyTree
from dd_jax.version import VERSION


def versions() -> dict[str, str]:
  """Versions of what the numbers depend on."""
  names = ('jax', 'jaxlib', 'flax', 'optax', 'numpy')
  found = {name: importlib.metadata.version(name) for name in names}
  return {'dd_jax': VERSION, **found, 'python': platform.python_version()}


def peak_memory_bytes() -> int:
  """The most memory so far: of the accelerator, or of this process."""
  statistics: PyTree = jax.local_devices()[0].memory_stats()
  if statistics and 'peak_bytes_in_use' in statistics:
    return int(statistics['peak_bytes_in_use'])
  unit = 1 if sys.platform == 'darwin' else 1024
  return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
