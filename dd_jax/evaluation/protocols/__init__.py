"""Named protocols: what is trained on a distilled set, and how it is scored.

A figure means nothing without its protocol: the same set scores points apart
under another. A new one is a file with a factory, `(Setting) -> Protocol`, and
a line in `PROTOCOLS`.

| name | what is trained | source |
|---|---|---|
| `dc` | ConvNet-D3-W128, SGD, 300 epochs (1,000 with augmentation) | DC |
| `mtt` | as `dc`, at the learned step size, always augmented (DSA) | MTT |
| `dd` | LeNet, the learned steps from the learned start, in order | DD |
| `ld` | LeNet, Adam at 1e-3 for the learned number of steps | LD |
| `frepo` | ConvNet, Adam with warm-up and cosine, squared error | FRePo |
| `krr-ntk` | kernel ridge regression, exact NTK | KIP |
| `krr-nngp` | kernel ridge regression, exact NNGP | KIP |
| `kip-nn` | KIP's ConvNet-W1024, SGD at a quarter of its largest step | KIP |
| `krr-feature` | ridge regression on features of `frepo`'s networks | FRePo |
| `krr-random` | kernel ridge regression, 16 random networks' kernel | RFAD |
| `rfad-nn` | ConvNet-D3-W1024 minus its start, SGD, scaled labels | RFAD |
| `rcig` | as `frepo`, Adam at 1e-4, mirror images, no augmentation | RCIG |
"""

from collections.abc import Callable

from dd_jax.checks import check_name
from dd_jax.evaluation.protocols import (
  dc,
  dd,
  frepo,
  kip_nn,
  krr,
  krr_feature,
  krr_random,
  ld,
  mtt,
  rcig,
  rfad_nn,
)
from dd_jax.evaluation.protocols.base import Length, Protocol, Setting

PROTOCOLS: dict[str, Callable[[Setting], Protocol]] = {
  'dc': dc.dc,
  'mtt': mtt.mtt,
  'dd': dd.dd,
  'ld': ld.ld,
  'frepo': frepo.frepo,
  'krr-ntk': krr.ntk,
  'krr-nngp': krr.nngp,
  'kip-nn': kip_nn.kip_nn,
  'krr-feature': krr_feature.krr_feature,
  'krr-random': krr_random.krr_random,
  'rfad-nn': rfad_nn.rfad_nn,
  'rcig': rcig.rcig,
}
"""By name: `(Setting) -> Protocol`."""

__all__ = ['PROTOCOLS', 'Length', 'Protocol', 'Setting', 'protocol']


def protocol(name: str, setting: Setting) -> Protocol:
  """The protocol of that name.

  Raises:
    UserError: there is none, or its network does not suit these images.
  """
  check_name('protocol', name, PROTOCOLS)
  return PROTOCOLS[name](setting)
