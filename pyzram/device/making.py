# SPDX-License-Identifier: MIT
"""Programs that write a signature or a file system, and why the kernel refused their writes."""

from __future__ import annotations

import errno

from ..errors import from_errno
from ..external import ProgramError, run_program
from ..kernel.parse import parse_io_stat
from .held import Held

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from .zram import Zram


def make(device: Zram, step: str, command: Sequence[str], package: str = "util-linux") -> None:
    """Run a program that writes to a device, and name the cause where writes were refused.

    Programs say "Input/output error", or nothing where they do not look.

    Raises:
        ProgramError: it failed.
        ZramOSError: it did not, but writes did (EIO).
    """
    before = device.read("io_stat")
    try:
        with Held(device):
            run_program(f"{device.name}: {step}", *command, device.node, package=package)
    except ProgramError as err:
        if why := _refused(device, before):
            err.append(why)
        raise
    if why := _refused(device, before):
        raise from_errno(errno.EIO, f"{device.name}: {step}", device.node, remedy=why)


def _refused(device: Zram, before: str) -> str:
    after = device.read("io_stat")
    if after == before:
        return ""
    failed, had = (parse_io_stat(text)["failed_writes"] or 0 for text in (after, before))
    if failed <= had:
        return ""
    from ..units import format_size
    from .lifecycle import mem_limit

    limit = mem_limit(device)
    cause = f"mem_limit {format_size(limit)} is too small" if limit else "memory is short"
    return f"the kernel refused {failed - had} writes: {cause}"
