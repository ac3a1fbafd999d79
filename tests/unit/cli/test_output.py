# SPDX-License-Identifier: MIT
"""How a command ends: its output is written, its status is true, and nothing more is done."""

from __future__ import annotations

import subprocess
import sys

import pytest

ENDING = """
import atexit, sys
from pyzram.cli.output import leave
atexit.register(print, "the interpreter's end", file=sys.stderr)
print("printed", end="")
leave(3)
"""


@pytest.mark.parametrize(
    ("options", "end"), [([], ""), (["-X", "dev"], "the interpreter's end\n")], ids=["plain", "dev"]
)
def test_a_command_leaves_at_once_with_all_that_it_printed(options: list[str], end: str) -> None:
    done = subprocess.run(
        [sys.executable, "-I", *options, "-c", ENDING], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (3, "printed", end)


NOTHING_LEFT = """
import os, resource
from pyzram.cli.output import complain, drop_output, leave
resource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))
complain("a message")
drop_output()
complain("another")
leave(3)
"""


def test_a_message_is_lost_even_if_no_file_can_be_opened() -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-Ic", NOTHING_LEFT], stdout=full, stderr=full, check=False
        )
    assert done.returncode == 3


@pytest.mark.parametrize("redirection", [">/dev/full", ">&-", ">&- 2>&-", "<&- 2>&-"])
def test_what_nobody_can_read_changes_no_status(redirection: str) -> None:
    done = subprocess.run(
        ["sh", "-c", f'"$@" {redirection}', "sh", sys.executable, "-Ic", ENDING],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3
    assert "Traceback" not in done.stderr
