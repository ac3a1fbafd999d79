# SPDX-License-Identifier: MIT
"""What RELEASING.md promises to keep is listed in full and closed: nothing leads out of it."""

from __future__ import annotations

import ast
import builtins
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

import pyzram

TREE = Path(__file__).resolve().parents[2]
LISTING = TREE / "docs/frozen.txt"
# Of typing, collections.abc and the standard library.
STANDARD = {
    "Any",
    "Callable",
    "Iterable",
    "Iterator",
    "Mapping",
    "Self",
    "Sequence",
    "T",
    "array",
    "os",
    "PathLike",
    "Container",
}


def section(title: str) -> list[str]:
    text = LISTING.read_text().partition(f"== {title} ==\n\n")[2]
    return text.partition("\n\n")[0].splitlines()


ALIASES = dict(line.split(": ", 1) for line in section("Words and kinds of values in these"))


def test_the_listing_is_what_the_code_has():
    done = subprocess.run(
        [sys.executable, "-I", TREE / "tools/frozen.py", "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "", "")


def test_an_empty_sample_hides_no_key():
    keys = runpy.run_path(str(TREE / "tools/frozen.py"))["keys"]
    assert list(keys({"skipped": {"why": 1}, "x": [{"y": 1}]})) == [
        *("skipped", "skipped.*", "x", "x[].y")
    ]
    for sample in ({"skipped": {}}, {"x": []}, {"x": [{"y": {}}]}):
        with pytest.raises(ValueError, match="has nothing in it"):
            list(keys(sample))


def test_what_the_policy_of_tend_sees_is_not_promised():
    lines = section("JSON of the other commands")
    assert {"tend: seen", "tend --status: seen", "tend --status: pid"} <= set(lines)
    assert not [line for line in lines if "seen." in line]
    text = (TREE / "RELEASING.md").read_text()
    assert "`seen`" in text
    # How it measures an action is its own business too.
    of_actions = {line for line in lines if "actions[]." in line}
    assert {line.rpartition(".")[2] for line in of_actions} == {"action", "device"}
    assert "`actions` have besides `action` and `device`" in text


def test_every_public_name_is_in_the_table_of_releasing():
    text = (TREE / "RELEASING.md").read_text()
    table = text.partition("## Public names")[2].partition("\n## ")[0]
    named = re.findall(r"`(\w+)`", table)
    assert sorted(named) == sorted(pyzram.__all__)


def test_every_public_name_is_in_the_api_reference():
    text = (TREE / "docs/api.rst").read_text()
    shown = set(re.findall(r"pyzram\.(\w+)", text))
    errors = {n for n in pyzram.__all__ if n.endswith("Error")}  # by their module
    assert set(pyzram.__all__) - errors - shown == {"__version__"}


def test_types_of_public_members_are_public():
    """Whoever holds a result can name what is in it, without a module that may change."""
    strange = set()
    for line in section("Python"):
        found = re.fullmatch(r"[\w.]+(\(.*\))?(?:( -> .*)|: (.*))?(?: is .*)?", line)
        assert found, line
        hints = [re.sub(r" = ('[^']*'|[^,)]*)", "", found[1] or ""), found[2], found[3]]
        words = re.findall(r"[A-Za-z_]\w*", " ".join(re.sub(r"\w+: ", "", h) for h in hints if h))
        for word in words:
            known = word in pyzram.__all__ or word in STANDARD or hasattr(builtins, word)
            if not known and word not in ALIASES and word not in ("parse", "args", "kwargs"):
                strange.add(f"{line}: {word}")
    assert not strange


def test_short_names_are_made_of_words_and_what_is_public():
    for name, meaning in ALIASES.items():
        words = {n.id for n in ast.walk(ast.parse(meaning)) if isinstance(n, ast.Name)}
        allowed = STANDARD | set(pyzram.__all__) | set(dir(builtins)) | set(ALIASES)
        assert words <= allowed | {"Literal", "typing_extensions"}, name
