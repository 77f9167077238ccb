"""Methods of distillation, by name: a factory and the paper's settings.

A new method is one new file with a factory and its `RECIPE`, and one line here.
"""

import functools

from dd_jax.methods import (
  bptt,
  cafe,
  closed_form,
  datadam,
  datm,
  dc,
  dcc,
  dd,
  dm,
  dsa,
  frepo,
  idc,
  idm,
  kip,
  label_distillation,
  label_solve,
  m3d,
  rcig,
  rfad,
  selection,
  trajectory_matching,
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
  'dc': dc.METHOD,
  'dsa': dsa.METHOD,
  'dcc': dcc.METHOD,
  'idc': idc.METHOD,
  'dm': dm.METHOD,
  'm3d': m3d.METHOD,
  'datadam': datadam.METHOD,
  'idm': idm.METHOD,
  'cafe': cafe.METHOD,
  'mtt': Method(
    trajectory_matching.mtt,
    trajectory_matching.RECIPE,
    'trajectory matching, exact gradient (arXiv 2203.11932)',
  ),
  'tesla': Method(
    trajectory_matching.tesla,
    trajectory_matching.TESLA_RECIPE,
    'trajectory matching, approximate gradient (arXiv 2211.10586)',
  ),
  'ftd': Method(
    trajectory_matching.ftd,
    trajectory_matching.FTD_RECIPE,
    'trajectory matching, flat experts (arXiv 2211.11004)',
  ),
  'datm': Method(
    datm.datm,
    datm.RECIPE,
    'trajectory matching, difficulty and soft labels (arXiv 2310.05773)',
  ),
} | {
  name: Method(
    functools.partial(selection.selection, select),
    selection.RECIPE,
    f'{name} selection of real images (baseline)',
  )
  for name, select in selection.SELECTIONS.items()
}
"""By name."""
