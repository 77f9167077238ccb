"""What every field that all runs share means; the types come from the code."""

import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from dd_jax.data import fitting, labels
from dd_jax.evaluation.metrics import METRICS
from dd_jax.methods import baselines
from dd_jax.parameterization import STARTS
from dd_jax.run.registries import REGISTRIES

_ARGUMENT = re.compile(r'^  (\w+): (.*(?:\n {4,}.*)*)', re.MULTILINE)

FIELDS = {
  'dataset': 'a name, a file or a folder, see [](data.md)',
  'data_dir': "where TFDS keeps its data; empty: TFDS's own choice",
  'image_size': 'scales the shorter side and crops the centre; 0: as they are',
  'range': 'the values of black and of white, such as `0,4095`; empty: found, '
  'and said',
  'classes': 'takes these classes alone, in this order, by name or number; '
  'empty: all',
  'validation': 'held out of the training data: a count, or a share below 1; '
  '0: a tenth, at most 5,000, at least one of each class',
  'preprocessing': '{PREPROCESSINGS}; or the `.npz` of another distilled set, '
  'whose own is taken as it is',
  'label_encoding': '{ENCODINGS}',
  'ipc': 'images per class; of a factorised set, how many plain images its '
  'storage equals',
  'total': 'images in all, spread over the classes as evenly as may be, in '
  'place of `ipc`; 0: `ipc` says',
  'counts': '`NAME=NUMBER` of every class, in place of `ipc`; empty: `ipc` '
  'says',
  'seed': 'of all randomness',
  'num_steps': 'outer steps; -1: one sweep of the training data, where the '
  'method has a `batch_size`',
  'minutes': 'of the whole run, scoring included: `num_steps`, its most, is '
  'found from the first steps; 0: `num_steps` says',
  'validate_every': 'outer steps between two validations; 0: none, and the '
  'last state is returned',
  'method.name': '{METHODS}',
  'parameterization.name': '{PARAMETERIZATIONS}',
  'parameterization.start': '{STARTS}, or the `.npz` of another distilled set',
  'parameterization.labels': '`fixed`, `free`, `nonnegative`, `simplex` or '
  '`logits`',
  'parameterization.label_rule': '`plain`, or `frepo`: divided by sqrt(k / 10)',
  'kernel.name': '{KERNELS}',
  'kernel.get': '`ntk` or `nngp`',
  'network.name': '{NETWORKS}',
  'optimizer.name': '`adam`, `adabelief`, `lamb`, `sgd` or `smooth_adam` '
  '(differentiable where a gradient is zero)',
  'optimizer.learning_rate': 'above 0',
  'optimizer.schedule': '`constant`, `cosine`, or `halving` at 0.6, 0.8 and '
  '0.9 of all steps',
  'optimizer.final': 'of `cosine`: the last rate as a share of the first',
  'optimizer.momentum': 'of `sgd` alone',
  'optimizer.weight_decay': 'of `sgd` alone, as part of the gradient',
  'inner_optimizer.name': 'of the networks in use, where a method takes one; '
  'this and the next as `optimizer`',
  'inner_optimizer.learning_rate': '',
  'inner_optimizer.schedule': '',
  'inner_optimizer.final': '',
  'inner_optimizer.momentum': '',
  'inner_optimizer.weight_decay': '',
  'augment': '`none`, `flip`, `dc` (what that protocol does to MNIST), or '
  "DSA's operations joined by `_`; `measured`: of the method's own, or DSA's, "
  'those that the real images allow',
  'experts.store': 'a folder of trained experts; empty: trained first, and '
  'kept in the cache',
  'experts.count': 'how many',
  'experts.epochs': 'how long each is trained; 0: as long as the method reads',
  'experts.epoch_steps': 'steps that count as one epoch; 0: one pass of the '
  'training data',
  'experts.batch_size': 'of real images',
  'experts.step_size': "of the experts' SGD",
  'experts.momentum': "of the experts' SGD",
  'experts.augment': 'as `augment`, every image with its own draw',
  'experts.rho': 'size of the climb to a flat minimum (FTD); 0: none',
  'experts.alpha': "of FTD's flat minima",
  'experts.keep_last': 'keeps the trained experts too: soft labels need them',
  'experts.at_once': 'experts trained together; on a CPU one for each device',
  'evaluation.protocol': '{PROTOCOLS}: selects, and gives the headline score',
  'evaluation.others': 'further protocols to score under',
  'evaluation.learners': 'fresh learners of each protocol',
  'evaluation.network.name': "replaces the protocol's own learner; empty: its "
  'own',
  'evaluation.steps': "replaces the protocol's own number of steps; 0: its own",
  'evaluation.networks': 'random networks in one kernel, for `krr-random`',
  'evaluation.mirror': 'mirror images in protocols that have them; empty: as '
  'they do; `never`; `measured`: where the real images allow it',
  'evaluation.features': 'what herding and k-means measure distances in: '
  '`pixels`, or `network` (one trained on the real data)',
  'evaluation.baselines': '{BASELINES}',
  'evaluation.whole': 'scores a learner of all training images too: `auto`, '
  'where that costs no more than the score of the set; `yes`; `no`. See '
  '[](protocols.md#the-whole-training-set)',
  'evaluation.labels': "what learners are trained on: `own`, the set's labels "
  'as they are; `hard`, their largest entries; `teacher`, what a network says '
  'of every view. See [](protocols.md#label-regimes)',
  'evaluation.teacher.network': '{NETWORKS}: the teacher, with its usual '
  'settings',
  'evaluation.teacher.steps': 'of its training on real images; 0: three '
  'epochs, at most 1,500',
  'evaluation.teacher.temperature': 'of its softmax and of the learners of it',
  'evaluation.metrics': '{METRICS}, or `corruptions`, all of those: of the '
  'same learners. See [](protocols.md#more-than-accuracy)',
  'evaluation.metric_examples': 'test images that are attacked or corrupted, '
  'taken from the classes in turn; 0: all',
  'evaluation.attack': 'largest change of a pixel in `fgsm` and `pgd`, in '
  '255ths of the range from black to white',
  'evaluation.validation_learners': 'learners of one validation',
  'evaluation.validation_steps': 'steps of a learner in validation; 0: as in '
  'the test',
  'evaluation.validation_examples': 'held-out examples looked at; 0: all',
}
"""By dotted name; a name in braces stands for the names in that registry."""


