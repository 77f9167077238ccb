"""Methods of distillation, by name: a factory and the paper's settings.

A new method is one new file with a factory, its `RECIPE` and its `METHOD`, and
one line here.
"""

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
  label_distillation_ridge,
  label_solve,
  mtt,
  rat_bptt,
  rcig,
  rfad,
  selection,
  sldd,
  tesla,
)
from dd_jax.methods.method import Method

METHODS: dict[str, Method] = {
  'kip': kip.METHOD,
  'label_solve': label_solve.METHOD,
  'closed_form': closed_form.METHOD,
  'frepo': frepo.METHOD,
  'rfad': rfad.METHOD,
  'rcig': rcig.METHOD,
  'bptt': bptt.METHOD,
  'rat_bptt': rat_bptt.METHOD,
  'dd': dd.METHOD,
  'sldd': sldd.METHOD,
  'label_distillation': label_distillation.METHOD,
  'label_distillation_ridge': label_distillation_ridge.METHOD,
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
} | selection.METHODS
"""By name."""
