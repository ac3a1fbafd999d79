# SPDX-License-Identifier: MIT
"""The live view of zram_stats: figures, rates per second and their history.

On a terminal it is a picture that follows the window's size; in a pipe it is a line for each
device and step.
"""

from __future__ import annotations

import os
import sys
import time

from ..colour import wanted
from ..device_history import Histories
from ..options import at_most_one
from ..zram_stats import Collection, check, write
from .live_picture import NO_ROLES, READ, SHOWN, cells_of, layout, roles_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..options import Arguments


def show_live(options: Arguments) -> int:
    """Watch the devices until q, Ctrl-C or a closed pipe; returns the exit status."""
    check(options)
    at_most_one(options, "bytes", "watch")
    seconds = options.watch or 1.0
    write("")  # fails if there is nothing to write to
    collection = Collection(options.operands)
    try:
        if sys.stdout.isatty() and os.environ.get("TERM", "dumb") != "dumb":
            from .live_screen import Screen

            return Screen(collection, seconds).run()
        return lines(collection, seconds)
    except KeyboardInterrupt:
        return 0
    finally:
        collection.reader.close()


def lines(collection: Collection, seconds: float) -> int:
    """One line for each device and step; ends when the reader has gone."""
    watch = Histories(collection, READ)
    coloured = wanted(sys.stdout)
    write(f"TIME     {layout([heading for heading, _, _ in SHOWN], SHOWN)}\n")
    sys.stdout.flush()
    for _ in beats(seconds):
        watch.step()
        if not watch.devices and collection.operands:
            return collection.status
        clock = time.strftime("%H:%M:%S")
        for device in watch.devices.values():
            roles = roles_of(device) if coloured else NO_ROLES
            write(f"{clock} {layout(list(cells_of(device)), SHOWN, roles)}\n")
        sys.stdout.flush()
    return 0


def beats(seconds: float) -> Iterator[None]:
    """Yield steadily, every ``seconds``; skip the beats that were missed."""
    due = time.monotonic()
    while True:
        yield
        due = max(due + seconds, time.monotonic())
        time.sleep(max(0.0, due - time.monotonic()))
