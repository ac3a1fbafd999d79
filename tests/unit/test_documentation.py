# SPDX-License-Identifier: MIT
"""What help() and the documentation show: every public name, member and field says what it is."""

from __future__ import annotations

import inspect
import pydoc
import re
import subprocess
import sys
from pathlib import Path

import pytest

import pyzram
from pyzram.field_docs import Field, fields_of
from pyzram.kernel import figures
from pyzram.value import Value, documented

CLASSES = [
    name
    for name in pyzram.__all__
    if inspect.isclass(kind := getattr(pyzram, name)) and not issubclass(kind, BaseException)
]
# How a field of a kernel file says what it counts.
UNITS = {
    figures.BYTES: "[Bb]ytes",
    figures.PAGES: "[Pp]ages",
    figures.REQUESTS: "[Rr]equests",
    figures.EVENTS: "Events",
    figures.BD_UNITS: "Units of 4096 bytes",
    figures.SECTORS: "Units of 512 bytes",
    figures.MILLISECONDS: "Milliseconds",
}

ROOT = Path(__file__).parents[2]


def undocumented() -> list[str]:
    missing = []
    for name in pyzram.__all__:
        value = getattr(pyzram, name)
        if callable(value) and not value.__doc__:
            missing.append(name)
        if not inspect.isclass(value):
            continue
        for field in fields_of(value):
            missing += [] if field.kind and field.text else [f"{name}.{field.name}"]
        for base in value.__mro__:
            if base.__module__.startswith("pyzram") or base is value:
                missing += [
                    f"{name}.{member}"
                    for member, what in vars(base).items()
                    if (inspect.isfunction(what) or isinstance(what, (property, classmethod)))
                    and not member.startswith("_")
                    and not inspect.getdoc(what)
                ]
    return missing


def test_everything_public_says_what_it_is():
    assert undocumented() == []


class Wordless:
    """A size."""

    size: int

    def __init__(self) -> None:
        self.count = 1
        if self.count:
            self.late: int = 2
        self._own = 3

    @property
    def half(self) -> float:
        return self.size / 2


def test_a_field_without_a_word_is_found(monkeypatch):
    monkeypatch.setattr(pyzram, "Value", Wordless, raising=False)
    monkeypatch.setattr(pyzram, "__all__", ["Value"])
    named = ["Value.size", "Value.count", "Value.late", "Value.half"]
    assert undocumented() == named
    assert fields_of(Wordless)[1:] == [Field("count", "", ""), Field("late", "int", "")]


@pytest.mark.parametrize("name", CLASSES)
def test_help_shows_the_type_and_the_words_of_every_field(name):
    kind = getattr(pyzram, name)
    shown = re.sub(r"\n *\|? *", "\n", pydoc.plain(pydoc.render_doc(kind)))
    for field in fields_of(kind):
        words = "\n".join(line.strip() for line in field.text.split("\n"))
        assert f"{field.name}: {field.kind}\n{words}\n" in shown, field.name


@pytest.mark.parametrize("name", [n for n in CLASSES if issubclass(getattr(pyzram, n), Value)])
def test_what_a_value_is_made_of_is_documented(name):
    kind = getattr(pyzram, name)
    assert {*kind._fields} <= {field.name for field in fields_of(kind)}


def test_the_words_name_the_unit_of_the_table_of_figures():
    """One fact is in two places: what the table calls bytes, help() must not call pages."""
    counted = 0
    for kind in (
        pyzram.MmStat,
        pyzram.IoStat,
        pyzram.BdStat,
        pyzram.DebugStat,
        pyzram.BlockStat,
    ):
        words = {field.name: field.text for field in fields_of(kind)}
        assert [*words] == [*figures.of_file(kind._file)]
        assert f"/{kind._file}``" in (kind.__doc__ or "").split("\n")[0], "its source"
        for name, text in words.items():
            unit = figures.BY_NAME[name].unit
            others = [word for other, word in UNITS.items() if other != unit]
            assert re.search(UNITS[unit], text), (name, unit)
            first = re.search("|".join(f"({word})" for word in [UNITS[unit], *others]), text)
            assert first and first[1], (name, unit, text)
            counted += 1
    assert counted >= 35


def test_without_the_source_there_are_the_words_of_the_class():
    """As for a class that was written at a console."""
    space = {"Value": Value, "documented": documented}
    exec("class Here(Value):\n    'Mine.'\n    size: int\n", space)
    assert space["Here"].__doc__ == "Mine."


def test_nobody_pays_for_it_before_asking():
    """Nor does help() of a package change what a command loads."""
    code = (
        "import sys, pyzram.value, pyzram.kernel.parse as parse;"
        "assert not {'ast', 'inspect', 'pyzram.field_docs'} & {*sys.modules};"
        "assert 'size: int' in parse.SwapArea.__doc__"
    )
    subprocess.run([sys.executable, "-Ic", code], check=True)


def test_the_tests_that_the_promises_name_are_there() -> None:
    text = (ROOT / "docs/promises.md").read_text()
    named = set(re.findall(r"`((?:tests/)?[\w/]*test_\w+\.py)`", text))
    assert len(named) > 20
    for name in named:
        assert list(ROOT.glob(name if "/" in name else f"tests/**/{name}")), name
