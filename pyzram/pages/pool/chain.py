# SPDX-License-Identifier: MIT
"""The properties of a kernel that decide how its pools pack objects: zspages and word size."""

from __future__ import annotations

import os
from dataclasses import dataclass

from ...value import JsonValue, check_count, check_kind, documented

CHAIN_SIZE_DEFAULT = 8
CHAIN_SIZE_OLD = 4


@documented
@dataclass(frozen=True, slots=True)
class Chain(JsonValue):
    """How a kernel packs objects: at most ``size`` pages in a zspage, and the rule that chooses."""

    size: int
    """The most pages in a zspage: CONFIG_ZSMALLOC_CHAIN_SIZE."""
    rule: str
    """``percent`` up to Linux 6.2, ``waste`` from 6.3 on."""

    def __post_init__(self) -> None:
        check_count("size", self.size, 1)
        check_kind(str, {"rule": self.rule})


def machine_word_size() -> int:
    """Bytes of the kernel's machine word; a 32-bit program may run on a 64-bit kernel."""
    machine = os.uname().machine
    # To a 32-bit program, a 64-bit kernel says armv8l.
    return 8 if "64" in machine or machine in ("s390x", "alpha", "armv8l", "armv8b") else 4


def running_chain(root: str = "/", release: str | None = None) -> Chain:
    """Find how the running kernel chains pages.

    Up to Linux 6.2 it is fixed. From 6.3 on it is ``CONFIG_ZSMALLOC_CHAIN_SIZE``, which is looked
    up in ``/proc/config.gz`` and where distributions keep the configuration, then in zsmalloc's
    debugfs files. If none of these can be read, the kernel's default is assumed.
    """
    release = release or os.uname().release
    if _version(release) < (6, 3):
        return Chain(CHAIN_SIZE_OLD, "percent")
    size = _configured_chain(root, release) or _debugfs_chain(root) or CHAIN_SIZE_DEFAULT
    return Chain(size, "waste")


def _version(release: str) -> tuple[int, int]:
    major, _, rest = release.partition(".")
    digits = "".join(c if c.isdigit() else " " for c in rest).split()
    try:
        return int(major), int(digits[0])
    except (ValueError, IndexError):
        return 6, 3


def _configured_chain(root: str, release: str) -> int | None:
    for name in (
        "proc/config.gz",
        f"boot/config-{release}",
        f"lib/modules/{release}/config",
        f"lib/modules/{release}/build/.config",
    ):
        for line in _lines(os.path.join(root, name)):
            key, _, value = line.partition(b"=")
            if key == b"CONFIG_ZSMALLOC_CHAIN_SIZE":
                return int(value)
    return None


def _debugfs_chain(root: str) -> int | None:
    # The last column but one is pages_per_zspage, and some class uses the whole chain.
    folder = os.path.join(root, "sys/kernel/debug/zsmalloc")
    try:
        pools = os.listdir(folder)
    except OSError:
        return None
    longest = 0
    for pool in pools:
        for line in _lines(os.path.join(folder, pool, "classes")):
            words = line.split()
            if len(words) > 2 and words[0].isdigit() and words[-2].isdigit():
                longest = max(longest, int(words[-2]))
    return longest if longest >= CHAIN_SIZE_OLD else None


def _lines(path: str) -> list[bytes]:
    """Lines of a file that may be compressed; none if it cannot be read."""
    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError:
        return []
    if path.endswith(".gz"):
        import zlib

        try:
            data = zlib.decompress(data, 31)
        except zlib.error:
            return []
    return data.split(b"\n")
