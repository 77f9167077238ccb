"""How the site is built: `python -m sphinx -W docs FOLDER`. See BUILD.md."""

import pathlib
import sys

HERE = pathlib.Path(__file__).parent
sys.path[:0] = [str(HERE / '_ext'), str(HERE.parent)]

from dd_jax.version import VERSION  # noqa: E402

project = 'dd_jax'
author = 'The authors of dd_jax'
copyright = 'the authors of dd_jax, Apache-2.0'
version = release = VERSION

extensions = [
  'myst_parser',
  'sphinx.ext.autodoc',
  'autodocs',
  'mathml',
  'made',
]
exclude_patterns = ['_made']

# Everything is in the folder: no script, font or style comes from a network,
# and nothing is asked of a server, so that pages can be read from file://.
html_theme = 'furo'
html_title = f'dd_jax {VERSION}'
html_math_renderer = 'mathml'
html_show_search_summary = False  # it would be fetched
html_static_path = ['_static']
html_css_files = ['site.css']
html_copy_source = False
html_show_sphinx = False

smartquotes = False  # a flag's two dashes are two
python_maximum_signature_line_length = 60
python_use_unqualified_type_names = True
add_module_names = False
toc_object_entries = False

myst_enable_extensions = ['colon_fence', 'dollarmath']
myst_heading_anchors = 3

autodoc_member_order = 'bysource'
autodoc_typehints_format = 'short'
autodoc_preserve_defaults = True
autodoc_default_options = {'members': True}
