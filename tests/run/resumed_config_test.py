"""From the folder of a run back to its configuration."""

from dd_jax.run import recipe, resume


def test_a_network_that_is_given_again_keeps_its_settings():
  own = {'network': {'name': 'mlp', 'width': 7}}
  config = recipe.update(recipe.default('dm'), own)
  held = {'config': config}
  again = resume.configuration(held, {'network': {'name': 'mlp'}}, {})
  assert again == config
  other = resume.configuration(held, {'network': {'name': 'convnet'}}, {})
  assert other['network']['name'] == 'convnet'
  assert other['network']['width'] == 128
