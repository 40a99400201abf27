"""Sphinx configuration: `sphinx-build -W -n -b html docs docs/_build/html`."""

import re
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE / "_ext"))
sys.path.insert(0, str(HERE.parent))

from moeclip_cli import __version__  # noqa: E402 - found through the line above

project = "moeclip"
author = "the moeclip authors"
copyright = "the moeclip authors, Apache-2.0"
release = version = __version__

extensions = [
    "commands",
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
]
exclude_patterns = ["_build"]
# It would turn the two dashes of an option into one.
smartquotes = False

html_theme = "furo"
html_title = f"moeclip {release}"
html_static_path = ["_static"]
html_css_files = ["moeclip.css"]
html_copy_source = False
# The built-in search and every page work without a network: no fonts or scripts from elsewhere.

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

# Copying a console block yields the commands alone.
copybutton_prompt_text = "$ "
copybutton_only_copy_prompt_lines = True

# Docstrings write `name` for code.
default_role = "code"
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
napoleon_use_ivar = True
napoleon_use_rtype = False
# Types of other packages and of inner modules have no page here; anything else must resolve.
nitpick_ignore_regex = [("py:.*", r".*")]


def _one_name_a_line(app, what, name, obj, options, lines):
    """Split `x0, y0: box` in a docstring's attributes: napoleon takes one name a line."""
    for index in reversed(range(len(lines))):
        if found := re.fullmatch(r"(\s+)(\w+(?:, \w+)+): (.*)", lines[index]):
            indent, names, text = found.groups()
            lines[index : index + 1] = [f"{indent}{each}: {text}" for each in names.split(", ")]


def setup(app):
    """Run the splitting before napoleon reads the docstrings."""
    app.connect("autodoc-process-docstring", _one_name_a_line, priority=100)
