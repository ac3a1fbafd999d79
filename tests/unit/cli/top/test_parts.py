# SPDX-License-Identifier: MIT
"""What pyzram top shows, without the library that shows it."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from types import SimpleNamespace

import pytest
from fake_roots import unreadable
from terminal import printed_on
from unit.cli.top import top_machine

from pyzram.cli import bars, colour
from pyzram.cli.top import look, parts
from pyzram.kernel.figures import BY_NAME
from pyzram.text import quote
from pyzram.units import format_size

COMMAND = [
    sys.executable,
    "-Ic",
    "import sys; from pyzram.cli.pyzram import main; sys.exit(main())",
    "top",
]


@pytest.fixture
def looker(tmp_path, monkeypatch):
    monkeypatch.setenv("PYZRAM_ROOT", str(tmp_path))
    opened = []

    def make(*operands: str) -> look.Looker:
        opened.append(look.Looker(list(operands), str(tmp_path)))
        return opened[-1]

    yield make
    for one in opened:
        one.close()


def text_of(lines) -> list[str]:
    return ["".join(text for text, _ in line) for line in lines]


@pytest.mark.parametrize("share", [0, 0.001, 0.25, 0.5, 0.999, 1, 2])
@pytest.mark.parametrize("width", [1, 4, 17])
def test_a_bar_is_as_wide_as_told_and_full_only_when_it_is(share, width):
    full, rest = bars.bar(share, width)
    assert len(full) + len(rest) == width
    assert (full == "") == (share == 0)
    assert (full == "━" * width) == (share >= 1)
    assert all(map(str.isascii, bars.bar(share, width, bars.ASCII_LINE)))


def test_a_look_has_everything(tmp_path, looker):
    top_machine.make(tmp_path)
    top_machine.tend(tmp_path)
    seen = looker().look()
    assert [device.name for device in seen.devices] == ["zram0", "zram1", "zram2"]
    assert (seen.total, seen.available) == (8_000_000 << 10, 3_000_000 << 10)
    assert seen.pressure["memory"].some10 == 12.34
    assert seen.tend["mode"] == "pressed"
    assert seen.notes == ()


def test_a_look_goes_without_what_is_not_there(tmp_path, looker):
    top_machine.Machine(tmp_path, "vm-6.1")
    seen = looker().look()
    assert [device.name for device in seen.devices] == ["zram0"]
    assert (seen.total, seen.tend) == (0, None)
    lines = text_of(parts.overview(seen, 60, "title", "right"))
    assert lines[1:] == [
        "pressure not reported (boot with psi=1)",
        "tend     not running",
    ]


@pytest.mark.parametrize("code", [errno.EIO, errno.EMFILE])
def test_what_cannot_be_read_is_not_taken_for_absent(tmp_path, looker, monkeypatch, code):
    top_machine.make(tmp_path)
    files = "proc/meminfo", *(f"proc/pressure/{name}" for name in ("memory", "io", "cpu"))
    unreadable(monkeypatch, code, *files)
    one = looker()
    one.look()
    seen = one.look()
    assert one.notes == [
        f"memory: {os.strerror(code)}",
        *(f"{tmp_path}/{file}: {os.strerror(code)}" for file in files[1:]),
    ]
    lines = text_of(parts.overview(seen, 60, "title", "right"))
    assert lines[1] == "pressure unknown"
    assert lines[-1].endswith(os.strerror(code)) or lines[-1].endswith("…")


@pytest.mark.parametrize("call", ["listdir", "stat"])
def test_a_look_that_fails_ends_no_view(tmp_path, looker, monkeypatch, call):
    """In the view it is in a thread of textual's, whose traceback would be the end."""
    top_machine.make(tmp_path)
    one = looker()
    before = [device.name for device in one.look().devices]
    real = getattr(os, call)

    def fails(path, *words, **named):
        if "sys/block" in str(path):
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE), path)
        return real(path, *words, **named)

    with monkeypatch.context() as patch:
        patch.setattr(os, call, fails)
        seen = one.look()
    assert seen.notes and os.strerror(errno.EMFILE) in seen.notes[-1]
    if call == "listdir":
        assert [device.name for device in seen.devices] == before
    assert [device.name for device in one.look().devices] == before


