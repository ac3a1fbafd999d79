# SPDX-License-Identifier: MIT
"""``pyzram top``: the devices live, with bars, rates, history, pressure and what tend does."""

from __future__ import annotations

import errno
import os
import sys
from typing import TYPE_CHECKING

from ...errors import UnsupportedError, ZramError
from ...kernel.sysfs import device_number, given_sysfs
from ...own_files import run_directory
from ..options import DEVICE, Command, Option, UsageError, seconds_up_to
from .parts import DELAY_MAX, SORTS

if TYPE_CHECKING:
    from types import ModuleType

COMMAND = Command(
    "pyzram top",
    "Show zram devices live: how full they are, their traffic, memory pressure, and what pyzram "
    "tend does.",
    (
        Option(
            "d",
            "delay",
            "SECONDS",
            "refresh every SECONDS (1)",
            convert=seconds_up_to(DELAY_MAX),
            default=1.0,
        ),
        Option("s", "sort", "COLUMN", "sort by COLUMN (name)", values=tuple(SORTS), default="name"),
        Option("r", "reverse", "", "reverse the order"),
    ),
    operands="[DEVICE...]",
    takes=DEVICE,
    count=(0, None),
    notes="This needs textual (pip install 'pyzram[top]'); zram_stats -w works without it. Press ? "
    "in the view for help on the keys.",
)


def main(argv: list[str]) -> int:
    """Run the command."""
    options = COMMAND.arguments(argv)
    if options is None:
        return 0
    for word in options.operands:
        device_number(word)
    # textual draws to standard error.
    for name, stream in (("input", sys.stdin), ("output", sys.stdout), ("error", sys.stderr)):
        if stream is None or not stream.isatty():
            raise UsageError(f"standard {name} is not a terminal; zram_stats -w needs none")
    from .. import colour

    if not colour.wanted(sys.stdout):
        os.environ["NO_COLOR"] = "1"  # the one of these variables that textual knows
    view = load()
    from .look import Looker

    looker = Looker(options.operands, run_directory(given_sysfs().root))
    try:
        looker.look()
        if looker.over:
            raise ZramError(looker.notes[-1])
        app = view.Top(looker, options.delay, SORTS[options.sort], options.reverse)
        app.run()
    finally:
        looker.close()
    if app.message:
        raise ZramError(app.message)
    return app.return_code or 0


def load() -> ModuleType:
    """Load the view.

    Raises:
        UnsupportedError: textual is not installed, or too old.
    """
    try:
        from . import app_view
    except ImportError as err:
        if (err.name or "").partition(".")[0] != "textual":
            raise
        raise UnsupportedError(
            errno.EOPNOTSUPP,
            "textual 1.0 or newer is not installed (pip install 'pyzram[top]'); "
            "zram_stats -w needs none",
        ) from err
    return app_view
