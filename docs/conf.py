# SPDX-License-Identifier: MIT
"""Sphinx's configuration: ``make docs`` builds the site into build/docs, warnings are errors."""

import pyzram

project = "pyzram"
author = "the pyzram authors"
copyright = f"2026, {author}"
version = release = pyzram.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
myst_enable_extensions = ["deflist", "colon_fence"]
myst_heading_anchors = 3
exclude_patterns: list[str] = []
templates_path: list[str] = []

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
# Types of the standard library and of the border have no page here to link to.
nitpicky = False

html_theme = "furo"
html_title = f"pyzram {release}"
html_static_path: list[str] = []
html_show_sphinx = False
