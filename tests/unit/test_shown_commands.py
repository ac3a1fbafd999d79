# SPDX-License-Identifier: MIT
"""Commands that the documentation shows without running them are commands that there are.

Blocks marked ``console`` are run (tests/kernel/test_docs.py), and those of other tools are given to
these (tests/fleet). What is left, and what stands in the text, is held against our own tables: the
words of each command, its options, the variables of the configuration, the names of services.
"""

from __future__ import annotations

import importlib
import re
import shlex
from pathlib import Path

import pytest

from pyzram.cli import zram_stats
from pyzram.cli.options import Command, UsageError
from pyzram.cli.pyzram import COMMANDS
from pyzram.cli.service import command_line
from pyzram.config.parser import parse_config

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("docs/*.md"), *ROOT.glob("*.md"), *ROOT.glob("packaging/*.md")])
RUN = {"console"}
GIVEN_TO_THEIR_TOOL = {"puppet", "salt", "nix", "yaml", "python"}
WORDS = re.compile(r"`((?:pyzram|zram_stats) [^`]+)`")


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
    """Raise if a line of a shell is no command of ours."""
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
    [(p, x) for p, x in lines_of_text() if x.startswith(("systemctl ", "rc-update "))],
)
def test_a_service_in_a_block_is_one_of_ours(page: str, line: str) -> None:
    words = line.split()
    if words[0] == "rc-update":
        assert (ROOT / f"initscripts/openrc/{words[2]}.initd").exists()
    else:
        assert (ROOT / f"initscripts/systemd/{words[-1]}").exists()


def test_settings_in_blocks_are_settings() -> None:
    settings = [
        text for _, kind, text in blocks() if kind == "text" and re.match(r"[A-Z_]+_0=", text)
    ]
    assert len(settings) >= 2
    for text in settings:
        lines = "\n".join(re.sub(r"\s+#\s.*", "", line) for line in text.split("\n"))
        parse_config(f"ZRAM_SIZE_0=1G\n{lines}", "shown", ram=8 << 30, cpus=4)


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
