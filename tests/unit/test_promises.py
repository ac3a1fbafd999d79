# SPDX-License-Identifier: MIT
"""The page of promises names tests that exist and that test something."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

TREE = Path(__file__).parents[2]
PAGE = TREE / "docs/promises.md"
# A sentence after a colon says what is in the tests, not which they are.
NAMED = re.compile(r"`((?:tests/)?[\w/]*test_\w+\.py|tests/[\w/]+)`")

pytestmark = pytest.mark.skipif(not PAGE.exists(), reason="no tree of sources here")


def rows() -> list[tuple[str, str]]:
    """Promise and tests of each row."""
    lines = [line for line in PAGE.read_text().split("\n") if line.startswith("| **")]
    return [(cells[1].strip(), cells[2]) for line in lines if (cells := line.split("|"))]


def files(name: str) -> list[Path]:
    """The files that a name in the page stands for; the path of a bare name came before."""
    if not name.startswith("tests/"):
        return sorted(TREE.glob(f"tests/**/{name}"))
    path = TREE / name
    return sorted(path.glob("**/test_*.py")) if path.is_dir() else [path]


def functions_in(path: Path) -> list[str]:
    names = ast.walk(ast.parse(path.read_text()))
    functions = [node for node in names if isinstance(node, ast.FunctionDef)]
    return [function.name for function in functions if function.name.startswith("test_")]


@pytest.mark.parametrize(("promise", "named"), rows(), ids=lambda text: text[:40].strip("*. "))
def test_each_promise_names_tests_that_are_there(promise: str, named: str) -> None:
    assert promise.startswith("**")
    names = NAMED.findall(named)
    assert names, "no test is named"
    for name in names:
        found = files(name)
        assert found and all(path.is_file() for path in found), name
        assert any(functions_in(path) for path in found), f"{name}: no test in it"


def test_a_bare_name_means_one_file_of_those_that_the_page_names() -> None:
    """Several files may be called test_faults.py, so the page says by path which one it means."""
    text = PAGE.read_text()
    paths = {name for name in NAMED.findall(text) if name.startswith("tests/")}
    for name in set(NAMED.findall(text)) - paths:
        meant = [path for path in paths if path.endswith(f"/{name}")]
        assert meant or len(files(name)) == 1, name


def test_what_is_run_by_name_is_there() -> None:
    text = PAGE.read_text()
    makefile = (TREE / "Makefile").read_text()
    for target in re.findall(r"`make (\w+)`", text):
        assert re.search(rf"^([\w ]+ )?{target}( [\w ]+)?:", makefile, re.M), target
    for variable in re.findall(r"`(PYZRAM_\w+)=", text):
        where = [path for path in (TREE / "tests").rglob("*.py") if variable in path.read_text()]
        assert where, variable
