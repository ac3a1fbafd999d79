# SPDX-License-Identifier: MIT
"""How a command prints and ends.

A message that nobody receives changes nothing: if it is lost, on either standard file, the work
and the status stay the same. But if the output is what was asked for (help, figures, a plan), not
being able to write it is a failure: a silent one if the reader has gone (other tools are ended by a
signal), otherwise one with its cause.
"""

from __future__ import annotations

import os
import sys

from ..text import quote

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn


def complain(line: str) -> None:
    """Print a line to standard error; it is lost if it cannot be written."""
    try:
        print(quote(line), file=sys.stderr)
    except OSError:
        _lead_nowhere(sys.stderr.fileno())


def lacks_extension(err: ImportError) -> bool:
    """Whether an extension of ours, or a library that it is linked to, could not be loaded."""
    # If it is there, the error has only the last part of its name.
    return (err.name or "").removeprefix("pyzram.") in ("_device", "_pages")


def output_width(otherwise: int) -> int | None:
    """The width of the output in columns: COLUMNS, wherever it goes, or the terminal's width.

    ``otherwise`` is for a terminal that does not say; ``None`` for a file or pipe, which has none.
    """
    try:
        said = int(os.environ.get("COLUMNS", ""))
    except ValueError:
        said = 0
    if said > 0:
        return said
    if sys.stdout is None or not sys.stdout.isatty():
        return None
    try:
        return os.get_terminal_size(1).columns or otherwise
    except OSError:
        return otherwise


def flush() -> None:
    """Write what was printed; if that fails, it is lost, and the status stays the same."""
    if sys.stdout is None:
        return
    try:
        sys.stdout.flush()
    except OSError:
        drop_output()


def drop_output() -> None:
    """Keep the rest of standard output's buffer from failing again at exit."""
    _lead_nowhere(1)


def _lead_nowhere(fd: int) -> None:
    try:
        null = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
    except OSError:
        return  # no descriptor is left, or there is no /dev; then each message fails and is lost
    os.dup2(null, fd)
    os.close(null)


def open_standard_files() -> None:
    """Fill the places of closed standard files, which the next opened files would take.

    For Python, standard input and output stay closed, so that using them is an error; messages,
    which nobody could read, go nowhere.
    """
    if None not in (sys.stdin, sys.stdout, sys.stderr):
        return
    while (fd := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(fd)
    sys.stderr = sys.stderr or open(2, "w", closefd=False)  # noqa: SIM115 - for good


def keep_children() -> None:
    """Have the kernel keep the exit status of programs that we run, as it does by default.

    Whoever started us may ignore SIGCHLD, which is inherited. Then all programs would seem to fail.
    """
    # The module signal is slow to load.
    from _signal import SIG_DFL, SIG_IGN, SIGCHLD, getsignal, signal  # type: ignore[import-not-found]

    if getsignal(SIGCHLD) == SIG_IGN:
        signal(SIGCHLD, SIG_DFL)


def leave(status: int) -> NoReturn:
    """End this process with the status of its command.

    The kernel cleans up at once; the interpreter would first free object after object, which takes
    a fifth as long as its start. It still does so in development mode (``-X dev``), to find what
    was left open, and when matplotlib has a temporary folder to remove.
    """
    flush()
    if sys.flags.dev_mode or "matplotlib" in sys.modules:
        sys.exit(status)
    os._exit(status)
