"""What a run ran on: devices, versions, memory."""

import importlib.metadata
import os
import platform
import resource
import sys
from typing import Any

import jax

from dd_jax.platform import here
from dd_jax.run import precision
from dd_jax.types import PyTree
from dd_jax.version import VERSION


def machine() -> dict[str, Any]:
  """What the run took its time on; of no artefact a part."""
  return {
    'device': jax.devices()[0].device_kind,
    'backend': jax.default_backend(),
    'devices': jax.device_count(),
    'cores': os.cpu_count() or 1,
    'system': f'{platform.system()} {platform.machine()}',
    'schedule': here()._asdict(),
    'precision': precision.chosen(),
  }


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
