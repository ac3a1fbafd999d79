# SPDX-License-Identifier: MIT
"""The live view: its parts, and as a whole on a terminal and in a pipe."""

from __future__ import annotations

import codecs
import fcntl
import os
import pty
import random
import select
import shutil
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator

import pytest
from effort import effort
from fake_roots import Machine

from pyzram.cli import bars, device_history, zram_stats
from pyzram.cli.stats import live_picture, live_screen

COMMAND = (
    sys.executable,
    "-Ic",
    "import sys; from pyzram.cli.zram_stats import main; sys.exit(main())",
)


def figures(**known: object) -> dict[str, object]:
    known = {"read_ios": 0, "write_ios": 0, "notify_free": 0, **known}
    return {"name": "zram0", "orig_data_size": 0, "mem_used_total": 0, **known}


# ---- parts ---------------------------------------------------------------------------------------


def test_rates_are_per_second_and_there_from_the_second_step_on():
    watched = device_history.DeviceHistory()
    watched.step(figures(read_ios=100, write_ios=7), 10.0)
    assert watched.rates == {}
    watched.step(figures(read_ios=150, write_ios=7), 12.5)
    assert watched.rates == {"read_ios": 20, "write_ios": 0, "notify_free": 0}


def test_a_reset_starts_counters_again_and_is_no_negative_rate():
    watched = device_history.DeviceHistory()
    watched.step(figures(read_ios=1000), 1.0)
    watched.step(figures(read_ios=6), 3.0)
    assert watched.rates["read_ios"] == 3


def test_a_figure_that_is_missing_once_has_no_rate():
    watched = device_history.DeviceHistory()
    watched.step(figures(), 1.0)
    watched.step(figures(notify_free=None), 2.0)
    assert "notify_free" not in watched.rates
    watched.step(figures(notify_free=4), 3.0)
    assert "notify_free" not in watched.rates


def test_history_is_bounded():
    watched = device_history.DeviceHistory()
    for step in range(device_history.HISTORY + 10):
        watched.step(figures(mem_used_total=step), float(step))
    assert len(watched.memory) == len(watched.ratio) == device_history.HISTORY
    assert watched.memory[-1] == device_history.HISTORY + 9


def test_a_graph_is_as_wide_and_high_as_told_and_new_values_come_from_the_right():
    assert bars.graph([0, 4, 8], 5, 1) == ["   ▄█"]
    assert bars.graph([1, 8, 16], 3, 2) == ["  █", "▁██"]
    assert bars.graph([0, 0], 3, 2) == ["   ", "   "]
    assert bars.graph([8, 8, 8], 2, 1) == ["██"]
    assert bars.graph([8, 0, 4], 3, 1, bars.ASCII_BARS) == ["# ="]


def test_little_is_not_nothing():
    assert bars.graph([1, 1e9], 2, 1) == ["▁█"]


@pytest.mark.parametrize("width", [1, 10, 20, 40, 60, 80, 100, 200])
def test_columns_that_do_not_fit_are_left_out_and_the_name_never(width):
    shown = live_picture.fitting(width)
    assert shown[0][0] == "NAME"
    assert len(shown) == 1 or sum(column[1] + 1 for column in shown) - 1 <= width
    assert len(live_picture.fitting(width + 12)) >= len(shown)


def test_every_column_fits_somewhere():
    assert live_picture.fitting(200) == live_picture.SHOWN


@pytest.mark.parametrize("size", [(1, 1), (5, 2), (20, 5), (40, 12), (80, 24), (300, 100)])
def test_the_picture_never_exceeds_the_terminal(tmp_path, monkeypatch, size):
    monkeypatch.setenv("PYZRAM_ROOT", str(tmp_path))
    Machine(tmp_path, "vm-7.x-multi").add(1)
    view = device_history.Histories(zram_stats.Collection([]), live_picture.READ)
    for _ in range(3):
        view.step()
    drawn = live_picture.picture(view, *size, "title", notes=["a note"])
    view.collection.reader.close()
    assert len(drawn) <= size[1]
    assert all(len(line) <= size[0] for line in drawn)
    if size[0] >= 80:
        cells = dict(zip(drawn[1].split(), drawn[2].split(), strict=True))
        assert (cells["NAME"], cells["DATA"], cells["TOTAL"]) == ("zram0", "16.1M", "2.1M")
        assert "a note" in drawn
        assert any(line.startswith("zram0 TOTAL now 2.1M") for line in drawn)
    assert any("█" in line for line in drawn) == (size[1] >= 12)


