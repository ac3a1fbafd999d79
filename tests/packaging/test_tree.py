# SPDX-License-Identifier: MIT
"""Rules for every file of the project."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

# Data, prose, and files whose format has no comments.
NO_COMMENT = re.compile(
    r"""(\.(md|json|txt|bin)|MANIFEST\.in|Manifest|LICENSE|py\.typed
    |tests/data/sysfs/.*|repo_name|\.git\w+|packaging/debian/(copyright|.*format|.*\.(NEWS|install|examples)))$""",
    re.X,
)
GENTOO = "# Distributed under the terms of the GNU General Public License v2\n"
# In pieces, so that this file passes too. A word before the slash makes it another path.
MACHINE = re.compile(r"(?<![\w.$}])/(wor" r"k|roo" r"t|hom" r"e)/")
REGISTRY = re.compile(
    r"\w+://[^\s\"']*(py" r"pi|pythonho" r"sted|artifac" r"tory|nexu" r"s|mirr" r"or)"
)


@pytest.fixture(scope="module")
def texts(tree: Path, sources: list[str]) -> dict[str, str]:
    """Every file of the project that is text."""
    found = {}
    for name in sources:
        data = (tree / name).read_bytes()
        if b"\0" not in data:
            found[name] = data.decode()
    return found


def test_every_file_names_its_licence(texts: dict[str, str]) -> None:
    unnamed = [
        name
        for name, text in texts.items()
        if not NO_COMMENT.search(name)
        and "SPDX-License-Identifier:" not in text[:400]
        and not (name.endswith(".ebuild") and GENTOO in text)
    ]
    assert not unnamed


@pytest.mark.parametrize("pattern", [MACHINE, REGISTRY], ids=["paths", "registries"])
def test_no_file_tells_of_the_machine_it_was_written_on(
    texts: dict[str, str], pattern: re.Pattern[str]
) -> None:
    lines = [
        f"{name}: {line.strip()}"
        for name, text in texts.items()
        for line in text.splitlines()
        if pattern.search(line)
    ]
    assert not lines


def test_no_line_ends_in_blanks_and_no_file_without_newline(texts: dict[str, str]) -> None:
    ours = {n: t for n, t in texts.items() if not n.startswith("tests/data/sysfs/")}
    blanks = [f"{n}: {x!r}" for n, t in ours.items() for x in t.splitlines() if x != x.rstrip()]
    unended = [name for name, text in texts.items() if text and not text.endswith("\n")]
    assert not blanks
    assert not unended


def test_no_line_of_c_is_wider_than_the_editors_are_told(tree: Path, texts: dict[str, str]) -> None:
    section = (tree / ".editorconfig").read_text().split("\n[*.[ch]]\n")[1].split("\n[")[0]
    (told,) = re.findall(r"^max_line_length = (\d+)$", section, re.M)
    wide = [
        f"{name}:{number}"
        for name, text in texts.items()
        if name.endswith((".c", ".h"))
        for number, line in enumerate(text.split("\n"), 1)
        if len(line.expandtabs(8)) > int(told)
    ]
    assert not wide


def test_names_that_the_linker_sees_begin_with_ours(texts: dict[str, str]) -> None:
    shared = re.compile(r"^(?!static |extern |typedef )[a-z][\w *]*?\b(\w+)(?:\(|\[.*= |\s=)", re.M)
    names = [
        name
        for file, text in texts.items()
        if file.startswith("csrc/") and file.endswith((".c", ".h"))
        for name in shared.findall(text)
    ]
    assert len(names) > 100
    assert [name for name in names if not name.startswith("pyzram_")] == []


def test_the_version_stands_in_one_place(texts: dict[str, str], version: str) -> None:
    # Debian's files say since when the package has been split.
    allowed = re.compile(
        r"pyzram/_version\.py|CHANGELOG\.md|README\.md|Manifest$"
        r"|packaging/debian/(control|pyzram\.NEWS)$"
    )
    pattern = re.compile(rf"(?<!xml )(version|pyzram)\W{{0,5}}{re.escape(version)}\b(?!\.\d)", re.I)
    repeated = [n for n, t in texts.items() if not allowed.search(n) and pattern.search(t)]
    assert not repeated


def test_the_changelog_and_the_overlay_know_the_version(tree: Path, version: str) -> None:
    headings = re.findall(r"^## (\S+)", (tree / "CHANGELOG.md").read_text(), re.M)
    assert headings[0] == version
    assert (tree / f"ebuilds/sys-block/pyzram/pyzram-{version}.ebuild").is_file()


def test_the_changelog_says_nothing_twice(tree: Path) -> None:
    """A merge once brought the old text back beside the new."""
    newest = (tree / "CHANGELOG.md").read_text().split("\n## ")[1]
    headings = re.findall(r"^### .*$", newest, re.M)
    entries = re.findall(r"^\* .*$", newest, re.M)
    assert len(headings) == len({*headings}) and len(entries) == len({*entries})
    # An old line inside an entry, beside the line that it became.
    words = newest.split()
    runs = Counter(" ".join(words[at : at + 8]) for at in range(len(words) - 7))
    assert [run for run, times in runs.items() if times > 1] == []


def test_manual_pages_are_named_as_their_titles(tree: Path, sources: list[str]) -> None:
    for name in (n for n in sources if n.startswith("man/")):
        page, _, section = Path(name).name.rpartition(".")
        title = re.search(r'^\.(?:TH|Dt) "?([\w.-]+)"? "?(\d)"?', (tree / name).read_text(), re.M)
        assert title, f"{name} has neither .TH nor .Dt"
        assert (title[1].lower(), title[2]) == (page.lower(), section), name


def test_files_that_the_code_refers_to_are_there(texts: dict[str, str]) -> None:
    own = {name.removeprefix("pyzram/") for name in texts}
    folders = {name.partition("/")[0] for name in own if "/" in name}
    path = re.compile(rf"(?<![\w./-])(?:{'|'.join(map(re.escape, folders))})/[\w/]+\.py\b")
    gone = [
        f"{name}: {found}"
        for name, text in texts.items()
        if name.startswith(("pyzram/", "csrc/"))
        for found in path.findall(text)
        if found.removeprefix("pyzram/") not in own
    ]
    assert not gone


def test_a_variable_of_the_environment_is_read_in_one_place(texts: dict[str, str]) -> None:
    read = re.compile(r'environ\W+(?:get\W+)?"(PYZRAM_\w+)"')
    code = "".join(text for name, text in texts.items() if name.startswith("pyzram/"))
    assert sorted(read.findall(code)) == ["PYZRAM_ROOT", "PYZRAM_RUN", "PYZRAM_STATE"]


# Words that once had several meanings here, or one that nobody else knows, also in names.
GIVEN_UP = re.compile(
    r"""(?<![A-Za-z])(Choice|Wish|wish|Running|Loan|loan|lend|lent|Pace|Extents?|extents?
    |PageStore|StoreFigures|Capabilities|Helper|helpers?|Picture|shellvars|can\ not)(?![A-Za-z])
    |(?<![A-Za-z])(ENOUGH|MUCH|QUICK|_share|memory_of)\b""",
    re.X,
)
# Tests and the shell use these from others.
GIVEN_UP_INSIDE = re.compile(
    r"(?<![A-Za-z])(HOME|_run|_Run|_Reader|_Figures|_choices|held_reads|mount_users|state_files)\b"
    r"|^\s*class (Before|Change|Figures|Machine|Reader|Record|Run|Users)\b"
)
OURS = ("pyzram/", "csrc/", "scripts/")
AROUND = ("tests/", "bench/", "man/", "docs/", "examples/", "tools/", "monitoring/", "initscripts/")


def test_words_that_were_given_up_do_not_come_back(texts: dict[str, str]) -> None:
    lines = [
        f"{name}: {line.strip()}"
        for name, text in texts.items()
        if name.startswith(OURS + AROUND) and not name.endswith(Path(__file__).name)
        for line in text.split("\n")
        if GIVEN_UP.search(line) or (name.startswith(OURS) and GIVEN_UP_INSIDE.search(line))
    ]
    assert not lines


def test_a_commit_is_checked_by_the_linters_of_make_lint(texts: dict[str, str]) -> None:
    makefile = texts["Makefile"]
    (goals,) = re.findall(r"^lint: (.*)$", makefile, re.M)
    recipe = makefile.partition("\nlint: ")[2].partition("\n\n")[0].splitlines()[1:]
    linted = {f"make -s {goal}" for goal in goals.split() if goal not in ("deps", "docs")}
    linted |= {line.strip().replace("$(VENV)", ".venv") for line in recipe}
    checked = re.findall(r"^ +entry: (.*)$", texts[".pre-commit-config.yaml"], re.M)
    assert sorted(checked) == sorted(linted)
    assert len(linted) > 5
