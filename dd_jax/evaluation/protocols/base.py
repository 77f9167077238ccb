"""What a protocol is, what it may depend on, and the labels that it wants."""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import jax

from dd_jax.data.labels import LabelEncoding
from dd_jax.data.source import Source
from dd_jax.evaluation.learners import Recipe
from dd_jax.evaluation.teacher import Teacher
from dd_jax.evaluation.tester import Tester
from dd_jax.evaluation.ticks import Report
from dd_jax.kernels import Ridge, dense_kernel
from dd_jax.networks import Network
from dd_jax.platform import Platform
from dd_jax.types import DistilledData, Kernel, Key, LabeledData

Test: TypeAlias = Tester | Callable[[Key, Any, Source], jax.Array]
"""`(keys [m], data, test) -> accuracies in [0, 1] [m]`.

Of a `Tester` a report has more to tell: classes, confusions, divergence."""


class Setting(NamedTuple):
  """What a protocol may depend on.

  Attributes:
    image_shape: `(h, w, c)`.
    num_classes: `k`.
    label_encoding: of the distilled labels, 'one-hot' or 'centred'.
    network: replaces the protocol's own learner, where given.
    kernel: replaces the exact kernel; `(get) -> Kernel`.
    ridge: of kernel and feature regression.
    steps: replaces the protocol's own number of steps, where given.
    networks: random networks in one kernel, for `krr-random`.
    mirrors: False leaves out the mirror images that a protocol has, for sets
      whose images are something else mirrored.
    held_out: real training images that no method learns from, for protocols
      that choose by them; None where there are none.
    teacher: labels all that learners are shown, where a protocol can have it
      (`taught`); None: the set's labels do.
    mesh: whose `data` axis learners are split over, or None.
    platform: what learners run on; by default what JAX's default devices are.
    report: told how far learners in training are, or None.
  """

  image_shape: tuple[int, int, int]
  num_classes: int
  label_encoding: str = 'one-hot'
  network: Network | None = None
  kernel: Callable[..., Kernel] = dense_kernel
  ridge: Ridge = Ridge(1e-6, 'trace')
  steps: int | None = None
  networks: int = 16
  mirrors: bool = True
  held_out: Source | None = None
  teacher: Teacher | None = None
  mesh: jax.sharding.Mesh | None = None
  platform: Platform | None = None
  report: Report | None = None


class Protocol(NamedTuple):
  """A way to score a distilled set.

  Attributes:
    name: as reports show it.
    score: `(keys [m], data, test) -> accuracies in [0, 1]`, `[m]`; one learner
      a key. See `Test`.
    exact: nothing is random: one key is enough and there is no deviation.
    steps: optimiser steps of one learner, by the set that it is trained on;
      None where they are not the protocol's to say.
    batch: images of a step, at most, where any set may be learned from; None
      where the protocol is exact, or a set learns how.
    probabilities: learners are trained by cross-entropy: the softmax of what
      they answer are probabilities.
    taught: they follow the setting's teacher.
  """

  name: str
  score: Test
  exact: bool = False
  steps: Callable[[DistilledData], int | jax.Array] | None = None
  batch: int | None = None
  probabilities: bool = False
  taught: bool = False


def unmirrored(name: str, mirrors: bool, setting: Setting) -> str:
  """The name of a protocol that would mirror images, and here may not.

  Args:
    name: of the protocol.
    mirrors: whether it does so by itself.
    setting: of the run.
  """
  return f'{name} (no flips)' if mirrors and not setting.mirrors else name


def learner(setting: Setting, own: Callable[..., Network]) -> Network:
  """The setting's network, or else the protocol's own.

  Args:
    setting: of the run.
    own: `(image_shape, num_classes) -> Network`.

  Raises:
    UserError: the network does not suit these images.
  """
  made = setting.network or own(setting.image_shape, setting.num_classes)
  return made._replace(platform=made.platform or setting.platform)


def taught(recipe: Recipe, setting: Setting) -> Recipe:
  """`recipe` under the setting's teacher, where there is one.

  Args:
    recipe: of learners that are trained by cross-entropy.
    setting: of the run.
  """
  teacher = setting.teacher
  if teacher is None:
    return recipe
  loss = teacher.softened(recipe.loss)
  return recipe._replace(loss=loss, relabel=teacher.label)


def hardened(encoding: str, test: Test) -> Test:
  """`test` on the largest entry of every label, the others equal.

  Args:
    encoding: of the labels, as they come and as they go on.
    test: of learners on a set.
  """

  def wanted(data: DistilledData) -> DistilledData:
    one_hot = jax.nn.one_hot(data.label.argmax(-1), data.label.shape[-1])
    return data._replace(label=LabelEncoding(encoding).encode(one_hot))

  return of(wanted, test)


def on_simplex(setting: Setting, test: Test) -> Test:
  """`test` on labels as cross-entropy wants them.

  Those on the simplex stay as they are, any others count by their largest
  entry.

  Args:
    setting: says which they are.
    test: of learners on a set.
  """

  def wanted(data: DistilledData) -> DistilledData:
    label = data.label
    if setting.label_encoding != 'one-hot':
      label = jax.nn.one_hot(label.argmax(-1), label.shape[-1])
    return data._replace(label=label, factors=None)

  return of(wanted, test)


def centred(setting: Setting, test: Test) -> Test:
  """`test` on labels as regression wants them, their mean at zero.

  Args:
    setting: says whether they are already.
    test: of learners on images and labels alone.
  """

  def wanted(data: DistilledData) -> LabeledData:
    label = data.label
    if setting.label_encoding == 'one-hot':
      label = LabelEncoding('centred').encode(label)
    return LabeledData(data.image, label)

  return of(wanted, test)


def of(wanted: Callable[[Any], Any], test: Test) -> Test:
  """`test` on what `wanted` makes of a set."""
  if isinstance(test, Tester):
    fit = test.fit
    return dataclasses.replace(test, fit=lambda k, data: fit(k, wanted(data)))
  return lambda keys, data, real: test(keys, wanted(data), real)
