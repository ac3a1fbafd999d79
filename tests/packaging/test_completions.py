# SPDX-License-Identifier: MIT
"""Options, manual pages and completions say the same."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pyzram import config
from pyzram.cli.pyzram import COMMANDS
from pyzram.cli.service import OPTIONS

from .conftest import TREE

COMPLETIONS = TREE / "initscripts/completions"
BIN = Path(sys.executable).parent


def manual(name: str) -> str:
    return (TREE / "man" / name).read_text().replace("\\-", "-")


def options_in(text: str) -> set[str]:
    """Options of an mdoc page: Fl Fl long, Fl s."""
    return {
        ("--" if double else "-") + name
        for double, name in re.findall(r"\bFl (Fl )?([a-zA-Z][a-z-]*)", text)
        if name != "Fl"
    }


def test_the_manual_has_exactly_the_options_of_the_commands() -> None:
    known = {"--version"}
    for options in OPTIONS.values():
        known |= {f"--{option.long}" for option in options}
        known |= {f"-{option.short}" for option in options if option.short}
    text = manual("pyzram.8")
    assert options_in(text[text.index(".Ss Options") : text.index(".Ss Warnings")]) == known


@pytest.mark.parametrize("option", ["pretend", "json", "quiet"])
def test_the_manual_says_which_commands_take_an_option(option: str) -> None:
    (line,) = re.findall(rf"^\.It .*Fl {option}\n\.Cm (.*) :$", manual("pyzram.8"), re.M)
    taking = {name for name, options in OPTIONS.items() if option in {o.long for o in options}}
    assert set(line.split(" , ")) == taking - ({"info"} if option == "json" else set())


def test_the_manual_has_every_command() -> None:
    named = set(re.findall(r"^\.It Cm (\w+)(?: Ar FILE)?$", manual("pyzram.8"), re.M))
    elsewhere = set(re.findall(r"^\.Xr pyzram-(\w+) 8", manual("pyzram.8"), re.M))
    assert named | elsewhere == set(COMMANDS)
    assert all((TREE / f"man/pyzram-{name}.8").exists() for name in elsewhere)


def test_the_manual_has_exactly_the_variables_of_the_configuration() -> None:
    named = set(re.findall(r"^\.It Ev ([A-Z_]+)$", manual("zram.conf.5"), re.M))
    assert named == {*config.GLOBALS, *(f"{stem}_N" for stem in config.PER_DEVICE)}


def test_the_defaults_in_the_manual_are_the_defaults() -> None:
    text = manual("zram.conf.5")
    assert f".Ql {config.DEFAULT_SIZE} ," in text
    assert f".Ql {config.DEFAULT_ALGORITHMS} ," in text
    assert f"Default {config.DEFAULT_PRIORITY}." in text
    assert f"Default {config.DEFAULT_FSTYPE}." in text
    assert f".Ql {' '.join(config.DEFAULT_MKFS_OPTIONS['ext4'])} :" in text


@pytest.mark.parametrize("name", ["pyzram.8", "zram.conf.5"])
def test_the_manual_is_formatted_without_a_warning(name: str) -> None:
    if not shutil.which("groff"):
        pytest.skip("needs groff")
    done = subprocess.run(
        ["groff", "-mandoc", "-Tutf8", "-ww", "-z", str(TREE / "man" / name)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def completed(*words: str) -> set[str]:
    """What bash offers for the last word."""
    script = (
        f'source {COMPLETIONS / "pyzram.bash"}; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); '
        '_pyzram; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = subprocess.run(
        ["bash", "-c", script, "bash", *words],
        env={**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    return set(done.stdout.split())


needs_pyzram = pytest.mark.skipif(
    not (BIN / "pyzram").exists() or not shutil.which("bash"), reason="needs pyzram and bash"
)


@needs_pyzram
def test_bash_completes_commands() -> None:
    assert completed("pyzram", "") == set(COMMANDS)
    assert completed("pyzram", "-c", "file", "re") == {
        name for name in COMMANDS if name.startswith("re")
    }


@needs_pyzram
@pytest.mark.parametrize("command", sorted(OPTIONS))
def test_bash_completes_the_options_of_a_command(command: str) -> None:
    expected = {f"--{option.long}" for option in OPTIONS[command]}
    assert completed("pyzram", command, "--") == expected


@needs_pyzram
def test_bash_completes_files_after_config(tmp_path: Path) -> None:
    (tmp_path / "zram.tmp").touch()
    assert completed("pyzram", "-c", f"{tmp_path}/z") == {f"{tmp_path}/zram.tmp"}


@needs_pyzram
def test_bash_completes_zram_stats() -> None:
    assert {"--json", "--output"} <= completed("zram_stats", "--")


@pytest.mark.parametrize(
    ("shell", "file"), [("bash", "pyzram.bash"), ("zsh", "_pyzram"), ("fish", "pyzram.fish")]
)
def test_completions_are_correct_syntax(shell: str, file: str) -> None:
    if not shutil.which(shell):
        pytest.skip(f"needs {shell}")
    flag = "--no-execute" if shell == "fish" else "-n"
    subprocess.run([shell, flag, str(COMPLETIONS / file)], check=True)
    if shell == "bash" and shutil.which("shellcheck"):
        subprocess.run(["shellcheck", str(COMPLETIONS / file)], check=True)
