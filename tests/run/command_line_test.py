"""Scores as text: each selection once, and how far the test set is trusted."""

from dd_jax.run import command_line


def score(*values, **more):
  mean = sum(values) / len(values)
  std = None if len(values) == 1 else 1.0
  return {'mean': mean, 'std': std, 'values': list(values), **more}


def found(sizes=(150, 150)):
  own = score(98.7, interval=[96.64, 99.5], balanced=71.25)
  return {
    'protocol': 'krr-ntk',
    'test_accuracy': own,
    'baselines': {
      'random': score(70.0, 72.0),
      'herding': score(80.0),
      'kmeans': score(80.0),
    },
    'other_scores': {'dc': score(60.0)},
    'test_set': {
      'examples': sum(sizes),
      'by_class': list(sizes),
      'commonest': 100 * max(sizes) / sum(sizes),
    },
  }


def test_equal_selections_are_one_line():
  lines = command_line.table(found()).splitlines()
  assert lines == [
    'test accuracy under krr-ntk: 98.70 %',
    '  95 % interval on 300 test images: 96.6 to 99.5 %',
    '  random: 71.00 % ± 1.00',
    '  herding, kmeans: 80.00 %',
    'test accuracy under dc: 60.00 %',
  ]


def test_unequal_classes_have_a_balanced_accuracy():
  told = command_line.table(found((190, 12)))
  assert 'balanced over the classes: 71.25 %' in told
  assert 'commonest class: 94.1 % unbalanced' in told


def test_a_result_of_an_earlier_version_still_prints():
  old = found()
  del old['test_set'], old['test_accuracy']['interval']
  assert '95 %' not in command_line.table(old)


def test_the_whole_training_set_follows_the_selections():
  scored = {**found(), 'whole': score(99.0, runs='1 learner', epochs=3.0)}
  lines = command_line.table(scored).splitlines()
  assert lines[4] == '  whole training set (1 learner, 3 epochs): 99.00 %'
  left_out = {**found(), 'whole': {'examples': 9, 'left_out': 'too large'}}
  assert 'set: not scored (too large)' in command_line.table(left_out)
