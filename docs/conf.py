# SPDX-License-Identifier: MIT
"""Sphinx's configuration: ``make docs`` builds the site into build/docs, warnings are errors."""

import sys
from pathlib import Path

from docutils import nodes

import pyzram

sys.path.insert(0, str(Path(__file__).parent))

project = "pyzram"
author = "the pyzram authors"
copyright = f"2026, {author}"
version = release = pyzram.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "manuals"]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
myst_enable_extensions = ["deflist", "colon_fence"]
myst_heading_anchors = 3
exclude_patterns: list[str] = []
templates_path: list[str] = []

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
# Types of the standard library and of the native modules have no page here to link to.
nitpicky = False


words: dict[str, list[str]] = {}


def before_napoleon(_app, what, name, _kind, _options, lines):
    """Drop the list of fields, which is for help(): here each field has its own entry."""
    if what == "class" and "Fields:" in lines:
        del lines[lines.index("Fields:") :]
    words[name] = list(lines)


def after_napoleon(_app, what, name, _kind, _options, lines):
    """Undo what napoleon does to attributes: it takes text before a colon for a type."""
    if what in ("attribute", "property", "data"):
        lines[:] = words[name]


frozen = (Path(__file__).parent / "frozen.txt").read_text()


def promised(_app, what, name, _kind, _options, taken, _back):
    """Show a class's constructor only where it is promised (RELEASING.md)."""
    if taken and what in ("class", "exception") and f"\n{name.rpartition('.')[2]}(" not in frozen:
        return "", None
    return None


def enlarged(_app, doctree):
    """Let pictures fill the width; Sphinx links those with a width, so a click shows them alone."""
    for image in doctree.findall(nodes.image):
        image.setdefault("width", "100%")


def setup(app):
    """Connect the hooks above, some before and some after napoleon."""
    app.connect("doctree-read", enlarged)
    app.connect("autodoc-process-signature", promised)
    app.connect("autodoc-process-docstring", before_napoleon, priority=100)
    app.connect("autodoc-process-docstring", after_napoleon, priority=900)


html_theme = "furo"
html_title = f"pyzram {release}"
html_static_path = ["site.css"]
html_css_files = ["site.css"]
html_show_sphinx = False