def watch_of(tmp_path, monkeypatch, devices: int) -> device_history.Histories:
    monkeypatch.setenv("PYZRAM_ROOT", str(tmp_path))
    here = Machine(tmp_path, "vm-6.1")
    for number in range(1, devices):
        here.add(number)
    view = device_history.Histories(zram_stats.Collection([]), live_picture.READ)
    view.step()
    view.collection.reader.close()
    return view


@pytest.mark.parametrize("height", range(1, 16))
def test_every_device_is_shown_or_counted(tmp_path, monkeypatch, height):
    view = watch_of(tmp_path, monkeypatch, 9)
    drawn = live_picture.picture(view, 80, height, "title", notes=["a note"])
    rows = [line for line in drawn if line.startswith("zram") and "TOTAL now" not in line]
    more = [int(line.split()[0]) for line in drawn if line.endswith(" more")]
    assert len(drawn) <= height
    if height >= 4:
        assert len(rows) + sum(more) == 9
        assert "a note" in drawn


def test_the_fill_is_of_whatever_is_nearest_to_its_end(tmp_path, monkeypatch):
    def fill() -> str:
        here = device_history.Histories(zram_stats.Collection([]), live_picture.READ)
        here.step()
        cells = live_picture.cells_of(here.devices["zram0"])
        return dict(zip((column[0] for column in live_picture.SHOWN), cells, strict=True))["FILL"]

    monkeypatch.setenv("PYZRAM_ROOT", str(tmp_path))
    machine = Machine(tmp_path, "vm-6.1")
    assert fill() == "25%"  # 16846848 of 64 MiB
    machine.swap("/dev/zram0 partition 65532 32766 100")
    assert fill() == "50%"
    numbers = machine.attribute("mm_stat").read_text().split()
    numbers[3] = "2500000"  # mem_limit, of which 2252800 are used
    machine.attribute("mm_stat").write_text(" ".join(numbers) + "\n")
    assert fill() == "90%"


def test_another_device_of_the_same_number_has_a_history_of_its_own(tmp_path, monkeypatch):
    view = watch_of(tmp_path, monkeypatch, 1)
    view.step()
    assert len(view.devices["zram0"].memory) == 2
    folder = tmp_path / "sys/block/zram0"
    shutil.copytree(folder, tmp_path / "other")
    shutil.rmtree(folder)
    (tmp_path / "other").rename(folder)
    view.step()
    assert len(view.devices["zram0"].memory) == 1
    assert view.devices["zram0"].rates == {}


def test_seconds_between_refreshes():
    assert zram_stats.COMMAND.arguments(["-w"]).watch == ()
    assert zram_stats.COMMAND.arguments(["-w0.5"]).watch == 0.5


# ---- the whole, on a terminal --------------------------------------------------------------------


class Terminal:
    """The command on a separate terminal."""

    def __init__(
        self, root: str, *words: str, command: tuple[str, ...] = COMMAND, **environment: str
    ) -> None:
        self.master, slave = pty.openpty()
        self.resize(80, 24)
        self.before = termios.tcgetattr(slave)
        self.slave = slave
        self.seen = ""
        self.decoder = codecs.getincrementaldecoder("utf-8")()

        def own_terminal() -> None:
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        self.process = subprocess.Popen(
            [*command, *words],
            cwd=root,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=own_terminal,
            env={"PYZRAM_ROOT": root, "TERM": "xterm", "LC_ALL": "C.UTF-8", **environment},
        )

    def resize(self, width: int, height: int) -> None:
        size = struct.pack("HHHH", height, width, 0, 0)
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, size)

    def until(self, condition: Callable[[str], bool], seconds: float = 20) -> str:
        """Read what is drawn until the condition holds; return what came since the last call."""
        start = len(self.seen)
        deadline = time.monotonic() + seconds
        while not condition(self.seen[start:]):
            assert time.monotonic() < deadline, f"not seen in: {self.seen[start:]!r}"
            self.pump(0.1)
        return self.seen[start:]

    def pump(self, seconds: float) -> None:
        if select.select([self.master], [], [], seconds)[0]:
            # One read may end in the middle of a letter.
            self.seen += self.decoder.decode(os.read(self.master, 65536))

    def ended(self, seconds: float = 20) -> int:
        deadline = time.monotonic() + seconds
        while self.process.poll() is None:
            assert time.monotonic() < deadline, f"it does not end: {self.seen[-500:]!r}"
            self.pump(0.05)
        while select.select([self.master], [], [], 0)[0]:
            self.pump(0)
        return self.process.returncode

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        if self.master >= 0:
            os.close(self.master)
            os.close(self.slave)
        self.master = -1


