# SPDX-License-Identifier: MIT
"""Whether the site in build/docs shows every field of every public class: its type and its words.

It also checks every heading and entry of the manuals, and that the elements of each page nest, and
prints what is missing. Sphinx itself is silent about a field that it does not find.
"""

from __future__ import annotations

import inspect
import re
import shutil
import sys
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pyzram
from pyzram.field_docs import Field, own_fields

TREE = Path(__file__).resolve().parents[1]
PAGE = TREE / "build/docs/api.html"
FROZEN = TREE / "docs/frozen.txt"


# The site shows short names of types as what they stand for.
MEANINGS = dict(re.findall(r"^(\w+): (Literal.*)$", FROZEN.read_text(), re.M))


class Entries(HTMLParser):
    """The text from each signature to the next, by its name."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, str] = {}
        self._name = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """A signature begins."""
        if tag == "dt":
            self._name = dict(attrs).get("id") or ""
            self.found[self._name] = ""

    def handle_data(self, data: str) -> None:
        """Text of the last signature."""
        self.found[self._name] = self.found.get(self._name, "") + data


class Nesting(HTMLParser):
    """Finds elements that are not closed, or closed twice, which misplaces what follows."""

    EMPTY = frozenset({"br", "col", "hr", "img", "input", "link", "meta", "source", "wbr"})

    def __init__(self) -> None:
        super().__init__()
        self._open: list[str] = []
        self.wrong: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """An element begins."""
        del attrs
        if tag not in self.EMPTY:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """It is closed at once."""

    def handle_endtag(self, tag: str) -> None:
        """The element that ends must be the last one that is open."""
        if self._open[-1:] == [tag]:
            self._open.pop()
        else:
            self.wrong.append(f"line {self.getpos()[0]}: </{tag}>")


def plain(text: str) -> str:
    """Only the words, because markup and line ends differ."""
    text = re.sub(r":\w+:`~[\w.]*?(\w+)`", r"\1", text)  # only the last part of a path is shown
    text = re.sub(r":\w+:`[.!]?([^`<]*)`", r"\1", text)
    return re.sub(r"[^\w]+", " ", text).strip()


def own_and_private(kind: type) -> list[Field]:
    """Leave out those of public base classes, which are shown there."""
    return [
        field
        for base in kind.__mro__
        if base is kind or (base.__name__ not in pyzram.__all__ and base.__module__[:6] == "pyzram")
        for field in own_fields(base)
    ]


def of_manuals() -> tuple[list[str], int]:
    """The headings, options and variables that pages of manuals lack, and how many there are."""
    missing: list[str] = []
    count = 0
    for manual in sorted((TREE / "man").iterdir()):
        html = (TREE / f"build/docs/manuals/{manual.name}.html").read_text()
        shown = plain(unescape(re.sub(r"<[^>]*>", " ", html))).lower()
        text = manual.read_text().replace("\\-", "-")
        heads = re.findall(r"^\.S[hs] (.*)$|^\.It (?:Ev|Fl Fl|Fl \w , Fl Fl) (\w\S*)", text, re.M)
        count += len(heads)
        for head in (plain(title or entry) for title, entry in heads):
            if f" {head.lower()} " not in f" {shown} ":
                missing.append(f"{manual.name}: {head}")
    return missing, count


def of_elements() -> tuple[list[str], int]:
    """Where elements of a page do not nest, and how many pages there are."""
    pages = sorted(PAGE.parent.glob("**/*.html"))
    wrong: list[str] = []
    for page in pages:
        nesting = Nesting()
        nesting.feed(page.read_text())
        wrong += [f"{page.relative_to(PAGE.parent)}: {what}" for what in nesting.wrong]
    return wrong, len(pages)


def main() -> int:
    """Return 1 if anything is not shown."""
    entries = Entries()
    entries.feed(PAGE.read_text())
    missing = count = 0
    for name in pyzram.__all__:
        kind = getattr(pyzram, name)
        for field in own_and_private(kind) if inspect.isclass(kind) else ():
            module = "pyzram.errors" if kind.__module__ == "pyzram.errors" else "pyzram"
            shown = plain(entries.found.get(f"{module}.{name}.{field.name}", ""))
            kind_of = re.sub(r"\w+", lambda word: MEANINGS.get(word[0], word[0]), field.kind)
            wanted = plain(f"{field.name}: {kind_of}"), plain(field.text)
            count += 1
            if not (shown.startswith(wanted[0]) and wanted[1] in shown):
                missing += 1
                print(f"{name}.{field.name}: {field.kind}: {field.text!r}: shown is {shown!r}")
    print(f"fields that the site shows with type and words: {count - missing} of {count}")
    wrong, pages = of_elements()
    print(f"pages whose elements nest: {pages - len({x.split(':')[0] for x in wrong})} of {pages}")
    print("".join(f"{line}\n" for line in wrong), end="")
    missing += len(wrong)
    if shutil.which("mandoc"):
        lost, heads = of_manuals()
        print(f"headings and entries of manuals: {heads - len(lost)} of {heads}", *lost, sep="\n")
        missing += len(lost) or not heads
    return int(missing or not count)


if __name__ == "__main__":
    sys.exit(main())
