# SPDX-License-Identifier: MIT
"""What all pictures share: matplotlib, which is loaded only here, colours, and the file."""

from __future__ import annotations

import atexit
import errno
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from ...descriptor import Opened
from ...errors import InvalidValueError, UnsupportedError, from_errno
from ...named_files import open_named

# Colours that colour-blind people can tell apart, also in print.
STORED = "#3b6ea8"
TOUCHED = "#8fb9a8"
RAW = "#4d4d4d"
INK = "#333333"
PALE = "#d9d9d9"
ENDINGS = (".png", ".svg", ".pdf")
# Colour, mark and dashes of each algorithm, in the kernel's order: distinct even in grey.
MARKS = {
    "lzo-rle": ("#3b6ea8", "o", (0, (4, 1.5))),
    "lzo": ("#7aa6d6", "s", (0, (1, 1))),
    "lz4": ("#c8553d", "^", (0, (9, 2))),
    "lz4hc": ("#e8a33d", "v", (0, (6, 1.5, 1, 1.5))),
    "zstd": ("#2f8f6b", "D", "-"),
    "deflate": ("#7d5ba6", "P", (0, (3, 1, 1, 1, 1, 1))),
    "842": ("#8c8c8c", "X", (0, (2, 2))),
}


def matplotlib(name: str) -> Any:
    """Load one of matplotlib's modules; UnsupportedError says what to install."""
    try:
        with _own_settings():
            return import_module(f"matplotlib.{name}")
    except ImportError as err:
        raise UnsupportedError(
            errno.EOPNOTSUPP, "plot: matplotlib is not installed (pip install 'pyzram[plot]')"
        ) from err


@contextmanager
def _own_settings() -> Iterator[None]:
    """Keep other users' settings out when root loads matplotlib.

    matplotlib first reads ``matplotlibrc`` in the current directory, which may make it run LaTeX,
    and writes a list of fonts below the home directory, which under sudo may be a user's.
    """
    if os.geteuid() != 0 or "matplotlib" in sys.modules:
        yield
        return
    home = os.path.expanduser("~")
    try:
        theirs = os.stat(home).st_uid != 0
    except FileNotFoundError:
        theirs = False
    except OSError:
        theirs = True  # as far as is known
    if theirs:
        folder = tempfile.mkdtemp(prefix="pyzram-plot-")
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
        os.environ["MPLCONFIGDIR"] = folder
    with Opened(".", os.O_RDONLY | os.O_DIRECTORY) as here:
        os.chdir("/")
        try:
            yield
        finally:
            os.fchdir(here)


def check_plot(path: str) -> None:
    """Refuse a plot that could not be written, before the long work that it is to show.

    Raises:
        UnsupportedError: matplotlib is not installed.
        InvalidValueError: the file's name has none of the :data:`ENDINGS`.
        ZramOSError: there is no such directory, or it is not writable.
    """
    if not path.lower().endswith(ENDINGS):
        raise InvalidValueError(f"{path}: plots are {', '.join(ENDINGS)} files")
    directory = os.path.dirname(path) or "."
    if not os.access(directory, os.W_OK):
        number = errno.EACCES if os.path.exists(directory) else errno.ENOENT
        raise from_errno(number, f"{path}: write plot", path)
    matplotlib("figure")


def save(figure: Any, path: str) -> None:
    """Write the file; raise ZramOSError if that fails."""
    step = "write plot"
    opened = open_named(path, step, os.O_WRONLY)
    try:
        with opened as fd, open(fd, "wb", closefd=False) as file:
            file.truncate()
            figure.savefig(file, dpi=150, format=path.rpartition(".")[2].lower())
    except OSError as err:
        raise from_errno(err.errno or 0, f"{path}: {step}", path) from err


def bare(axis: Any) -> None:
    """Remove the sides of the frame without an axis."""
    axis.tick_params(colors=INK, labelsize=9)
    for edge in ("top", "right"):
        axis.spines[edge].set_visible(False)


def short(source: str) -> str:
    """A source's name, shortened for a title."""
    return source if len(source) < 60 else os.path.basename(source)
