# SPDX-License-Identifier: MIT
"""What of the whole machine concerns zram: zswap in front of swap, and where it resumes from."""

from __future__ import annotations

import os

from ..errors import from_errno
from .sysfs import GONE, Sysfs, read_if_there


def zswap_enabled(tree: Sysfs) -> bool:
    """Whether zswap stands in front of swap (Documentation/admin-guide/mm/zswap.rst).

    Raises:
        ZramOSError: that cannot be told.
    """
    return _text(tree, "sys/module/zswap/parameters/enabled") == "Y"


def resume_device(tree: Sysfs) -> str | None:
    """Name of the device that the kernel resumes from (``/sys/power/resume``), if there is one.

    Raises:
        ZramOSError: that cannot be told.
    """
    number = _text(tree, "sys/power/resume")
    if number in ("", "0:0"):
        return None
    path = tree.path("sys/dev/block", number)
    try:
        return os.path.basename(os.readlink(path))
    except OSError as err:
        if err.errno in GONE:
            return None
        raise from_errno(err.errno or 0, f"{path}: read", path) from err


def _text(tree: Sysfs, path: str) -> str:
    return (read_if_there(tree.path(path)) or "").strip()
