"""What `experiments.benchmark` measures, by name.

A new case is a function, `(Conditions) -> Row`, in a file of its kind, and a
line here.
"""

from experiments.benchmarks import (
  architectures,
  dispatch,
  exactness,
  kernel_speed,
  learners,
  outer_steps,
  precision,
  published_steps,
  unrolling,
)
from experiments.benchmarks.measure import Case

# RaT-BPTT's window as its code has it, not its paper.
_DEFAULT = {'inner_steps': 35, 'window': 20, 'plan': 'products'}
_PUBLISHED_WINDOW = {'inner_steps': 130, 'window': 60, 'batch_size': 5000}

_SPEED: dict[str, Case] = {
  'frepo-1': outer_steps.frepo(1),
  'frepo-10': outer_steps.frepo(10),
  'frepo-wide-1': outer_steps.frepo(1, wide=True),
  'frepo-wide-10': outer_steps.frepo(10, wide=True),
  'dc-1': outer_steps.gradient_matching('dc', 1),
  'dc-10': outer_steps.gradient_matching('dc', 10),
  'dsa-1': outer_steps.gradient_matching('dsa', 1),
  'dsa-10': outer_steps.gradient_matching('dsa', 10),
  'dm-1': outer_steps.distribution_matching(1),
  'dm-10': outer_steps.distribution_matching(10),
  'rfad': outer_steps.rfad(1280),
  'mtt-10': outer_steps.trajectory_matching(10),
  'mtt-50': outer_steps.trajectory_matching(50),
  'bptt-50': outer_steps.bptt(50),
  'rat-bptt-1': outer_steps.window(1, {**_DEFAULT, 'batch_size': 200}),
  'rat-bptt-10': outer_steps.window(10, {**_DEFAULT, 'batch_size': 1000}),
  'ten-experts': learners.ten_experts,
  'mtt-exactness': exactness.exactness,
  'evaluate': learners.evaluate(1),
  'five-learners': learners.five_learners,
  'architectures': architectures.architectures,
  'dispatch': dispatch.dispatch,
}
_PUBLISHED: dict[str, Case] = {
  'kip-dense-10': published_steps.kip_dense(10),
  'kip-conv-1': published_steps.kip_conv(1),
  'rfad-published': outer_steps.rfad(5120),
  'rcig-1': published_steps.rcig,
  'bptt-200': outer_steps.bptt(200),
  'rat-bptt-published': outer_steps.window(10, _PUBLISHED_WINDOW),
  'evaluate-20': learners.evaluate(20),
  'experts': learners.experts,
}
_KERNELS: dict[str, Case] = {
  'kernel-convnet': kernel_speed.ours('convnet'),
  'kernel-convnet-nngp': kernel_speed.ours('convnet', 'nngp'),
  'kernel-convnet-float64': kernel_speed.ours('convnet', double=True),
  'kernel-convnet-grey': kernel_speed.ours('convnet', shape=(28, 28, 1)),
  'kernel-myrtle5': kernel_speed.ours('myrtle5'),
  'kernel-temporaries': kernel_speed.temporaries,
  'kernel-peak': kernel_speed.peak,
  'neural-tangents-convnet': kernel_speed.theirs('convnet'),
  'neural-tangents-convnet-float64': kernel_speed.theirs(
    'convnet', double=True
  ),
  'neural-tangents-myrtle5-float64': kernel_speed.theirs(
    'myrtle5', double=True
  ),
}
_UNROLL: dict[str, Case] = {
  'unroll-time': unrolling.times,
  'unroll-memory-10': unrolling.memory(10),
  'unroll-memory-20': unrolling.memory(20),
  'unroll-memory-50': unrolling.memory(50),
  'unroll-memory-100': unrolling.memory(100),
  'unroll-memory-200': unrolling.memory(200),
  'unroll-memory-400': unrolling.memory(400),
}

_PRECISION: dict[str, Case] = {
  f'precision-{name}': precision.cosines(name) for name in precision.METHODS
}

CASES: dict[str, Case] = _SPEED | _PUBLISHED | _KERNELS | _UNROLL | _PRECISION
"""By name."""

GROUPS: dict[str, tuple[str, ...]] = {
  'speed': tuple(_SPEED),
  'published': tuple(_PUBLISHED),
  'kernels': tuple(_KERNELS),
  'unroll': tuple(_UNROLL),
  'precision': tuple(_PRECISION),
}
"""Names of cases that are asked for together."""