@pytest.fixture
def terminal(tmp_path) -> Iterator[Callable[..., Terminal]]:
    opened: list[Terminal] = []

    def run(*words: str, **options: object) -> Terminal:
        opened.append(Terminal(str(tmp_path), *words, **options))
        return opened[-1]

    yield run
    for one in opened:
        one.close()


@pytest.mark.parametrize("key", ["q", "Q", "\x03"], ids=["q", "Q", "Ctrl-C"])
def test_it_shows_and_ends_with_the_terminal_as_before(tmp_path, terminal, key):
    Machine(tmp_path, "vm-6.1")
    shown = terminal("-w0.1", "zram0")
    shown.until(lambda text: text.count("zram_stats, q quits") >= 3)
    assert termios.tcgetattr(shown.slave) != shown.before
    os.write(shown.master, key.encode())
    assert shown.ended() == 0
    assert termios.tcgetattr(shown.slave) == shown.before
    assert shown.seen.startswith(live_screen.ENTER)
    assert shown.seen.endswith(live_screen.LEAVE)
    assert "Traceback" not in shown.seen
    assert "16.1M" in shown.seen
    assert "█" in shown.seen


def test_a_signal_to_end_leaves_the_terminal_as_before(tmp_path, terminal):
    Machine(tmp_path, "vm-6.1")
    shown = terminal("-w0.1")
    shown.until(lambda text: "zram0" in text)
    shown.process.send_signal(signal.SIGTERM)
    assert shown.ended() == 128 + signal.SIGTERM
    assert termios.tcgetattr(shown.slave) == shown.before
    assert shown.seen.endswith(live_screen.LEAVE)


def test_signals_at_random_moments_leave_the_terminal_as_before(tmp_path, terminal):
    Machine(tmp_path, "vm-6.1")
    chance = random.Random(4)
    entered = 0
    rounds = effort(40)
    for turn in range(rounds):
        shown = terminal("-w0.1")
        if turn % 2:
            shown.until(lambda text: live_screen.ENTER in text)
        end = time.monotonic() + chance.random() * (0.03 if turn % 2 else 0.2)
        while time.monotonic() < end:
            shown.pump(0.001)
        number = chance.choice([signal.SIGTERM, signal.SIGINT])
        shown.process.send_signal(number)
        status = shown.ended()
        assert termios.tcgetattr(shown.slave) == shown.before
        assert "Traceback" not in shown.seen or live_screen.ENTER not in shown.seen
        if live_screen.ENTER in shown.seen:
            entered += 1
            assert shown.seen.endswith(live_screen.LEAVE)
            assert status == (0 if number == signal.SIGINT else 128 + number)
        shown.close()
    assert entered >= rounds / 2


def test_a_stopped_terminal_does_not_keep_it_from_ending(tmp_path, terminal):
    Machine(tmp_path, "vm-6.1")
    shown = terminal("-w0.1", "zram0")
    shown.until(lambda text: "zram0" in text)
    termios.tcflow(shown.slave, termios.TCOOFF)  # as Ctrl-S does
    time.sleep(0.2)
    shown.process.send_signal(signal.SIGTERM)
    assert shown.process.wait(10) == 128 + signal.SIGTERM
    assert termios.tcgetattr(shown.slave) == shown.before
    termios.tcflow(shown.slave, termios.TCOON)


def test_another_size_is_drawn_at_once(tmp_path, terminal):
    Machine(tmp_path, "vm-6.1")
    shown = terminal("-w60", "zram0")
    shown.until(lambda text: "COMPR" in text and live_screen.CLEAR_BELOW in text)
    shown.resize(30, 8)
    drawn = shown.until(lambda text: live_screen.CLEAR_BELOW in text)
    assert "DATA" in drawn
    assert "COMPR" not in drawn
    os.write(shown.master, b"q")
    assert shown.ended() == 0


