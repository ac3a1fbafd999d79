# SPDX-License-Identifier: MIT
"""Programs and manual pages agree."""

from __future__ import annotations

import re
import shutil
import sys
from functools import cache
from pathlib import Path

import pytest

from pyzram.cli.pyzram import COMMANDS
from pyzram.cli.service import OPTIONS
from pyzram.config import device_config, values, variables

from .conftest import TREE, run, succeed

BIN = Path(sys.executable).parent
MANUALS = sorted(path.name for path in (TREE / "man").iterdir())
# From every command to the page with its options.
PAGES = {"zram_stats": "zram_stats.8"}
for name in COMMANDS:
    own = f"pyzram-{name}.8"
    PAGES[f"pyzram {name}"] = own if own in MANUALS else "pyzram.8"


def manual(name: str) -> str:
    return (TREE / "man" / name).read_text().replace("\\-", "-")


@cache
def options_of(command: str) -> frozenset[str]:
    """The options that a command's --help lists."""
    name, *words = command.split()
    text = succeed(BIN / name, *words, "--help")
    heads = [line.strip().split("  ")[0] for line in text.splitlines() if line.startswith("  ")]
    return frozenset(option for head in heads if head[0] == "-" for option in options_in(head))


def options_in(text: str) -> list[str]:
    return re.findall(r"(?<![\w-])--?[a-zA-Z][a-z-]*", text)


def options_described(name: str) -> set[str]:
    """The options that head a paragraph of a page."""
    text = manual(name)
    words = "\n".join(re.findall(r"^\.It (Fl .*)", text, re.M))
    return set(options_in(words.replace("Fl Fl ", "--").replace("Fl ", "-")))


@pytest.mark.parametrize("page", sorted(set(PAGES.values())))
def test_a_manual_has_exactly_the_options_of_its_commands(page: str) -> None:
    known = set().union(*(options_of(x) for x, its in PAGES.items() if its == page))
    if page == "pyzram.8":
        known.add("--version")
    # Every command has it; pyzram(8) says so.
    common = {"-h", "--help", "-V", "--version"}
    of_all = set() if page in ("pyzram.8", "zram_stats.8") else common
    assert options_described(page) == known - of_all


@pytest.mark.parametrize("option", ["pretend", "json", "quiet"])
def test_the_manual_says_which_commands_take_an_option(option: str) -> None:
    (line,) = re.findall(rf"^\.It .*Fl {option}\n\.Cm (.*) :$", manual("pyzram.8"), re.M)
    taking = {name for name, options in OPTIONS.items() if option in {o.long for o in options}}
    assert set(line.split(" , ")) == taking


def test_the_manual_has_every_command() -> None:
    named = set(re.findall(r"^\.It Cm (\w+)(?: Ar FILE[ .]*)?$", manual("pyzram.8"), re.M))
    elsewhere = set(re.findall(r"^\.Xr pyzram-(\w+) 8", manual("pyzram.8"), re.M))
    assert named | elsewhere == set(COMMANDS)
    (line,) = re.findall(r"^\.It Cm (\w+ , .*)$", manual("pyzram.8"), re.M)
    assert set(line.split(" , ")) == elsewhere
    assert all((TREE / f"man/pyzram-{name}.8").exists() for name in elsewhere)


def test_the_manual_has_exactly_the_variables_of_the_configuration() -> None:
    named = set(re.findall(r"^\.It Ev ([A-Z_]+)$", manual("zram.conf.5"), re.M))
    assert named == {*variables.GLOBALS, *(f"{stem}_N" for stem in variables.PER_DEVICE)}


def test_the_defaults_in_the_manual_are_the_defaults() -> None:
    text = manual("zram.conf.5")
    assert f"Default\n.Ql {values.DEFAULT_SIZE}\n" in text
    assert f".Ql {values.DEFAULT_ALGORITHMS} ," in text
    assert f"Default {device_config.DEFAULT_PRIORITY}." in text
    assert f"Default {device_config.DEFAULT_FSTYPE}." in text
    assert f".Ql {' '.join(values.DEFAULT_MKFS_OPTIONS['ext4'])} :" in text


@pytest.mark.parametrize("name", MANUALS)
@pytest.mark.parametrize(
    "command", [("groff", "-mandoc", "-Tutf8", "-ww", "-z"), ("mandoc", "-Tlint", "-Wwarning")]
)
def test_a_manual_is_formatted_without_a_warning(name: str, command: tuple[str, ...]) -> None:
    if not shutil.which(command[0]):
        pytest.skip(f"needs {command[0]}")
    done = run(*command, TREE / "man" / name)
    assert (done.returncode, done.stdout) == (0, "")
