# SPDX-License-Identifier: MIT
"""Completions offer what the programs take."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from pyzram.cli.pyzram import COMMANDS

from .conftest import TREE, run
from .test_manuals import PAGES, options_of

COMPLETIONS = TREE / "initscripts/completions"
BIN = Path(sys.executable).parent
ENVIRONMENT = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}"}
# With the line split into words, the last one being completed: what is offered, one on a line.
BASH = f"""
source {COMPLETIONS}/pyzram.bash; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
_pyzram; printf "%s\\n" "${{COMPREPLY[@]}}"
"""
# What zsh's own completion system would do with the words is left out.
ZSH = f"""
compadd() {{ shift; print -l -- $@ }}
_describe() {{ print -l -- ${{${{(P)2}}%%:*}} }}
_files() {{ print -l -- $PREFIX*(N) }}
words=("$@") CURRENT=$# PREFIX=${{@[-1]}}; source {COMPLETIONS}/_pyzram
"""
FISH = f"""
set -g fish_complete_path {COMPLETIONS} $fish_complete_path
complete -C "$argv"
"""
COMMAND_LINES = {
    "bash": lambda words: ["bash", "-c", BASH, "bash", *words],
    "zsh": lambda words: ["zsh", "-fc", ZSH, "zsh", *words],
    "fish": lambda words: ["fish", "--no-config", "-c", FISH, " ".join(words)],
}
FILES = {
    "bash": ["pyzram.bash"],
    "zsh": ["_pyzram"],
    "fish": ["pyzram.fish", "zram_stats.fish"],
}
COMPLETED = [tuple(command.split()) for command in PAGES]


@pytest.fixture(params=COMMAND_LINES)
def offered(request: pytest.FixtureRequest, tmp_path: Path):
    """A function that gives what a shell offers for the last word of a line."""
    shell = request.param
    if not shutil.which(shell):
        pytest.skip(f"needs {shell}")

    def complete(*words: str) -> set[str]:
        done = run(*COMMAND_LINES[shell](words), env=ENVIRONMENT, cwd=tmp_path)
        assert done.returncode == 0, done.stdout
        # fish says what each is after a tab.
        offers = {line.split("\t")[0] for line in done.stdout.splitlines()}
        return {offer for offer in offers if offer and offer.startswith(words[-1])}

    return complete


def devices() -> set[str]:
    return {path.name for path in Path("/sys/block").glob("zram[0-9]*")}


def test_commands_are_completed(offered) -> None:
    assert offered("pyzram", "") == {*COMMANDS, "help"}
    assert offered("pyzram", "-c", "file", "re") == {x for x in COMMANDS if x.startswith("re")}


@pytest.mark.parametrize("command", COMPLETED, ids=" ".join)
def test_the_options_of_every_command_are_completed(offered, command: tuple[str, ...]) -> None:
    expected = {x for x in options_of(" ".join(command)) if x.startswith("--")}
    assert "--help" in expected
    assert offered(*command, "--") == expected


def test_files_are_completed_where_files_are_meant(offered, tmp_path: Path) -> None:
    (tmp_path / "zram.tmp").touch()
    assert offered("pyzram", "-c", "zr") == {"zram.tmp"}
    assert offered("pyzram", "import", "zr") == {"zram.tmp"}
    assert offered("pyzram", "estimate", "--plot", "zr") == {"zram.tmp"}


@pytest.mark.parametrize(
    "command", [("zram_stats",), ("pyzram", "writeback"), ("pyzram", "recompress")], ids=" ".join
)
def test_devices_are_completed_where_devices_are_meant(offered, command: tuple[str, ...]) -> None:
    before = devices()
    names = offered(*command, "zr")
    after = devices()
    # Others may add and remove some meanwhile.
    assert before & after <= names <= before | after


@pytest.mark.parametrize(
    ("words", "values"),
    [
        (["pyzram", "writeback", "zram0", "--type", "h"], {"huge", "huge_idle"}),
        (["pyzram", "recompress", "-a", "lz4"], {"lz4", "lz4hc"}),
        (["pyzram", "estimate", "--algorithm", "d"], {"deflate"}),
        (["pyzram", "bench", "-a", "zstd,lzo"], {"zstd,lzo", "zstd,lzo-rle"}),
        (["pyzram", "estimate", "--page-size", "1"], {"16384"}),
        (["zram_stats", "-o", "NAME,MEM-L"], {"NAME,MEM-LIMIT"}),
        (["zram_stats", "--output", "+MOUNT"], {"+MOUNTPOINT"}),
    ],
)
def test_values_are_completed(offered, words: list[str], values: set[str]) -> None:
    assert offered(*words) == values


@pytest.mark.parametrize("before", ["", "lz4,", "+"])
def test_what_was_typed_is_not_run(offered, tmp_path: Path, before: str) -> None:
    """Completing pasted text with a command in it does not run that command."""
    for words in (["pyzram", "bench", "-a"], ["zram_stats", "-o"], ["pyzram", "estimate", "-a"]):
        for text in (f"$(touch {tmp_path}/run),l", f"`touch {tmp_path}/run`,l", "$HOME,l"):
            offered(*words, before + text)
    assert not (tmp_path / "run").exists()


def test_the_files_are_what_the_tables_make_of_them() -> None:
    done = run(sys.executable, "-I", TREE / "tools/completions.py", "--check")
    assert (done.returncode, done.stdout) == (0, "")


@pytest.mark.parametrize("shell", FILES)
def test_completions_are_correct_syntax(shell: str) -> None:
    if not shutil.which(shell):
        pytest.skip(f"needs {shell}")
    for file in FILES[shell]:
        flag = "--no-execute" if shell == "fish" else "-n"
        done = run(shell, flag, COMPLETIONS / file)
        assert (done.returncode, done.stdout) == (0, "")
        if shell == "bash" and shutil.which("shellcheck"):
            done = run("shellcheck", COMPLETIONS / file)
            assert (done.returncode, done.stdout) == (0, "")