def test_what_changes_is_read_at_each_look_and_the_rest_seldom(tmp_path, looker):
    here = top_machine.make(tmp_path)
    one = looker()
    one.look()
    read: list[str] = []
    plain = one.collection.reader.read
    one.collection.reader.read = lambda device, file: read.append(file) or plain(device, file)
    for _ in range(look.SELDOM - 1):
        one.look()
    assert set(read) == {"disksize", "mm_stat", "stat", "io_stat", "bd_stat"}
    here.attribute("comp_algorithm").write_text("lz4 [zstd]\n")
    assert one.look().devices[0].known["comp_algorithm"] == "zstd"
    assert "comp_algorithm" in read


def test_all_is_read_of_a_device_that_comes_later_or_was_set_up_anew(tmp_path, looker):
    here = top_machine.make(tmp_path, 1)
    one = looker()
    one.look()
    here.add(1)
    assert "comp_algorithm" in one.look().devices[1].known
    here.attribute("comp_algorithm").write_text("lz4 [zstd]\n")
    here.attribute("disksize").write_text("4096\n")
    assert one.look().devices[0].known["comp_algorithm"] == "zstd"


def test_rates_have_a_history(tmp_path, looker, monkeypatch):
    here = top_machine.make(tmp_path, 1)
    clock = iter([10.0, 12.0, 14.0])
    monkeypatch.setattr("pyzram.cli.device_history.time", SimpleNamespace(monotonic=clock.__next__))
    one = looker()
    one.look()
    top_machine.set_number(here, 0, "stat", 0, 323)
    one.look()
    top_machine.set_number(here, 0, "stat", 4, 9928)
    device = one.look().devices[0]
    assert device.reads == [0, 50, 0]
    assert device.writes == [0, 0, 500]


def test_bars_of_a_device_are_of_what_it_has(tmp_path, looker):
    top_machine.make(tmp_path)
    seen = looker().look()
    by_name = {
        device.name: [line.split()[0] for line in text_of(parts.bars(device, seen.total, 80))]
        for device in seen.devices
    }
    assert by_name == {
        "zram0": ["pool", "data", "swap", "backing"],
        "zram1": ["pool", "limit", "data", "backing"],
        "zram2": ["pool", "data", "backing"],
    }


def test_nothing_is_wider_than_the_window(tmp_path, looker):
    top_machine.make(tmp_path)
    top_machine.tend(tmp_path, reasons=["x" * 300])
    seen = looker().look()
    for width in (*range(50, 70), 80, 100, 120, 200):
        lines = parts.overview(seen, width, "pyzram top", "every 1 s  12:00:00")
        lines += [parts.row(device, parts.fitting(width)) for device in seen.devices]
        for height in (1, 3, 8, 30):
            drawn = parts.detail(seen.devices[0], seen.total, width, height)
            assert len(drawn) <= height
            lines += drawn
        for text in text_of(lines):
            assert len(text.rstrip()) <= width, text


def test_devices_are_sorted_by_every_column_and_what_is_not_known_is_last(tmp_path, looker):
    here = top_machine.make(tmp_path)
    here.attribute("mm_stat", 2).write_text("?\n")
    seen = looker().look()
    assert parts.SORTS["total"].key(seen.devices[2]) is None
    for column in parts.COLUMNS:
        keys = [column.key(device) for device in parts.ordered(seen.devices, column, False)]
        known = [key for key in keys if key is not None]
        assert known == sorted(known)
        assert keys == known + [None] * (len(keys) - len(known))
        back = [column.key(device) for device in parts.ordered(seen.devices, column, True)]
        assert back == known[::-1] + [None] * (len(keys) - len(known))


