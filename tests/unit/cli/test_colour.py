# SPDX-License-Identifier: MIT
"""Colour is used only where it is wanted, and never as the only sign."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest
from fake_roots import Machine
from terminal import printed_on

from pyzram.cli.stats import live_picture

STATS = "import sys; from pyzram.cli.zram_stats import main; sys.exit(main())"
DOCTOR = "import sys; from pyzram.cli.pyzram import main; sys.exit(main(['doctor']))"
HEADINGS = [heading for heading, _, _ in live_picture.SHOWN]
SWITCHES = ("NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "TERM")


def on(terminal: bool, code: str, root: str, *words: str, **environment: str) -> str:
    """What a command prints, on a terminal or into a pipe."""
    plain = {name: value for name, value in os.environ.items() if name not in SWITCHES}
    command = [sys.executable, "-Ic", code, *words]
    known = {**plain, "PYZRAM_ROOT": root, **environment}
    if not terminal:
        return subprocess.run(
            command, env=known, capture_output=True, text=True, check=False
        ).stdout
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 200, 0, 0))
    with subprocess.Popen(command, env=known, stdout=slave, stderr=slave) as process:
        os.close(slave)
        said = printed_on(master)
        process.wait(timeout=60)
    return said.decode().replace("\r", "")


def plain(text: str) -> str:
    return re.sub(r"\x1b\[[\d;]*m", "", text)


@pytest.mark.parametrize(
    ("terminal", "environment", "coloured"),
    [
        (True, {"TERM": "xterm"}, True),
        (True, {"TERM": "xterm", "CLICOLOR": "1", "NO_COLOR": ""}, True),
        (True, {"TERM": "xterm", "NO_COLOR": "1"}, False),
        (True, {"TERM": "xterm", "CLICOLOR": "0"}, False),
        (True, {"TERM": "dumb"}, False),
        (True, {}, False),
        (False, {"TERM": "xterm"}, False),
        (False, {"TERM": "xterm", "CLICOLOR_FORCE": "1"}, True),
        (False, {"TERM": "xterm", "CLICOLOR_FORCE": "0"}, False),
        (False, {"CLICOLOR_FORCE": "1", "NO_COLOR": "1"}, False),
    ],
)
def test_a_table_has_colour_where_it_is_wanted_and_says_the_same_without(
    tmp_path, terminal, environment, coloured
):
    Machine(tmp_path, "vm-6.1")
    words = ("-o", "name,comp_ratio,fill,failed_writes")
    shown = on(terminal, STATS, str(tmp_path), *words, **environment)
    assert ("\x1b[32m" in shown) == coloured  # the ratio, 7.48
    assert ("\x1b[1;31m" in shown) == coloured  # writes that failed
    assert plain(shown) == on(False, STATS, str(tmp_path), *words)


@pytest.mark.parametrize("environment", [{}, {"NO_COLOR": "1"}], ids=["colour", "NO_COLOR"])
def test_the_live_view_has_the_same_colours_and_says_the_same_without(tmp_path, environment):
    Machine(tmp_path, "vm-6.1")
    for terminal in (True, False):
        shown = live(terminal, str(tmp_path), TERM="xterm", CLICOLOR_FORCE="1", **environment)
        assert ("\x1b[32m" in shown) == (not environment)
        (row,) = re.findall(r"zram0 +lzo-rle.*", plain(shown))[:1]
        cells = dict(zip(HEADINGS, row.split(), strict=False))
        assert cells["RATIO"] == "7.48"
        assert ("\x1b[32m  7.48\x1b[m" in shown) == (not environment)


def live(terminal: bool, root: str, **environment: str) -> str:
    """The first step of the live view."""
    code = (
        "import itertools, sys; from pyzram.cli import zram_stats\n"
        "from pyzram.cli.stats import live, live_screen\n"
        "live.beats = lambda seconds: [None]\n"
        "def once(self, wake): self.watch.step(); self._draw(wake); return 0\n"
        "live_screen.Screen._loop = once\n"
        "sys.exit(zram_stats.main(['--watch']))"
    )
    return on(terminal, code, root, **environment)


def test_a_page_of_data_is_no_fault(tmp_path):
    machine = Machine(tmp_path, "vm-6.1")
    figures = "4096 40 20480 0 20480 0 0 0 0\n"
    (Path(machine.root) / "sys/block/zram0/mm_stat").write_text(figures)
    shown = on(True, STATS, str(tmp_path), "-o", "name,comp_ratio", TERM="xterm")
    assert "0.2000" in shown
    assert "\x1b" not in shown


def test_columns_stay_under_their_headings(tmp_path):
    Machine(tmp_path, "vm-6.1")
    shown = plain(on(False, STATS, str(tmp_path), "-o", "fill,comp_ratio", CLICOLOR_FORCE="1"))
    assert len({len(line) for line in shown.splitlines()}) == 1


def test_json_and_raw_and_lines_have_none(tmp_path):
    Machine(tmp_path, "vm-6.1")
    for words in (["--json"], [], ["--prometheus"], ["--raw", "-o", "fill,comp_ratio"]):
        assert "\x1b" not in on(False, STATS, str(tmp_path), *words, CLICOLOR_FORCE="1")


def test_the_doctor_says_in_words_what_its_colours_mean(tmp_path):
    Machine(tmp_path, "vm-6.1")  # two of its writes failed
    shown = on(True, DOCTOR, str(tmp_path), TERM="xterm")
    assert re.search(r"\x1b\[1;31mwrong:\x1b\[m\n\x1b\[1;31m1\. zram0: .*\[failed-writes\]", shown)
    said = on(False, DOCTOR, str(tmp_path), TERM="xterm")
    assert "\x1b" not in said
    assert said == plain(shown)
    assert "\nwrong:\n1. zram0: " in said
