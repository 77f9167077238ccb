"""The count of useful work, against figures worked out by hand elsewhere."""

import pytest

from experiments.benchmarks import flops

CONVNET = flops.convnet(32, 3, (128,) * 3, 10)
WIDE = flops.convnet(32, 3, (128, 256, 512), 10)


def test_passes_of_the_convnet():
  # 7.08 + 75.50 + 18.87 + 0.04 MFLOP forward; 2.93 forwards with gradient.
  assert flops.work(CONVNET, flops.FORWARD) == pytest.approx(0.1015, rel=1e-3)
  gradient = flops.work(CONVNET, flops.PARAMETER_GRADIENT)
  assert gradient == pytest.approx(0.2974, rel=1e-3)
  assert flops.work(WIDE, flops.FORWARD) == pytest.approx(0.3091, rel=1e-3)


@pytest.mark.parametrize(
  ('layers', 'dimension', 'support', 'expected'),
  [
    (CONVNET, 2048, 10, 111.1),
    (CONVNET, 2048, 100, 176.4),
    (WIDE, 8192, 10, 338.7),
    (WIDE, 8192, 100, 540.9),
  ],
)
def test_frepo_step(layers, dimension, support, expected):
  found = flops.frepo_step(
    layers, 1024, support, flip=True, dimension=dimension
  )
  assert found == pytest.approx(expected, rel=0.01)


@pytest.mark.parametrize(('support', 'expected'), [(10, 261.7), (100, 280.0)])
def test_embedding_match(support, expected):
  found = flops.embedding_match(CONVNET, 2560, support)
  assert found == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize(
  ('support', 'trained', 'expected'),
  [(10, 0, 768.3), (100, 0, 831.0), (100, 50 * 100, 2318)],
)
def test_gradient_matching_step(support, trained, expected):
  found = flops.gradient_matching_step(CONVNET, 2560, support, trained)
  assert found == pytest.approx(expected, rel=1e-3)


def test_rfad_step():
  layers = flops.convnet(32, 3, (256,) * 3, 10)
  found = flops.rfad_step(layers, 8, 1280, 10, dimension=4096, pixels=3072)
  assert found == pytest.approx(4075, rel=1e-3)


@pytest.mark.parametrize(('steps', 'expected'), [(10, 89.2), (50, 446.1)])
def test_trajectory_matching_step(steps, expected):
  found = flops.trajectory_matching_step(CONVNET, 10, steps)
  assert found == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize(
  'support, real, window, before, recomputed, expected',
  [
    (10, 640, 10, 0, True, 309.3),  # RTP
    (10, 640, 50, 0, True, 785.1),
    (10, 200, 20, 15, False, 282.5),  # RaT-BPTT
    (100, 1000, 20, 15, False, 2528),
  ],
)
def test_unrolled_step(support, real, window, before, recomputed, expected):
  found = flops.unrolled_step(
    CONVNET, support, real, window, before=before, recomputed=recomputed
  )
  assert found == pytest.approx(expected, rel=1e-3)


def test_evaluation():
  found = flops.evaluation(CONVNET, 10, 301, 10_000)
  assert found == pytest.approx(1910, rel=1e-3)