def test_every_heading_is_where_a_click_finds_it():
    shown = parts.fitting(200)
    assert shown == parts.COLUMNS
    line = "".join(text for text, _ in parts.headings(shown, shown[0], False))
    for column in shown:
        at = line.index(column.heading)
        assert parts.column_at(shown, at) is column
        assert parts.column_at(shown, at + len(column.heading) - 1) is column
    assert parts.column_at(shown, 500) is None


def test_columns_that_do_not_fit_are_left_out_and_the_name_never():
    assert [column.heading for column in parts.fitting(60)] == [
        "NAME", "DATA", "TOTAL", "RATIO", "FILL", "READ/s", "WRITE/s",
    ]  # fmt: skip
    assert [column.heading for column in parts.fitting(1)] == ["NAME"]


def test_what_others_have_chosen_steers_no_terminal(tmp_path, looker):
    here = top_machine.make(tmp_path)
    here.mount("/mnt/\\033[2J", 2)
    top_machine.tend(tmp_path, "\x1b[2J", ["\x1b[31mred"])
    seen = looker().look()
    lines = parts.overview(seen, 100, "a", "b")
    lines += [parts.row(device, parts.COLUMNS) for device in seen.devices]
    lines += parts.detail(seen.devices[2], seen.total, 100, 20)
    text = "".join(text_of(lines))
    assert quote(text) == text
    assert "\\x1b[2J" in text


def test_a_status_of_another_shape_is_no_failure():
    for status in ({}, {"mode": 3, "pressure": "x", "reasons": 7}, {"reasons": [None]}):
        assert text_of(parts.tend_lines(status, 60))[0].startswith("tend")


def test_figures_are_judged_by_what_they_mean():
    assert [colour.of_fill(x) for x in (None, 0, 74, 75, 89, 90, 100)] == [
        "", "", "", "warn", "warn", "bad", "bad",
    ]  # fmt: skip
    assert [colour.of_ratio(x, 1 << 20) for x in (None, 0, 1.0, 1.2, 1.7, 2.0)] == [
        "", "", "bad", "warn", "", "good",
    ]  # fmt: skip
    # A fresh swap device: one page of data, whose zspage takes as much as several pages.
    assert [colour.of_ratio(0.2, data) for data in (4096, (1 << 20) - 1, 1 << 20, None)] == [
        "", "", "bad", "bad",
    ]  # fmt: skip
    assert BY_NAME["fill"].unit == "percent"
    assert format_size(0) == "0B"


# ---- the command ---------------------------------------------------------------------------------


def test_without_a_terminal_it_says_what_works_there(tmp_path):
    done = subprocess.run(
        COMMAND, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "not a terminal; zram_stats -w needs none" in done.stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["-d", "0"], "--delay: 0: not from 0.1 to 3600 seconds"),
        (["-s", "size"], "--sort: 'size' is not one of name, "),
        (["sda"], "sda"),
    ],
)
def test_words_that_make_no_sense_are_refused(words, told):
    done = subprocess.run([*COMMAND, *words], capture_output=True, text=True, check=False)
    assert done.returncode in (1, 2)
    assert told in done.stderr
    assert done.stderr.count("\n") == 1


def test_without_textual_one_line_says_how_to_get_it(tmp_path):
    """As if textual were not installed, on a terminal."""
    import pty

    master, slave = pty.openpty()
    hide = "import sys; sys.modules['textual'] = None; " + COMMAND[2].partition("; ")[2]
    process = subprocess.Popen(
        [sys.executable, "-Ic", hide, "top"],
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env={**os.environ, "PYZRAM_ROOT": str(tmp_path), "TERM": "xterm"},
    )
    os.close(slave)
    said = printed_on(master)
    assert process.wait(timeout=60) == 1
    assert said.decode().replace("\r", "") == (
        "pyzram top: textual 1.0 or newer is not installed (pip install 'pyzram[top]'); "
        "zram_stats -w needs none\n"
    )
