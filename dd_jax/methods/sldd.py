"""SLDD: soft-label dataset distillation (arXiv 1910.02551).

DD's loss (`dd`), minimised over the labels too; and there may be fewer images
than classes (Sucholutsky and Schonlau).
"""

from dd_jax.methods import dd
from dd_jax.methods.method import Method

sldd = dd.dd
"""The same factory; the labels are learned by its recipe's parameterization."""

RECIPE = {**dd.RECIPE, 'parameterization': {'start': 'noise'}}
"""DD's settings, with labels learned."""

METHOD = Method(sldd, RECIPE, 'and soft labels (arXiv 1910.02551)')
