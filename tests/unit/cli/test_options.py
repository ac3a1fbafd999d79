# SPDX-License-Identifier: MIT
"""Command lines: what the table of options makes of the words."""

from __future__ import annotations

import subprocess
import sys

import pytest

from pyzram.cli import pyzram
from pyzram.cli.options import Command, Option, UsageError, describe, positive, whole

LINE = Command(
    "pyzram try",
    "Try things.",
    (
        Option("t", "type", "TYPE", "a word", values=("idle", "huge")),
        Option("p", "pid", "PID", "numbers", many=True, convert=whole),
        Option("", "limit", "N", "a number", convert=positive, default=7),
        Option("a", "add", "WORD", "words", repeat=True),
        Option("", "mark", "", "a switch"),
    ),
    operands="FILE",
    count=(1, 2),
)


def test_values_have_their_types() -> None:
    given = LINE.arguments(["-t", "idle", "x", "--pid", "1", "2", "-p3", "-a", "u", "--add=v"])
    assert given is not None
    assert (given.type, given.pid, given.limit, given.add) == ("idle", [1, 2, 3], 7, ["u", "v"])
    assert (given.mark, given.operands) == (False, ["x"])


def test_what_was_not_given_is_the_default_and_a_list_is_none() -> None:
    given = LINE.arguments(["--mark", "--", "-x"])
    assert given is not None
    assert (given.type, given.pid, given.add, given.mark) == (None, None, None, True)
    assert given.operands == ["-x"]
    with pytest.raises(AttributeError):
        _ = given.nothing


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "FILE is missing"),
        (["a", "b", "c"], "unexpected c"),
        (["a", "--tipe", "idle"], "unknown option --tipe (did you mean --type?)"),
        (["a", "--zzzzzz"], "unknown option --zzzzzz"),
        (["a", "-z"], "unknown option -z"),
        (["a", "--type", "idel"], "--type: 'idel' is not one of idle, huge (did you mean idle?)"),
        (["a", "--type"], "--type needs a value: TYPE"),
        (["a", "--mark=1"], "--mark takes no value"),
        (["a", "--limit", "0"], "--limit: 0 is too small"),
        (["a", "--limit", "-1"], "--limit: '-1' is not a whole number"),
        (["a", "--limit", "\u0663"], "--limit: '\u0663' is not a whole number"),
        (["a", "--pid", "x"], "--pid: 'x' is not a whole number"),
    ],
)
def test_mistakes_are_one_line_with_what_was_meant(words: list[str], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        LINE.arguments(words)
    assert str(caught.value) == message


@pytest.mark.parametrize("word", ["-h", "--help", "--he"])
def test_help_comes_before_what_is_missing(word: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert LINE.arguments([word]) is None
    said = capsys.readouterr().out
    assert said.startswith("usage: pyzram try [OPTION...] FILE\n\nTry things.\n")
    assert describe(LINE.options) in said


def test_every_command_tells_its_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert LINE.arguments(["-V"]) is None
    assert capsys.readouterr().out.startswith("pyzram 1.")


def test_the_package_runs_as_the_command() -> None:
    done = subprocess.run(
        [sys.executable, "-Im", "pyzram", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("pyzram 1.")


def test_help_of_a_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert pyzram.main(["help", "stop"]) == 0
    assert capsys.readouterr().out.startswith("usage: pyzram stop ")


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["wirteback"], "pyzram: no command 'wirteback' (did you mean writeback?)\n"),
        (["help", "stpo"], "pyzram: no command 'stpo' (did you mean stop?)\n"),
        (["zzz"], "pyzram: no command 'zzz' (see pyzram --help)\n"),
        ([], "pyzram: no command given (see pyzram --help)\n"),
        (
            ["--confg=/x", "plan"],
            "pyzram: unknown option --confg (did you mean --config?)\n",
        ),
        (["-x"], "pyzram: unknown option -x (see pyzram --help)\n"),
    ],
)
def test_no_command_is_one_line(
    words: list[str], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert pyzram.main(words) == 2
    assert capsys.readouterr().err == line


# ---- how words are read --------------------------------------------------------------------------

SWITCHES = Command(
    "try",
    "Try words.",
    (
        Option("a", "all", "", ""),
        Option("n", "name", "NAME", ""),
        Option("w", "watch", "[SECONDS]", ""),
    ),
    count=(0, None),
)


@pytest.mark.parametrize(
    ("words", "given", "operands"),
    [
        ("-a x", {"all": True}, ["x"]),
        ("x -an y z", {"all": True, "name": "y"}, ["x", "z"]),
        ("-anfoo", {"all": True, "name": "foo"}, []),
        ("--name=x=y --al", {"name": "x=y", "all": True}, []),
        ("--name --all", {"name": "--all"}, []),
        ("--name=", {"name": ""}, []),
        ("-n x -n y", {"name": "y"}, []),
        ("-w 2 x", {"watch": "2"}, ["x"]),
        ("-w0.5 -", {"watch": "0.5"}, ["-"]),
        ("-w zram2", {"watch": ()}, ["zram2"]),
        ("--watch=3 4", {"watch": "3"}, ["4"]),
        ("-a -- -n --", {"all": True}, ["-n", "--"]),
    ],
)
def test_words(words: str, given: dict[str, object], operands: list[str]) -> None:
    read = SWITCHES.arguments(words.split())
    assert read is not None
    assert {name: getattr(read, name) for name in read.given} == given
    assert tuple(given) == read.given
    assert read.operands == operands


@pytest.mark.parametrize("words", ["-b", "--all=1", "--name", "-n", "--nothing"])
def test_wrong_words(words: str) -> None:
    with pytest.raises(UsageError, match=words.lstrip("-").partition("=")[0]):
        SWITCHES.arguments([words])


def test_lists_stand_at_the_end_of_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    line = Command("try", "Try.", (), notes="A note.", lists=lambda: "things:\n  one\n")
    assert line.arguments(["--help"]) is None
    assert capsys.readouterr().out.endswith("\n\nA note.\n\nthings:\n  one\n")
