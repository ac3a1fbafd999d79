# SPDX-License-Identifier: MIT
"""The live view of zram_stats: figures, rates per second and their history.

On a terminal it is a picture that follows the window's size; into a pipe it is a line for each
device and step. Plain escape sequences do: curses would bring nothing that is needed here.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time

from .. import interruption
from ..kernel.figures import BY_NAME
from ..text import quote
from ..units import format_size
from . import stats_columns
from .bars import ASCII_BARS, BARS, graph
from .device_history import Watch, Watched, rate
from .options import UsageError, is_number
from .zram_stats import Collection, check, complain, write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

    from .options import Arguments

SHORTEST, LONGEST = 0.1, 86400.0
LEAST_GRAPH = 3
ENTER = "\x1b[?1049h\x1b[?25l"  # the other screen, no cursor
LEAVE = "\x1b[?25h\x1b[?1049l"
HOME_POSITION, CLEAR_LINE, CLEAR_BELOW = "\x1b[H", "\x1b[K", "\x1b[J"

READ = tuple(
    BY_NAME[name]
    for name in (
        *(column.name for column in stats_columns.DEFAULT),
        "fill",
        "read_ios",
        "write_ios",
        "notify_free",
    )
)
# Heading, width, and rank: on a narrow terminal the highest rank is dropped first (0 stays).
SHOWN = (
    ("NAME", 7, 0),
    ("ALGORITHM", 9, 8),
    ("DISKSIZE", 8, 7),
    ("DATA", 6, 1),
    ("COMPR", 6, 4),
    ("TOTAL", 6, 2),
    ("RATIO", 6, 3),
    ("FILL", 4, 3),
    ("READ/s", 8, 5),
    ("WRITE/s", 8, 5),
    ("FREE/s", 8, 6),
    ("SWAP-USED", 9, 9),
    ("MOUNTPOINT", 10, 10),
)
LEFT_ALIGNED = ("NAME", "ALGORITHM", "MOUNTPOINT")


def main(options: Arguments) -> int:
    """Watch the devices until q, Ctrl-C or a closed pipe; returns the exit status."""
    check(options)
    if options.bytes:
        raise UsageError("--bytes and --watch exclude each other")
    seconds = interval(options.watch or "")
    write("")  # fails where there is nothing to write to
    collection = Collection(options.operands)
    try:
        if sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb":
            return Screen(collection, seconds).run()
        return lines(collection, seconds)
    except KeyboardInterrupt:
        return 0
    finally:
        collection.reader.close()


def interval(text: str) -> float:
    """Seconds between two steps.

    Raises:
        UsageError: not a number of seconds that can be meant.
    """
    if not text:
        return 1.0
    if not is_number(text) or not SHORTEST <= float(text) <= LONGEST:
        raise UsageError(f"--watch {text}: not from {SHORTEST:g} to {LONGEST:g} seconds")
    return float(text)


def cells_of(device: Watched) -> tuple[str, ...]:
    """The cells of :data:`SHOWN`."""
    figures = device.figures
    assert figures is not None
    texts = {
        stats_columns.heading(column): stats_columns.cell(column, column.of(figures), False)
        for column in stats_columns.DEFAULT
    }
    ratio = BY_NAME["comp_ratio"].of(figures)
    fill = BY_NAME["fill"].of(figures)
    return (
        str(figures["name"]),
        texts["ALGORITHM"],
        texts["DISKSIZE"],
        texts["DATA"],
        texts["COMPR"],
        texts["TOTAL"],
        "-" if ratio is None else f"{ratio:.2f}",
        "-" if fill is None else f"{fill}%",
        *(rate(device.rates.get(key)) for key in ("read_ios", "write_ios", "notify_free")),
        texts["SWAP-USED"],
        texts["MOUNTPOINT"],
    )


def lines(collection: Collection, seconds: float) -> int:
    """One line for each device and step; ends when the reader has gone."""
    watch = Watch(collection, READ)
    write(f"TIME     {layout([heading for heading, _, _ in SHOWN], SHOWN)}\n")
    sys.stdout.flush()
    for _ in beats(seconds):
        watch.step()
        if not watch.devices and collection.operands:
            return collection.status
        clock = time.strftime("%H:%M:%S")
        for device in watch.devices.values():
            write(f"{clock} {layout(list(cells_of(device)), SHOWN)}\n")
        sys.stdout.flush()
    return 0


def beats(seconds: float) -> Iterator[None]:
    """Come back every so many seconds, steadily; beats that were missed are left out."""
    due = time.monotonic()
    while True:
        yield
        due = max(due + seconds, time.monotonic())
        time.sleep(max(0.0, due - time.monotonic()))


def fitting(width: int) -> tuple[tuple[str, int, int], ...]:
    """The columns that fit into ``width``; the first one always does."""
    shown = list(SHOWN)
    while len(shown) > 1 and sum(column[1] + 1 for column in shown) - 1 > width:
        shown.remove(max(shown, key=lambda column: column[2]))
    return tuple(shown)


def layout(cells: list[str], shown: tuple[tuple[str, int, int], ...]) -> str:
    """Put cells under their headings."""
    return " ".join(
        cell.ljust(width) if heading in LEFT_ALIGNED else cell.rjust(width)
        for cell, (heading, width, _) in zip(cells, shown, strict=True)
    ).rstrip()


def picture(
    watch: Watch,
    width: int,
    height: int,
    title: str,
    *,
    notes: Sequence[str] = (),
    bars: str = BARS,
) -> list[str]:
    """All lines of the view for a terminal of that size."""
    shown = fitting(width)
    indexes = [SHOWN.index(column) for column in shown]
    out = [title, layout([column[0] for column in shown], shown)]
    # What would fall off the screen is counted, so that nobody takes the rest for all.
    devices = list(watch.devices.values())
    room = height - len(out) - len(notes)
    count = len(devices) if len(devices) <= room else max(room - 1, 0)
    for device in devices[:count]:
        cells = cells_of(device)
        out.append(layout([cells[index] for index in indexes], shown))
    if count < len(devices):
        out.append(f"{len(devices) - count} more")
    if not devices:
        out.append("no configured device")
    out += notes
    out.extend(graphs(watch, width, height - len(out), bars))
    return [line[:width] for line in out[:height]]


def graphs(watch: Watch, width: int, room: int, bars: str) -> list[str]:
    """The history of as many devices as there is room for, memory above ratio."""
    wanted = [
        (f"{name} {what}", history, form)
        for name, device in watch.devices.items()
        for what, history, form in (
            ("TOTAL", device.memory, _size),
            ("RATIO", device.ratio, _factor),
        )
    ]
    count = min(len(wanted), room // (LEAST_GRAPH + 1))
    out = []
    for label, history, form in wanted[:count]:
        seen = history[-width:]
        out.append(f"{label} now {form(seen[-1])}, {form(min(seen))} to {form(max(seen))}")
        out += graph(history, width, room // count - 1, bars)
    return out


def _size(value: float) -> str:
    return format_size(int(value))


def _factor(value: float) -> str:
    return f"{value:.2f}"


class Screen:
    """The picture on a terminal, and the keys."""

    def __init__(self, collection: Collection, seconds: float) -> None:
        self.watch = Watch(collection, READ)
        self.seconds = seconds
        self.keys = sys.stdin.isatty() if sys.stdin is not None else False
        self.bars = BARS if "utf" in (sys.stdout.encoding or "").lower() else ASCII_BARS
        self.notes: list[str] = []
        # Standard error is most likely this very terminal.
        collection.tell = lambda message: self.notes.append(quote(str(message)))
        self._paused = False
        self._saved: list[Any] = []

    def run(self) -> int:
        """Show until q or Ctrl-C; the terminal is as before in any case."""
        wake, woken = os.pipe()
        for fd in (wake, woken):
            os.set_blocking(fd, False)
        # select() returns on these; the handlers themselves do nothing, or take note.
        signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
        for number in (signal.SIGWINCH, signal.SIGCONT):
            signal.signal(number, lambda *_: None)
        interruption.take_note()
        signal.signal(signal.SIGTSTP, self._note_pause)
        try:
            self._enter()
            return self._loop(wake)
        except interruption.Ended as end:
            if end.code != 128 + signal.SIGINT:
                raise
            return 0
        finally:
            self._leave()
            for note in self.notes:
                complain(note)

    def _loop(self, wake: int) -> int:
        due = time.monotonic()
        while True:
            self.watch.step()
            collection = self.watch.collection
            if not self.watch.devices and collection.operands:
                return collection.status
            due = max(due + self.seconds, time.monotonic())
            self._draw(wake)
            while (left := due - time.monotonic()) > 0:
                ready = select.select([wake, 0] if self.keys else [wake], [], [], left)[0]
                if wake in ready:
                    os.read(wake, 64)
                    self._pause_if_told()
                    self._draw(wake)
                if 0 in ready:
                    pressed = os.read(0, 64)
                    if b"q" in pressed or b"Q" in pressed:
                        return 0
                    # End of input: the terminal is gone, or nobody types any more.
                    self.keys = bool(pressed)

    def _draw(self, wake: int) -> None:
        # A terminal that is stopped (Ctrl-S) takes nothing, and a write would wait for it.
        while not select.select([wake], [1], [])[1]:
            os.read(wake, 64)
            interruption.check()
        interruption.check()
        width, height = os.get_terminal_size(1)
        title = f"zram_stats, q quits; every {self.seconds:g} s, {time.strftime('%F %T')}"
        drawn = picture(
            self.watch,
            max(width, 1),
            max(height, 1),
            title,
            notes=self.notes[-2:],
            bars=self.bars,
        )
        text = HOME_POSITION + (CLEAR_LINE + "\n").join(drawn) + CLEAR_LINE + CLEAR_BELOW
        write(text)
        sys.stdout.flush()

    def _enter(self) -> None:
        if self.keys:
            import termios

            self._saved = termios.tcgetattr(0)
            mode = termios.tcgetattr(0)
            mode[3] &= ~(termios.ICANON | termios.ECHO)
            termios.tcsetattr(0, termios.TCSADRAIN, mode)
        sys.stdout.write(ENTER)
        sys.stdout.flush()

    def _leave(self) -> None:
        takes = bool(select.select([], [1], [], 0)[1])
        if takes:
            sys.stdout.write(LEAVE)
            sys.stdout.flush()
        if self._saved:
            import termios

            when = termios.TCSADRAIN if takes else termios.TCSANOW
            termios.tcsetattr(0, when, self._saved)

    def _note_pause(self, _number: int, _frame: object) -> None:
        # Not here: it may be in the middle of writing.
        self._paused = True

    def _pause_if_told(self) -> None:
        """Ctrl-Z: give the terminal back while stopped."""
        if not self._paused:
            return
        self._paused = False
        self._leave()
        signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTSTP)
        signal.signal(signal.SIGTSTP, self._note_pause)
        self._enter()
