# SPDX-License-Identifier: MIT
"""Arguments that choose which memory to examine, and the progress bar."""

from __future__ import annotations

import errno
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ..errors import from_errno
from ..limits import PAGE_SIZES
from ..pages.codec.codec import algorithms
from ..pages.estimate.sampling import PRECISION
from ..pages.source.file_sources import open_files, open_stream
from ..pages.source.process_sources import open_chosen, open_processes, open_system
from ..pages.source.sources import Source, Stream
from ..text import quote, quote_lines
from ..units import format_count
from .options import ALGORITHMS, Option, UsageError, positive, whole

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from ..pages.estimate.estimate import Estimate
    from ..pages.process.process import Chosen
    from .options import Arguments

# Says what a SOURCE is, for commands with such operands.
SOURCES = "[SOURCE...]"
SOURCES_ARE = (
    "A SOURCE is a file, a core dump (its memory counts) or a block device; - is standard input."
)
SELECTIONS = {
    "name": "processes with this name, and their children",
    "user": "processes of this user",
    "cgroup": "processes in this cgroup and below",
    "unit": "processes of this systemd unit or OpenRC service",
    "container": "processes of this container, given by name or start of id",
}
# Remedies if none was found.
NAMED_AS = {
    "name": "use names as ps shows them, at most 15 bytes long",
    "user": "this user runs no processes",
    "cgroup": "use paths as in /proc/PID/cgroup",
    "unit": "systemctl status or rc-status shows the names of running units",
    "container": "docker and podman name its cgroup by its id; see docker ps or podman ps",
}


def source_options(precision: float = PRECISION) -> tuple[Option, ...]:
    """The options for what to examine (--pid, --name and so on), and how closely."""
    return (
        Option(
            "p", "pid", "PID", "memory of these processes", many=True, convert=whole, default=[]
        ),
        *(
            Option("", name, name.upper(), f"memory of {what}", repeat=True, default=[])
            for name, what in SELECTIONS.items()
        ),
        Option("", "system", "", "memory of all processes that you may inspect (the default)"),
        Option("", "full", "", "read all pages instead of a sample"),
        Option(
            "",
            "precision",
            "POINTS",
            f"percentage points that the ratio may be off, at 95 % (default {precision * 100:g})",
            convert=points,
            default=precision * 100,
        ),
        Option(
            "",
            "page-size",
            "BYTES",
            "page size of the target machine, for files (default: this machine's)",
            values=tuple(map(str, PAGE_SIZES)),
        ),
        Option("", "threads", "N", "compress with N threads", convert=positive),
        Option("", "seed", "N", "draw the same sample again", convert=whole),
    )


ALGORITHM_OPTION = Option(
    "a",
    "algorithm",
    "NAME[:LEVEL][,...]",
    f"algorithms to try (default {' '.join(algorithms())})",
    values=ALGORITHMS,
    repeat=True,
    default=[],
)


def points(text: str) -> float:
    """Percentage points."""
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a number") from None


def algorithm_names(options: Arguments) -> list[str]:
    """The algorithms of ``--algorithm``, which may be given several times and hold commas."""
    return [name for text in options.algorithm for name in text.split(",") if name]


@contextmanager
def opened(options: Arguments) -> Iterator[Source | Stream]:
    """Open what the arguments name; wrong combinations are usage errors."""
    files = options.operands
    chosen = _check_kinds(options)
    if "-" in files and len(files) > 1:
        raise UsageError("standard input cannot be combined with files")
    page_size = None if options.page_size is None else int(options.page_size)
    source: Source | Stream
    if files == ["-"]:
        source = standard_input(page_size)
    elif files:
        source = open_files(files, page_size=page_size)
    elif page_size:
        raise UsageError("--page-size applies only to files: memory already has pages")
    elif chosen:
        source = _processes(options)
    else:
        source = open_system()
    with source:
        yield source


def _check_kinds(options: Arguments) -> bool:
    """Whether processes are chosen; several kinds at once are refused."""
    chosen = bool(options.pid) or any(getattr(options, name) for name in SELECTIONS)
    if sum([bool(options.operands), chosen, options.system]) > 1:
        raise UsageError("give files, processes or --system, not several kinds at once")
    return chosen


def chosen_processes(options: Arguments) -> tuple[Chosen, str] | None:
    """The processes that the options choose, and what to call them; ``None`` for the system."""
    if not _check_kinds(options):
        return None
    return _selected(options)


def _processes(options: Arguments) -> Source:
    """Open the processes that the options choose, together."""
    if options.pid and not any(getattr(options, name) for name in SELECTIONS):
        return open_processes(options.pid)
    return open_chosen(*_selected(options))


def _selected(options: Arguments) -> tuple[Chosen, str]:
    from ..pages.process import selection

    chosen: dict[int, int | None] = dict.fromkeys(options.pid)
    names = list(map(str, options.pid))
    for kind in SELECTIONS:
        choose = getattr(selection, f"by_{kind}")
        for word in getattr(options, kind):
            found = choose(word)
            if not found:
                raise from_errno(errno.ESRCH, f"--{kind} {word}: look at", remedy=NAMED_AS[kind])
            chosen |= found
            names.append(word)
    return chosen, f"{', '.join(names)}: {format_count(len(chosen), 'process', 'processes')}"


def standard_input(page_size: int | None = None) -> Source | Stream:
    """Open standard input; raise an error if it is closed."""
    if sys.stdin is None:
        raise from_errno(errno.EBADF, "standard input: read", remedy="it is closed")
    return open_stream(sys.stdin.fileno(), page_size=page_size)


def skipped_line(skipped: Mapping[str, int]) -> str:
    """A line that says what was skipped and how often; empty if nothing was."""
    # The count comes last, so that a reason reads well with every number.
    parts = [f"{reason} ({count})" for reason, count in sorted(skipped.items())]
    return "skipped: " + "; ".join(parts) if parts else ""


def require_read(result: Estimate) -> None:
    """Reject figures shown without bounds if most of their pages vanished before they were read.

    Raises:
        ZramOSError: ESRCH if they did.
    """
    if result.lost > result.sampled:
        drawn = format_count(result.lost + result.sampled, "page")
        text = f"{quote(result.source)}: read {drawn}, of which {result.lost} are gone"
        raise from_errno(errno.ESRCH, text)


def say(text: str) -> None:
    """Print lines that were asked for; raise an error if they cannot be written.

    The caller must quote names that others have chosen if they might contain a newline.
    """
    if sys.stdout is None:
        raise from_errno(errno.EBADF, "standard output: write", remedy="it is closed")
    print(quote_lines(text))


@contextmanager
def progress_bar(
    text: str, unit: str = "pages"
) -> Iterator[Callable[[int, int | None], None] | None]:
    """Return a function that moves a bar on standard error; ``None`` if that is not a terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from importlib import import_module

    try:
        rich = import_module("rich.progress")
    except ImportError:
        yield lambda done, total: _plain_bar(text, unit, done, total)
        print("\r\x1b[K", end="", file=sys.stderr)
        return
    console = import_module("rich.console").Console(stderr=True)
    with rich.Progress(
        rich.TextColumn("{task.description}"),
        rich.BarColumn(),
        rich.MofNCompleteColumn(),
        rich.TextColumn(unit),
        rich.TimeRemainingColumn(),
        console=console,
        transient=True,
    ) as bar:
        task = bar.add_task(text, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _plain_bar(text: str, unit: str, done: int, total: int | None) -> None:
    share = f"{done * 100 // total:3d} %" if total else f"{done} {unit}"
    print(f"\r{text} {share}", end="", file=sys.stderr, flush=True)
