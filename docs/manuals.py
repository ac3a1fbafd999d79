# SPDX-License-Identifier: MIT
"""For Sphinx: the manual pages in man/ as pages of the site, and links to them from everywhere."""

from __future__ import annotations

import re
import shutil
import subprocess
from html import unescape
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

MAN = Path(__file__).resolve().parent.parent / "man"
NAMES = frozenset(path.name for path in MAN.iterdir())
INSIDE = re.compile(r'<(div|main) class="manual-text"[^>]*>\n(.*)</\1>\n', re.S)
HEADING = re.compile(r'<section class="S[hs]">\s*<h([12])[^>]*>(.*?)</h\1>', re.S)
REFERENCE = re.compile(r'<a class="Xr"[^>]*>([\w.-]+)\((\d)\)</a>')


def page(name: str, section: str) -> str:
    """The path of a manual's page below this folder; empty if it is not one of ours."""
    return f"manuals/{name}.{section}.html" if f"{name}.{section}" in NAMES else ""


def linked(match: re.Match[str]) -> str:
    """A reference to another manual: a link if the manual is ours."""
    name, section = match[1], match[2]
    if not page(name, section):
        return f"{name}({section})"
    return f'<a class="Xr" href="{name}.{section}.html">{name}({section})</a>'


class Manual(SphinxDirective):
    """``{manual} NAME.SECTION``: mandoc's rendering of it, in sections of this page."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """The sections."""
        source = MAN / self.arguments[0]
        self.env.note_dependency(str(source))
        if not shutil.which("mandoc"):
            words = f"mandoc was missing when this site was built: man -l man/{source.name}"
            return [nodes.paragraph(text=words)]
        html = subprocess.run(
            ["mandoc", "-T", "html", "-O", "fragment", source],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        ).stdout
        # Without its head and foot, and without the element around the rest.
        html = INSIDE.search(html)[2]
        # The page tells equal headings apart, not the names that Sphinx makes from titles.
        html = re.sub(r'<a class="permalink"[^>]*>(.*?)</a>', r"\1", html, flags=re.S)
        html = re.sub(r"</?section>", "", html)
        # The text between two headings, with the level and the words of the first.
        _, *parts = HEADING.split(REFERENCE.sub(linked, html))
        made: list[nodes.Element] = []
        for level, title, body in zip(parts[::3], parts[1::3], parts[2::3], strict=True):
            words = re.sub(r"<[^>]*>", "", title)
            words = words.capitalize() if level == "1" else words
            section = nodes.section(ids=[nodes.make_id(words)], names=[words.lower()])
            section += nodes.title(text=unescape(" ".join(words.split())))
            section += nodes.raw("", f'<div class="manual-text">{body}</div>', format="html")
            if level == "1":
                made.append(section)
            else:
                made[-1] += section
        return made


def link_names(app: Any, doctree: nodes.document) -> None:
    """Turn ``zram.conf(5)`` in any text into a link."""
    up = "../" * app.env.docname.count("/")
    for literal in list(doctree.findall(nodes.literal)):
        found = re.fullmatch(r"([\w.-]+)\((\d)\)", literal.astext())
        target = page(found[1], found[2]) if found else ""
        if target and not isinstance(literal.parent, nodes.reference):
            link = nodes.reference("", "", internal=True, refuri=up + target)
            literal.replace_self(link)
            link += literal


def setup(app: Any) -> dict[str, bool]:
    """Set up the extension; Sphinx calls this."""
    app.add_directive("manual", Manual)
    app.connect("doctree-read", link_names)
    return {"parallel_read_safe": True}
