# SPDX-License-Identifier: MIT
"""Arguments that name memory to look at, and the bar that shows how far it is."""

from __future__ import annotations

import errno
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ..errors import from_errno
from ..pages.sampling import PRECISION
from ..pages.sources import Source, Stream, open_files, open_processes, open_stream, open_system

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator


SELECTIONS = {
    "name": "processes of this name and their children",
    "user": "processes of this user",
    "cgroup": "processes in this cgroup and below",
    "unit": "processes of this unit of systemd or service of OpenRC",
    "container": "processes of this container, by its name or the start of its id",
}


def add_source_arguments(parser: argparse.ArgumentParser, precision: float = PRECISION) -> None:
    """Define what to look at (SOURCE, --pid, --name and so on) and how closely."""
    parser.add_argument(
        "files",
        nargs="*",
        metavar="SOURCE",
        help="file, core dump (its memory counts) or block device; - is standard input",
    )
    parser.add_argument(
        "-p", "--pid", type=int, nargs="+", action="extend", help="memory of these processes"
    )
    for option, what in SELECTIONS.items():
        parser.add_argument(
            f"--{option}", action="append", metavar=option.upper(), help=f"memory of {what}"
        )
    parser.add_argument(
        "--system",
        action="store_true",
        help="memory of all processes that you may look at (the default)",
    )
    parser.add_argument("--full", action="store_true", help="read all pages, not a sample")
    parser.add_argument(
        "--precision",
        type=float,
        default=precision * 100,
        metavar="POINTS",
        help="percentage points that the ratio may be off, at 95 %% (default: %(default)g)",
    )
    parser.add_argument(
        "--page-size",
        type=int,
        choices=(4096, 16384, 65536),
        help="of the machine to be, for files (default: this machine's)",
    )
    parser.add_argument("--threads", type=int, help="for compressing (default: all processors)")
    parser.add_argument("--seed", type=int, help="draw the same sample again")


@contextmanager
def opened(
    parser: argparse.ArgumentParser, options: argparse.Namespace
) -> Iterator[Source | Stream]:
    """Open what the arguments name; wrong combinations end in a usage error."""
    chosen = bool(options.pid) or any(getattr(options, name) for name in SELECTIONS)
    if sum([bool(options.files), chosen, options.system]) > 1:
        parser.error("give files, processes or --system, not several kinds at once")
    if options.threads is not None and options.threads < 1:
        parser.error("--threads: not a positive number")
    if "-" in options.files and len(options.files) > 1:
        parser.error("standard input cannot be put together with files")
    source: Source | Stream
    if options.files == ["-"]:
        source = standard_input(options.page_size)
    elif options.files:
        source = open_files(options.files, page_size=options.page_size)
    elif options.page_size:
        parser.error("--page-size is for files: memory has pages already")
    elif chosen:
        source = _processes(options)
    else:
        source = open_system()
    with source:
        yield source


def _processes(options: argparse.Namespace) -> Source:
    """Open the processes that the options choose, together."""
    if options.pid and not any(getattr(options, name) for name in SELECTIONS):
        return open_processes(options.pid)
    from ..pages import selection

    pids = list(options.pid or [])
    names = list(map(str, pids))
    for kind in SELECTIONS:
        choose = getattr(selection, f"by_{kind}")
        for word in getattr(options, kind) or []:
            found = choose(word)
            if not found:
                raise from_errno(errno.ESRCH, f"--{kind} {word}: look at")
            pids += found
            names.append(word)
    count = len(set(pids))
    return open_processes(pids, f"{', '.join(names)}: {count} process{'es' * (count > 1)}")


def standard_input(page_size: int | None = None) -> Source | Stream:
    """Open it; where it is closed, that is an error."""
    if sys.stdin is None:
        raise from_errno(errno.EBADF, "standard input: read", remedy="it is closed")
    return open_stream(sys.stdin.fileno(), page_size=page_size)


def skipped_line(skipped: dict[str, int]) -> str:
    """What was left out on the way to the pages, and how often; empty if nothing was."""
    parts = [f"{count} {reason}" for reason, count in sorted(skipped.items())]
    return "skipped: " + "; ".join(parts) if parts else ""


def say(text: str) -> None:
    """Print what was asked for; where nobody can read it, that is an error."""
    if sys.stdout is None:
        raise from_errno(errno.EBADF, "standard output: write", remedy="it is closed")
    print(text)


@contextmanager
def progress_bar(
    text: str, unit: str = "pages"
) -> Iterator[Callable[[int, int | None], None] | None]:
    """Give a function that moves a bar on standard error; ``None`` where nobody watches."""
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