def test_stopped_and_continued(tmp_path, terminal):
    Machine(tmp_path, "vm-6.1")
    # Only a job of a shell can be stopped from the keyboard.
    job = '"$@"; echo stopped; read line; fg >/dev/null; echo ended $?'
    shown = terminal("-w0.1", command=("sh", "-mc", job, "sh", *COMMAND), PATH=os.environ["PATH"])
    shown.until(lambda text: "zram0" in text)
    os.write(shown.master, b"\x1a")
    shown.until(lambda text: "stopped" in text)
    assert termios.tcgetattr(shown.slave) == shown.before
    os.write(shown.master, b"\n")
    drawn = shown.until(lambda text: "zram0" in text)
    assert live_screen.ENTER in drawn
    os.write(shown.master, b"q")
    shown.until(lambda text: "ended 0" in text)
    assert shown.ended() == 0


def test_a_device_that_goes_ends_the_view_with_a_word(tmp_path, terminal):
    here = Machine(tmp_path, "vm-6.1")
    shown = terminal("-w0.1", "zram0")
    shown.until(lambda text: "zram0" in text)
    here.attribute("").rename(tmp_path / "gone")
    assert shown.ended() == 1
    _, after = shown.seen.split(live_screen.LEAVE)
    # It goes between two looks, or in the middle of one.
    said = ("no such device", "the device is gone")
    assert after.strip() in [f"zram_stats: zram0: {words}" for words in said]


def test_without_operands_devices_come_and_go(tmp_path, terminal):
    here = Machine(tmp_path, "vm-6.1")
    here.attribute("").rename(tmp_path / "later")
    shown = terminal("-w0.1")
    shown.until(lambda text: "no configured device" in text)
    (tmp_path / "later").rename(here.attribute(""))
    shown.until(lambda text: "16.1M" in text)
    os.write(shown.master, b"q")
    assert shown.ended() == 0


def test_a_terminal_without_its_letters_gets_plain_ones(tmp_path, terminal):
    here = Machine(tmp_path, "vm-6.1")
    here.mount("/mnt/\\303\\244")
    # Not isolated, because then the interpreter would ignore the variable.
    command = (COMMAND[0], "-c", COMMAND[2])
    shown = terminal("-w0.1", command=command, PYTHONIOENCODING="ascii")
    shown.until(lambda text: "RATIO now" in text and live_screen.CLEAR_BELOW in text)
    shown.resize(200, 24)
    shown.until(lambda text: "/mnt/\\xc3" in text)
    assert shown.seen.isascii()
    assert "#" in shown.seen
    os.write(shown.master, b"q")
    assert shown.ended() == 0


# ---- into a pipe ---------------------------------------------------------------------------------


def test_into_a_pipe_there_is_a_line_for_each_step(tmp_path):
    Machine(tmp_path, "vm-6.1")
    process = subprocess.Popen(
        [*COMMAND, "--watch=0.1"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYZRAM_ROOT": str(tmp_path), "TERM": "xterm"},
    )
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(4)]
    process.send_signal(signal.SIGINT)
    rest, errors = process.communicate(timeout=20)
    assert process.returncode == 0
    assert errors == ""
    assert lines[0].split() == ["TIME", *(column[0] for column in live_picture.SHOWN)]
    for line in (*lines[1:], *rest.splitlines()):
        assert line.split()[1:7] == ["zram0", "lzo-rle", "64M", "16.1M", "2M", "2.1M"]
        assert "\x1b" not in line


def test_a_reader_that_has_enough_ends_it(tmp_path):
    Machine(tmp_path, "vm-6.1")
    process = subprocess.Popen(
        [*COMMAND, "-w", "0.1", "zram0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYZRAM_ROOT": str(tmp_path)},
    )
    assert process.stdout is not None and process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(timeout=20) == 1
    assert process.stderr.read() == ""
    process.stderr.close()


def test_into_a_pipe_an_unknown_device_ends_it(tmp_path, monkeypatch, capsys):
    Machine(tmp_path, "vm-6.1")
    monkeypatch.setenv("PYZRAM_ROOT", str(tmp_path))
    assert zram_stats.main(["-w0.1", "zram9"]) == 1
    assert capsys.readouterr().err == "zram_stats: zram9: no such device\n"


def test_a_failure_that_lasts_is_reported_once(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("PYZRAM_ROOT", str(tmp_path))
    Machine(tmp_path, "vm-6.1").attribute("io_stat").write_text("what?\n")
    view = device_history.Histories(zram_stats.Collection(["zram0"]), live_picture.READ)
    for _ in range(3):
        view.step()
    assert capsys.readouterr().err.count("io_stat") == 1
    assert view.devices["zram0"].figures["mem_used_total"] == 2252800
