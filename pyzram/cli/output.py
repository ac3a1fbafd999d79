# SPDX-License-Identifier: MIT
"""How a command prints and ends.

Whoever cannot be told changes nothing of what is done: a message that is lost, on either standard
file, keeps work and status as they are. But where the output is what was asked for (help, figures,
a plan), what could not be written is a failure: in silence if the reader has gone, as other tools
say it by a signal, else with the cause.
"""

from __future__ import annotations

import os
import sys

from ..text import quote

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn


def complain(line: str) -> None:
    """Print a line to standard error; if nobody can read it, it is lost."""
    try:
        print(quote(line), file=sys.stderr)
    except OSError:
        _lead_nowhere(sys.stderr.fileno())


def output_width(otherwise: int) -> int | None:
    """Columns for what is printed: by COLUMNS, wherever it goes, or the terminal's.

    ``otherwise`` is for a terminal that does not tell; ``None`` in a file or pipe, which has none.
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
    """Write what was printed; if nobody can read it, it is lost, and the status stays."""
    if sys.stdout is None:
        return
    try:
        sys.stdout.flush()
    except OSError:
        drop_output()


def drop_output() -> None:
    """Keep what is still buffered for standard output from failing again at exit."""
    _lead_nowhere(1)


def _lead_nowhere(fd: int) -> None:
    null = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
    os.dup2(null, fd)
    os.close(null)


def open_standard_files() -> None:
    """Fill the place of a closed standard file, which the next opened file would take.

    Standard input and output stay closed for Python, so that using them is an error; messages,
    which nobody could read, go nowhere.
    """
    if None not in (sys.stdin, sys.stdout, sys.stderr):
        return
    while (fd := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(fd)
    sys.stderr = sys.stderr or open(2, "w", closefd=False)  # noqa: SIM115 - for good


def leave(status: int) -> NoReturn:
    """End this process with the status of its command.

    The kernel cleans up at once; the interpreter first frees object after object, which takes a
    fifth as long as its start. In development mode (``-X dev``) it does, to find what was left
    open, and also where matplotlib has a temporary folder to remove.
    """
    flush()
    if sys.flags.dev_mode or "matplotlib" in sys.modules:
        sys.exit(status)
    os._exit(status)
