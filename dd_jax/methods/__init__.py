"""Methods of distillation, by name: a factory and the paper's settings.

A new method is one new file with a factory, its `RECIPE` and its `METHOD`, and
one line here.
"""

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
  ftd,
  hard_examples,
  idc,
  idm,
  kip,
  label_distillation,
  label_distillation_ridge,
  label_solve,
  m3d,
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
  'dc': dc.METHOD,
  'dsa': dsa.METHOD,
  'dcc': dcc.METHOD,
  'idc': idc.METHOD,
  'dm': dm.METHOD,
  'm3d': m3d.METHOD,
  'datadam': datadam.METHOD,
  'idm': idm.METHOD,
  'cafe': cafe.METHOD,
  'mtt': mtt.METHOD,
  'tesla': tesla.METHOD,
  'ftd': ftd.METHOD,
  'datm': datm.METHOD,
  **selection.METHODS,
  **hard_examples.METHODS,
}
"""By name."""


def baselines() -> list[str]:
  """The names of those that choose real images, registered ones included."""
  return [*selection.SELECTIONS, *hard_examples.METHODS]