def described(field: str) -> str:
  """What a field is, as Markdown, the names that it may have among it.

  Args:
    field: its dotted name, a key of `FIELDS`.
  """
  names: dict[str, Iterable[str]] = {
    **{f'{kind.upper()}S': held for kind, held in REGISTRIES.items()},
    'STARTS': STARTS,
    'BASELINES': baselines(),
    'METRICS': METRICS,
    'PREPROCESSINGS': fitting.NAMES,
    'ENCODINGS': labels.NAMES,
  }
  return FIELDS[field].format(**{k: listed(v) for k, v in names.items()})


def arguments(factory: Callable[..., Any]) -> dict[str, str]:
  """What the docstring of a factory says of each argument."""
  plain = getattr(factory, 'func', factory)
  found = _ARGUMENT.findall(inspect.getdoc(plain) or '')
  return {name: ' '.join(told.split()).rstrip('.') for name, told in found}


def listed(names: Iterable[str]) -> str:
  """Names, as code."""
  return ', '.join(f'`{name}`' for name in names)


def flat(config: Mapping[str, Any], path: str = '') -> dict[str, Any]:
  """The values of a configuration by dotted name."""
  found: dict[str, Any] = {}
  for name, held in config.items():
    if isinstance(held, Mapping):
      found |= flat(held, f'{path}{name}.')
    else:
      found[path + name] = held
  return found


def kind(held: Any) -> str:
  """The type of a field by its default."""
  return 'tuple of str' if isinstance(held, tuple) else type(held).__name__


def text(held: Any) -> str:
  """A value as `--config.FIELD=` takes it."""
  return ','.join(held) if isinstance(held, tuple | list) else str(held)
