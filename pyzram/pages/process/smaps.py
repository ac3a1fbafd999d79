# SPDX-License-Identifier: MIT
"""``/proc/PID/smaps``: what the kernel counts for each mapping. See proc_pid_smaps(5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


def parse_smaps(text: str, *names: str) -> Iterator[tuple[int, int, bool, list[int]]]:
    """Yield for each mapping its start and end, whether it is locked, and these figures in bytes.

    ``names`` have their colon, as in ``Rss:``, and any order. A figure that the kernel lacks is 0.
    """
    wanted = ["\n" + name for name in names]
    body, *pieces = text.split("\nVmFlags:")  # what a mapping ends with
    for piece in pieces:
        flags, _, rest = piece.partition("\n")
        start, _, end = body[: body.index(" ")].partition("-")
        yield (
            int(start, 16),
            int(end, 16),
            "lo" in flags.split(" "),
            [figure(body, name) for name in wanted],
        )
        body = rest


def figure(figures: str, name: str) -> int:
    """The bytes after a name, given with the newline before it; 0 if it is not there."""
    at = figures.find(name)
    if at < 0:
        return 0
    at += len(name)
    return int(figures[at : figures.index(" kB", at)]) * 1024
