# SPDX-License-Identifier: MIT
"""What of the whole machine concerns zram: zswap in front of swap, and where it resumes from."""

from __future__ import annotations

import os

from .sysfs import Sysfs


def zswap_enabled(tree: Sysfs) -> bool:
    """Whether zswap stands in front of swap (Documentation/admin-guide/mm/zswap.rst)."""
    return _text(tree, "sys/module/zswap/parameters/enabled") == "Y"


def resume_device(tree: Sysfs) -> str | None:
    """Name of the device that the kernel resumes from (``/sys/power/resume``), if there is one."""
    number = _text(tree, "sys/power/resume")
    if number in ("", "0:0"):
        return None
    try:
        return os.path.basename(os.readlink(tree.path("sys/dev/block", number)))
    except OSError:
        return None


def _text(tree: Sysfs, path: str) -> str:
    try:
        return tree.read(path).strip()
    except OSError:
        return ""  # not in this kernel
