"""Methods of distillation, by name: a factory and the paper's settings.

A new method is one new file with a factory and its `RECIPE`, and one line here.
"""

import functools

from dd_jax.methods import (
  bptt,
  cafe,
  closed_form,
  datm,
  dd,
  distribution_matching,
  frepo,
  ftd,
  gradient_matching,
  kip,
  label_distillation,
  label_solve,
  mtt,
  rcig,
  rfad,
  selection,
  tesla,
)
from dd_jax.methods.method import Method

METHODS: dict[str, Method] = {
  'kip': Method(
    kip.kip, kip.RECIPE, 'kernel inducing points (arXiv 2011.00050)'
  ),
  'label_solve': Method(
    label_solve.label_solve,
    label_solve.RECIPE,
    'real images, labels solved in closed form (arXiv 2011.00050)',
  ),
  'closed_form': Method(
    closed_form.closed_form,
    closed_form.RECIPE,
    'exact for linear and invertible features (Chen et al., NeurIPS 2024)',
  ),
  'frepo': Method(
    frepo.frepo,
    frepo.RECIPE,
    'neural feature regression with pooling (arXiv 2206.00719)',
  ),
  'rfad': Method(
    rfad.rfad,
    rfad.RECIPE,
    'random feature approximation (arXiv 2210.12067)',
  ),
  'rcig': Method(
    rcig.rcig,
    rcig.RECIPE,
    'convexified implicit gradients (arXiv 2302.06755)',
  ),
  'bptt': Method(
    bptt.bptt,
    bptt.BPTT_RECIPE,
    'back-propagation through training (arXiv 2206.02916)',
  ),
  'rat_bptt': Method(
    bptt.rat_bptt,
    bptt.RAT_RECIPE,
    'through a random window of training (arXiv 2310.08566)',
  ),
  'dd': Method(
    dd.dd, dd.RECIPE, 'images and step sizes learned (arXiv 1811.10959)'
  ),
  'sldd': Method(dd.sldd, dd.SLDD_RECIPE, 'and soft labels (arXiv 1910.02551)'),
  'label_distillation': Method(
    label_distillation.label_distillation,
    label_distillation.RECIPE,
    'real images, labels learned by one step (arXiv 2006.08572)',
  ),
  'label_distillation_ridge': Method(
    label_distillation.label_distillation_ridge,
    label_distillation.RECIPE,
    'real images, labels learned by ridge regression (arXiv 2006.08572)',
  ),
  'dc': Method(
    gradient_matching.dc,
    gradient_matching.RECIPE,
    'gradient matching (arXiv 2006.05929)',
  ),
  'dsa': Method(
    gradient_matching.dsa,
    gradient_matching.DSA_RECIPE,
    'gradient matching under siamese augmentation (arXiv 2102.08259)',
  ),
  'dcc': Method(
    gradient_matching.dcc,
    gradient_matching.DCC_RECIPE,
    'gradients averaged over classes are matched (arXiv 2202.02916)',
  ),
  'idc': Method(
    gradient_matching.idc,
    gradient_matching.IDC_RECIPE,
    'gradients of networks in training on real data (arXiv 2205.14959)',
  ),
  'dm': Method(
    distribution_matching.dm,
    distribution_matching.RECIPE,
    'distribution matching (arXiv 2110.04181)',
  ),
  'm3d': Method(
    distribution_matching.m3d,
    distribution_matching.M3D_RECIPE,
    'kernel mean discrepancy (arXiv 2312.15927)',
  ),
  'datadam': Method(
    distribution_matching.datadam,
    distribution_matching.DATADAM_RECIPE,
    'attention matching (arXiv 2310.00093)',
  ),
  'idm': Method(
    distribution_matching.idm,
    distribution_matching.IDM_RECIPE,
    'matching on partly trained networks (arXiv 2307.09742)',
  ),
  'cafe': Method(cafe.cafe, cafe.RECIPE, 'aligned features (arXiv 2203.01531)'),
  'mtt': mtt.METHOD,
  'tesla': tesla.METHOD,
  'ftd': ftd.METHOD,
  'datm': datm.METHOD,
} | {
  name: Method(
    functools.partial(selection.selection, select),
    selection.RECIPE,
    f'{name} selection of real images (baseline)',
  )
  for name, select in selection.SELECTIONS.items()
}
"""By name."""
