# SPDX-License-Identifier: MIT
"""zram_stats: what zram devices hold and what it costs.

It must take little longer than starting the interpreter, so a call imports only what it needs. What
others share with it (:class:`Collection`) is here: a module of its own would be one more to load.
"""

from __future__ import annotations

import os
import sys

from ..errors import DeviceNotFoundError, ZramError
from ..kernel.figure_reader import DeviceFigures, FigureReader
from ..kernel.sysfs import NO_DRIVER, device_number, given_sysfs
from ..text import closest
from . import output, stats_columns
from .options import (
    ALGORITHM,
    COLUMNS,
    DEVICE,
    TEXTFILE,
    Command,
    Option,
    UsageError,
    at_most_one,
    seconds_up_to,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from ..kernel.figures import Figure
    from .options import Arguments

    Wanted = tuple[Figure, ...]
    Devices = list[tuple[DeviceFigures, list[Any]]]  # all figures, and the wanted ones in order

PROGRAM = "zram_stats"
FAILED, WRONG_USAGE = 1, 2


def columns_help() -> str:
    """The help on each column."""
    known = (
        f"  {stats_columns.heading(column):<20} {column.help}"
        f"{f' ({column.unit})' if column.unit else ''}"
        for column in stats_columns.COLUMNS
    )
    return "columns:\n" + "\n".join(known)


COMMAND = Command(
    PROGRAM,
    "Print what zram devices hold and what it costs. The default is all configured devices.",
    (
        Option("b", "bytes", "", "print sizes in bytes"),
        Option("n", "noheadings", "", "print a table without headings"),
        Option(
            "o",
            "output",
            "COLUMNS",
            "print a table of these columns; +COLUMNS adds to the default ones",
            values=COLUMNS,
        ),
        Option("", "output-all", "", "print a table with all columns"),
        Option("", "raw", "", "print a table with a single space between cells"),
        Option("J", "json", "", "print JSON"),
        Option("", "prometheus", "", "print metrics in the Prometheus text format"),
        Option("", "openmetrics", "", "print metrics in the OpenMetrics format"),
        TEXTFILE,
        Option(
            "w",
            "watch",
            "[SECONDS]",
            "show the devices live, every SECONDS (1)",
            convert=seconds_up_to(86400.0),
        ),
        Option(
            "",
            "estimate",
            "[ALGORITHM]",
            "print what a device would hold; operands are files, -, pid:NUMBER or system",
            values=ALGORITHM,
        ),
    ),
    operands="[DEVICE...]",
    takes=DEVICE,
    count=(0, None),
    notes="A DEVICE is zram0, /dev/zram0, 0 or a link to the device. Exit status: 0 if all went "
    f"well, {FAILED} if something failed, {WRONG_USAGE} for a usage error. See {PROGRAM}(8).",
    lists=columns_help,
)
# Options that take over the whole command: a module below pyzram.cli that the others do not load,
# and its function.
ELSEWHERE = {
    "prometheus": "stats.device_metrics:show_metrics",
    "openmetrics": "stats.device_metrics:show_metrics",
    "textfile": "stats.device_metrics:show_metrics",
    "watch": "stats.live:show_live",
    "estimate": "stats.estimate:show_estimate",
}
# At most one of these chooses the output.
FORMS = ("json", "prometheus", "openmetrics", "textfile", "watch")
OF_TABLES = ("noheadings", "output", "output-all", "raw")


def main(argv: list[str] | None = None) -> int:
    """Run the command; return the exit status: 0 done, 1 failed, 2 wrong usage."""
    output.open_standard_files()
    output.keep_children()
    try:
        status = run(sys.argv[1:] if argv is None else argv)
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        # The reader has enough. What is still buffered must not fail again at exit.
        output.drop_output()
        return FAILED
    except UsageError as err:
        complain(err.advice(PROGRAM))
        return WRONG_USAGE
    except ZramError as err:
        complain(err)
        return FAILED
    except OSError as err:
        # As above, and before anything is flushed again.
        output.drop_output()
        complain(f"write: {err.strerror}")
        return FAILED
    except ImportError as err:
        if not output.lacks_extension(err):
            raise
        complain(err)
        return FAILED
    except MemoryError:
        complain("out of memory")
        return FAILED
    except KeyboardInterrupt:
        return 130
    return status


def run(words: list[str]) -> int:
    """Do what the words say; errors are exceptions."""
    options = COMMAND.arguments(words)
    if options is None:
        return 0
    for name in options.given:
        if name in ELSEWHERE:
            # importlib and its imports would take longer than the metrics.
            module, _, function = ELSEWHERE[name].partition(":")
            loaded = __import__(f"pyzram.cli.{module}", fromlist=[function])
            return int(getattr(loaded, function)(options))
    return Collection(options.operands).show(*formatter(options))


def formatter(options: Arguments) -> tuple[Wanted, Callable[[Devices], str]]:
    """The columns to read, and the function that turns devices into text.

    Raises:
        UsageError: the options contradict each other, or an unknown column.
    """
    check(options)
    chosen = selection(options)
    if options.json:
        every = chosen or stats_columns.COLUMNS
        names = [column.name for column in every]
        return every, lambda devices: json_text(
            [dict(zip(names, row, strict=True)) for _, row in devices]
        )
    if not any(name in options.given for name in OF_TABLES):
        return stats_columns.BLOCK, blocks
    shown = chosen or stats_columns.DEFAULT
    return shown, lambda devices: stats_columns.table(
        [row for _, row in devices],
        shown,
        exact=options.bytes,
        headings=not options.noheadings,
        raw=options.raw,
        paint=painter(devices),
    )


def painter(devices: Devices) -> Callable[[int, str, Any, str], str] | None:
    """Return a function that colours cells; ``None`` without colour, decided cheaply."""
    on_terminal = sys.stdout is not None and sys.stdout.isatty()
    if not on_terminal and "CLICOLOR_FORCE" not in os.environ:
        return None
    from . import colour

    if not colour.wanted(sys.stdout):
        return None
    return lambda at, name, value, text: colour.paint_figure(name, value, text, devices[at][0])


def check(options: Arguments) -> None:
    """Refuse options that contradict each other."""
    at_most_one(options, *FORMS)
    for form in FORMS:
        for name in OF_TABLES:
            if form != "json" or "output" not in name:
                at_most_one(options, name, form)


def selection(options: Arguments) -> Wanted | None:
    """The chosen columns, or ``None`` for the default ones."""
    if options.output_all:
        return stats_columns.COLUMNS
    if options.output is None:
        return None
    try:
        return stats_columns.choose(options.output)
    except ValueError as err:
        word = str(err)
        names = [column.name for column in stats_columns.COLUMNS]
        meant = closest(word.lower().replace("-", "_"), names)
        raise UsageError(f"unknown column {word or repr(word)}", meant) from None


class Collection:
    """Read the devices asked for, one after the other; an error with one leaves the others."""

    def __init__(self, operands: list[str]) -> None:
        self.operands = operands
        self.reader = FigureReader(given_sysfs())
        self.status = 0
        self.tell: Callable[[object], None] = complain
        self._told: set[str] = set()

    def show(self, wanted: Wanted, text_of: Callable[[Devices], str]) -> int:
        """Print all devices; return the exit status."""
        try:
            write(text_of(self.read(wanted)))
        finally:
            self.reader.close()
        return self.status

    def read(self, wanted: Wanted) -> Devices:
        """Read the devices asked for, or all that are configured."""
        self.reader.refresh()
        found: Devices = []
        for number in self.numbers():
            try:
                figures = DeviceFigures(self.reader, number)
                disksize = figures["disksize"]
            except ZramError as err:
                # If all are shown, one may have gone since they were listed.
                if self.operands or not isinstance(err, DeviceNotFoundError):
                    self.fail(str(err))
                continue
            if disksize == 0 and not self.operands:
                continue
            try:
                # Read all before any is shown: a device that vanishes shows nothing, not half of
                # it.
                row = [column.of(figures) for column in wanted]
            except ZramError as err:
                self.fail(str(err))
                continue
            found.append((figures, row))
            for trouble in figures.troubles:
                self.fail(f"{figures['name']}: {trouble}")
        return found

    def numbers(self) -> list[int]:
        """Numbers of the devices to look at."""
        if not self.operands:
            numbers = self.reader.sysfs.numbers()
            if not numbers and not self.reader.sysfs.has_driver():
                self.fail(NO_DRIVER)
            return numbers
        numbers = []
        for operand in self.operands:
            try:
                numbers.append(device_number(operand))
            except ZramError as err:
                self.fail(str(err))
        return numbers

    def fail(self, message: str) -> None:
        """Say what went wrong, once, and remember it for the exit status."""
        self.status = FAILED
        if message not in self._told:
            self._told.add(message)
            self.tell(message)


def blocks(devices: Devices) -> str:
    """Each device as lines of ``key: value``; with a heading where there are several."""
    if len(devices) == 1:
        return stats_columns.block(devices[0][1])
    return "\n".join(
        f"/dev/{figures['name']}\n{stats_columns.block(row)}" for figures, row in devices
    )


def json_text(devices: list[dict[str, Any]]) -> str:
    """Devices as JSON: one object with a list, like util-linux's commands."""
    import json

    return json.dumps({"zram_stats": devices}, indent=3) + "\n"


def write(text: str) -> None:
    """Print; raise an error if standard output is closed."""
    if sys.stdout is None:
        raise ZramError("standard output is closed")
    try:
        sys.stdout.write(text)
    except UnicodeEncodeError as err:
        # A mount point may have characters that the terminal's encoding lacks.
        sys.stdout.write(text.encode(err.encoding, "backslashreplace").decode(err.encoding))


def complain(message: object) -> None:
    """One line on standard error, after what was printed before."""
    if sys.stdout is not None:
        sys.stdout.flush()
    output.complain(f"{PROGRAM}: {message}")


if __name__ == "__main__":
    output.leave(main())
