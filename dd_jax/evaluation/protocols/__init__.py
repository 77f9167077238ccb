"""Named protocols: what is trained on a distilled set, and how it is scored.

A figure means nothing without its protocol: the same set scores points apart
under another. A new one is a file with a factory, `(Setting) -> Protocol`, and
a line in `PROTOCOLS`.

| name | what is trained | source |
|---|---|---|
| `dc` | ConvNet-D3-W128, SGD, 300 epochs | DC |
| `dc-mnist` | as `dc`, 1,000 epochs with DC's augmentation of MNIST | DC |
| `dsa` | as `dc`, 1,000 epochs with DSA | DSA |
| `mtt` | as `dsa`, at the learned step size | MTT |
| `datm` | as `mtt`, batches of 128, learned soft labels | DATM |
| `rat` | ConvNet, Adam, best of 300 to 3,000 steps on held-out images | RaT |
| `idc` | as `dsa`, batches of 64, all colours, CutMix | IDC |
| `dd` | LeNet, the learned steps from the learned start, in order | DD |
| `ld` | LeNet, Adam at 1e-3 for the learned number of steps | LD |
| `frepo` | ConvNet, Adam with warm-up and cosine, squared error | FRePo |
| `krr-ntk` | kernel ridge regression, exact NTK | KIP |
| `krr-nngp` | kernel ridge regression, exact NNGP | KIP |
| `kip-nn` | KIP's ConvNet-W1024, SGD, a quarter of its largest step | KIP |
| `krr-feature` | ridge regression on features of `frepo`'s networks | FRePo |
| `krr-random` | kernel ridge regression, 16 random networks' kernel | RFAD |
| `rfad-nn` | ConvNet-D3-W1024 minus its start, SGD, scaled labels | RFAD |
| `rcig` | as `frepo`, Adam at 1e-4, mirror images, no augmentation | RCIG |

`evaluation.mirror=never` leaves out the mirror images of `dsa`, `mtt`, `datm`,
`rat`, `idc`, `frepo` and `rcig`, as their authors do for digits;
`rfad-nn-mnist`, `-fashion`, `-svhn` and `-cifar100` are `rfad-nn` at the rates
for those sets. A protocol does one thing, whatever a data set is called: which
of them a set wants is the recipe's to say.
"""

import functools
from collections.abc import Callable

from dd_jax.checks import check_name
from dd_jax.evaluation.protocols import (
  datm,
  dc,
  dd,
  dsa,
  frepo,
  idc,
  kip_nn,
  krr,
  krr_feature,
  krr_random,
  ld,
  mtt,
  rat,
  rcig,
  rfad_nn,
)
from dd_jax.evaluation.protocols.base import Protocol, Setting

PROTOCOLS: dict[str, Callable[[Setting], Protocol]] = {
  'dc': dc.dc,
  'dc-mnist': dc.dc_mnist,
  'dsa': dsa.dsa,
  'mtt': mtt.mtt,
  'datm': datm.datm,
  'rat': rat.rat,
  'idc': idc.idc,
  'dd': dd.dd,
  'ld': ld.ld,
  'frepo': frepo.frepo,
  'krr-ntk': krr.ntk,
  'krr-nngp': krr.nngp,
  'kip-nn': kip_nn.kip_nn,
  'krr-feature': krr_feature.krr_feature,
  'krr-random': krr_random.krr_random,
  **{n: functools.partial(rfad_nn.rfad_nn, n) for n in rfad_nn.RATES},
  'rcig': rcig.rcig,
}
"""By name: `(Setting) -> Protocol`."""

__all__ = ['PROTOCOLS', 'Protocol', 'Setting', 'protocol']


def protocol(name: str, setting: Setting) -> Protocol:
  """The protocol of that name.

  Raises:
    UserError: there is none, or its network does not suit these images.
  """
  check_name('protocol', name, PROTOCOLS)
  return PROTOCOLS[name](setting)
