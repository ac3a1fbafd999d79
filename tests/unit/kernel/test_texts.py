# SPDX-License-Identifier: MIT
"""Every reader of a kernel text, with names that anybody may choose: the kernel escapes blanks,
tabs, newlines and backslashes in them, but nothing else, so nothing else may end a line or a word.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NoReturn

import pytest

pytest.importorskip("hypothesis")

from hypothesis import example, given
from hypothesis import strategies as st

from pyzram.kernel import parse
from pyzram.kernel.sysfs import read_text
from pyzram.text import quote

# What Python, but not the kernel, takes for the end of a line or for white space.
ODD = "\x0b\x0c\x1c\x1d\x1e\x1f\x85\xa0\u2028\u2029\u3000\r"
NAMES = st.text(
    st.one_of(
        st.sampled_from(ODD + " \t\\\n()#-:"), st.characters().filter(lambda c: c not in "\0/")
    ),
    min_size=1,
    max_size=20,
)


def escape(name: str) -> str:
    """As seq_file's mangle_path writes a name."""
    return "".join(f"\\{ord(c):03o}" if c in " \t\n\\" else c for c in name)


@given(st.lists(NAMES, max_size=4))
@example(["a\x0bb", "\x85", "x\u2028y\u2029", " (deleted)"])
def test_swaps(names: list[str]) -> None:
    text = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n" + "".join(
        f"{escape('/' + name):<40}partition\t{1024 + at}\t\t{at}\t\t{-2 - at}\n"
        if len(escape("/" + name)) < 40
        else f"{escape('/' + name)} partition\t{1024 + at}\t\t{at}\t\t{-2 - at}\n"
        for at, name in enumerate(names)
    )
    found = parse.parse_swaps(text)
    assert [(area.path, area.type, area.used, area.priority) for area in found] == [
        ("/" + name, "partition", at * 1024, -2 - at) for at, name in enumerate(names)
    ]


@given(st.lists(st.tuples(NAMES, NAMES), max_size=4))
@example([("a\x0bb", "\x1c"), ("-", "- "), ("\u2028", "\x85")])
def test_mountinfo(names: list[tuple[str, str]]) -> None:
    text = "".join(
        f"{at + 20} 1 252:{at} / {escape('/' + point)} rw,nosuid shared:1 master:2 - "
        f"fuse.x {escape(source)} rw,user_id=0\n"
        for at, (point, source) in enumerate(names)
    )
    found = parse.parse_mountinfo(text)
    assert [(m.id, m.number, m.point, m.options, m.fstype, m.source) for m in found] == [
        (at + 20, f"252:{at}", "/" + point, "rw,nosuid", "fuse.x", source)
        for at, (point, source) in enumerate(names)
    ]


@given(st.text())
def test_no_text_breaks_unescape(text: str) -> None:
    parse.unescape(text)
    assert parse.unescape(escape(text)) == text


@given(st.text())
@example("\x1b]0;evil\x07\x9b\udc9b\u202e\U000e0001")
def test_what_is_quoted_is_printable_and_plain_text_stays(text: str) -> None:
    assert quote(text).isprintable()
    if text.isprintable():
        assert quote(text) == text


@given(st.lists(st.text("abcdefgh0123456789-", min_size=1), min_size=1), st.data())
def test_algorithms(names: list[str], data: st.DataObject) -> None:
    chosen = data.draw(st.sampled_from(range(len(names))))
    text = " ".join(f"[{n}]" if at == chosen else n for at, n in enumerate(names)) + "\n"
    assert parse.parse_algorithms(text) == (names[chosen], tuple(names))


def test_a_long_text_is_put_together_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel gives a page at a time; adding each to what was read took minutes for smaps."""

    class Page(bytes):
        def __add__(self, more: object) -> NoReturn:
            raise AssertionError("what was read so far is copied")

    read = os.read
    monkeypatch.setattr(os, "read", lambda fd, _size: Page(read(fd, 4096)))
    text = "a line of smaps\n" * 10_000
    file = tmp_path / "smaps"
    file.write_text(text)
    assert read_text(str(file)) == text
