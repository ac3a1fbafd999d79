# SPDX-License-Identifier: MIT
"""Commands that the documentation shows without running them exist.

Blocks marked ``console`` and ``python`` are run (test_docs.py in tests/kernel and tests/vm), and
those of other tools are given to these (tests/fleet). The rest say why they are not run. They, and
commands in the text, are checked with a shell and our own tables: the words of each command, its
options, the variables of the configuration, and the names of services.
"""

from __future__ import annotations

import importlib
import re
import shlex
import subprocess
from pathlib import Path

import documentation
import pytest

from pyzram.cli import zram_stats
from pyzram.cli.options import Command, UsageError
from pyzram.cli.pyzram import COMMANDS
from pyzram.cli.service import command_line
from pyzram.config.parser import parse_config

ROOT = Path(__file__).parents[2]
SITE = sorted(ROOT.glob("docs/**/*.md"))
PAGES = sorted([*SITE, *ROOT.glob("*.md"), *ROOT.glob("packaging/*.md")])
RUN = {"console"}
GIVEN_TO_THEIR_TOOL = {"puppet", "salt", "nix", "yaml", "python"}
OF_SITE = [block for page in SITE for block in documentation.blocks(page)]
WORDS = re.compile(r"`((?:pyzram|zram_stats) [^`]+)`")


TEXT = "\n".join(page.read_text() for page in SITE)


def blocks() -> list[tuple[str, str, str]]:
    found = []
    for page in PAGES:
        fences = re.findall(r"^```(\S*)\n(.*?)^```$", page.read_text(), re.M | re.S)
        found += [(page.name, kind, text) for kind, text in fences]
    return found


def command(name: str) -> Command:
    module, _, function = COMMANDS[name][0].partition(":")
    if function:
        return command_line(name)
    known: Command = importlib.import_module(f"pyzram.cli.{module}").COMMAND
    return known


def understood(line: str) -> None:
    """Raise if a shell line is not one of our commands."""
    words = shlex.split(re.split(r"\s*[|>]|\s&&\s|\s#\s", line)[0])
    program, *rest = words
    if program == "zram_stats":
        zram_stats.COMMAND.arguments(rest)
    else:
        command(rest[0]).arguments(rest[1:])


def lines_of_text() -> list[tuple[str, str]]:
    return [
        (page, re.sub(r"\s+#\s.*", "", line.removeprefix("$ ")))
        for page, kind, text in blocks()
        if kind not in RUN | GIVEN_TO_THEIR_TOOL
        for line in text.split("\n")
    ]


def test_a_block_is_run_or_says_why_not() -> None:
    untold = [
        (block.page, block.body)
        for block in OF_SITE
        if not block.note and block.kind not in RUN | GIVEN_TO_THEIR_TOOL
        if not block.kind.startswith("{")  # a directive
    ]
    assert untold == []
    assert {block.kind for block in OF_SITE if block.says("where") == "guest"} == {"console"}


def test_every_page_of_the_site_is_in_its_contents() -> None:
    listed = documentation.pages()
    assert {*SITE} - {*listed} == {ROOT / "docs/index.md"}
    assert len(listed) == len(set(listed))


def test_every_manual_is_a_page_of_the_site() -> None:
    shown = {path.stem for path in (ROOT / "docs/manuals").glob("*.md")} - {"index"}
    assert shown == {path.name for path in (ROOT / "man").iterdir()}
    for name in shown:
        text = (ROOT / f"docs/manuals/{name}.md").read_text()
        manual, _, section = name.rpartition(".")
        assert text == f"# {manual}({section})\n\n```{{manual}} {name}\n```\n"


@pytest.mark.parametrize("block", [b for b in OF_SITE if b.kind == "sh"], ids=lambda b: b.page)
def test_a_shell_understands_what_is_not_run(block: documentation.Block) -> None:
    assert block.note.startswith("not run: ")
    done = subprocess.run(
        ["sh", "-n"], input=block.body, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    "line",
    [
        step.command
        for block in OF_SITE
        if block.says("where") == "guest"
        for step in block.steps()
        if step.command.startswith(("pyzram ", "zram_stats "))
    ],
)
def test_a_command_that_only_a_guest_runs_is_understood(line: str) -> None:
    understood(line)


# tests/peers looks for those of zram-tools and zram-generator in their packages.
OF_OTHERS = "\n".join(b.body for b in OF_SITE if b.note == "not run: other tools' services")


def test_there_are_lines_that_no_other_test_runs() -> None:
    ours = [line for _, line in lines_of_text() if line.startswith("pyzram ")]
    assert len(ours) >= 6


@pytest.mark.parametrize(
    ("page", "line"),
    [(p, x) for p, x in lines_of_text() if x.startswith(("pyzram ", "zram_stats "))],
)
def test_a_command_in_a_block_is_understood(page: str, line: str) -> None:
    understood(line)


@pytest.mark.parametrize(
    ("page", "line"),
    [
        (p, x)
        for p, x in lines_of_text()
        if x.startswith(("systemctl ", "rc-update ")) and x not in OF_OTHERS
    ],
)
def test_a_service_in_a_block_is_one_of_ours(page: str, line: str) -> None:
    words = line.split()
    if words[0] == "rc-update":
        assert (ROOT / f"initscripts/openrc/{words[2]}.initd").exists()
    else:
        assert (ROOT / f"initscripts/systemd/{words[-1]}").exists()


def test_settings_in_blocks_are_settings() -> None:
    settings = [
        text for _, kind, text in blocks() if kind == "sh" and re.match(r"[A-Z_]+(_0)?=", text)
    ]
    settings += re.findall(r"^# cat >>? /etc/conf.d/zram <<'END'\n(.*?)^END$", TEXT, re.M | re.S)
    assert len(settings) >= 5
    for text in settings:
        lines = "\n".join(re.sub(r"\s+#\s.*", "", line) for line in text.split("\n"))
        first = "" if "ZRAM_SIZE_0" in lines else "ZRAM_SIZE_0=1G\n"
        parse_config(first + lines, "shown", ram=8 << 30, cpus=4)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_options_in_the_text_are_options(page: Path) -> None:
    for shown in WORDS.findall(page.read_text()):
        words = shown.split()
        name = words[0] if words[0] == "zram_stats" else words[1]
        if name not in COMMANDS and name != "zram_stats":
            # "pyzram COMMAND", or an option before it.
            assert not name.islower() or name == "help", shown
            continue
        known = zram_stats.COMMAND if name == "zram_stats" else command(name)
        longs = {option.long for option in known.options}
        shorts = {option.short for option in known.options}
        for word in words[1:]:
            if word.startswith("--"):
                assert word[2:].partition("=")[0].rstrip(",") in longs, shown
            elif re.match(r"-[A-Za-z]", word):
                assert word[1] in shorts, shown


def test_an_unknown_option_is_found() -> None:
    with pytest.raises(UsageError):
        understood("pyzram writeback zram0 --aged 1h")
    with pytest.raises(KeyError):
        understood("pyzram written zram0")
