# SPDX-License-Identifier: MIT
"""Turn the text of the kernel's files into plain values: one parser per file, no I/O.

Kernels add fields at the end of a line, so every parser accepts more fields than it knows, and
gives ``None`` for those that this kernel does not have. Numbers are the kernel's, unscaled.
Source of the formats: Documentation/admin-guide/blockdev/zram.rst and
Documentation/ABI/testing/sysfs-block-zram.
"""

from __future__ import annotations

import errno

from ..errors import from_errno
from ..value import Value

Values = dict[str, "int | None"]


def _figures(words: list[str], file: str) -> Values:
    """Name the numbers of a file; a name without a number is ``None``."""
    from .figures import of_file  # merely setting up a device does not need the table

    names = of_file(file)
    figures: Values = dict.fromkeys(names)
    figures.update(zip(names, map(int, words), strict=False))
    return figures


def parse_mm_stat(text: str) -> Values:
    """``/sys/block/zramN/mm_stat``: sizes in bytes, the others count pages."""
    return _figures(text.split(), "mm_stat")


def parse_io_stat(text: str) -> Values:
    """``/sys/block/zramN/io_stat``: counts of requests, ``notify_free`` of pages."""
    return _figures(text.split(), "io_stat")


def parse_bd_stat(text: str) -> Values:
    """``/sys/block/zramN/bd_stat``: all three in units of 4096 bytes."""
    return _figures(text.split(), "bd_stat")


def parse_debug_stat(text: str) -> Values:
    """``/sys/block/zramN/debug_stat``: a version line, then counts of events."""
    return _figures(text.partition("\n")[2].split(), "debug_stat")


def parse_block_stat(text: str) -> Values:
    """``/sys/block/*/stat`` (Documentation/block/stat.rst): sectors of 512 bytes, milliseconds."""
    return _figures(text.split(), "stat")


def parse_algorithms(text: str) -> tuple[str | None, tuple[str, ...]]:
    """``comp_algorithm``: the selected name (the one in brackets) and all names in order.

    No name is selected if the kernel brackets none (6.12 to 6.18 after a value that ends in two
    newlines).
    """
    selected, names = None, []
    for word in text.split():
        name = word
        if word.startswith("[") and word.endswith("]"):
            selected = name = word[1:-1]
        names.append(name)
    return selected, tuple(names)


def parse_recomp_algorithms(text: str) -> dict[int, str | None]:
    """``recomp_algorithm``: the selected names by priority; empty if none is configured."""
    configured = {}
    # 7.3 counts too many bytes for each line and leaves NULs before the next one.
    for line in text.replace("\0", "").split("\n"):
        priority, colon, names = line.partition(":")
        if colon:
            configured[int(priority.strip().lstrip("#"))] = parse_algorithms(names)[0]
    return configured


def parse_pool_classes(text: str) -> list[dict[str, int]]:
    """``classes`` of zsmalloc in debugfs: one entry for each size class, keyed like the header.

    ``class`` is its number and ``size`` in bytes; ``obj_*``, ``pages_used``, ``freeable`` and the
    columns for how full zspages are (``10%`` to ``100%``; up to 6.2 ``almost_full`` and
    ``almost_empty``) are counts.
    """
    header, *lines = text.removesuffix("\n").split("\n")
    names = header.split()
    rows = (line.split() for line in lines)
    return [
        dict(zip(names, map(int, row), strict=True)) for row in rows if row and row[0] != "Total"
    ]


def unescape(word: str) -> str:
    """Undo the octal escapes (``\\040``) that /proc/swaps and mountinfo use for blanks."""
    if "\\" not in word:
        return word
    head, *parts = word.split("\\")
    return head + "".join(
        chr(int(part[:3], 8)) + part[3:] if _is_octal(part[:3]) else "\\" + part for part in parts
    )


def _is_octal(digits: str) -> bool:
    return len(digits) == 3 and all(digit in "01234567" for digit in digits)


class SwapArea(Value):
    """One line of /proc/swaps."""

    _fields = ("path", "type", "size", "used", "priority")
    __slots__ = _fields

    path: str
    """As it was given to swapon, possibly a link to the node."""
    type: str
    """``partition`` (any block device) or ``file``."""
    size: int
    """Bytes."""
    used: int
    """Bytes."""
    priority: int
    """The highest is used first; the kernel itself chose negative ones."""

    def __init__(self, path: str, type: str, size: int, used: int, priority: int) -> None:
        self._set(path, type, size, used, priority)


def parse_swaps(text: str) -> list[SwapArea]:
    """``/proc/swaps`` (proc(5)): the file counts KiB, the result bytes.

    Raises:
        ZramOSError: EBADMSG if there is a line that does not belong in it.
    """
    areas = []
    for line in text.split("\n")[1:]:
        # The kernel pads with blanks and tabs, and escapes those and newlines in a path, but no
        # other white space. Split from the right, because a path may end in " (deleted)".
        words = [word for word in line.replace("\t", " ").split(" ") if word]
        if not words:
            continue
        try:
            *path, kind, size, used, priority = words
            numbers = int(size) * 1024, int(used) * 1024, int(priority)
        except ValueError:
            raise from_errno(errno.EBADMSG, f"/proc/swaps: read {line!r}", "/proc/swaps") from None
        areas.append(SwapArea(unescape(" ".join(path)), kind, *numbers))
    return areas


class Mount:
    """One line of mountinfo: ``number`` is ``major:minor``, ``options`` those of the mount.

    ``root`` is the mounted part of the file system, whose own options are ``super_options``.
    ``parent`` is the ``id`` of the mount that it is on; ``peers`` are the groups between which
    mounts spread, such as ``shared:2`` and ``master:1``.
    """

    __slots__ = (
        "fstype",
        "id",
        "number",
        "options",
        "parent",
        "peers",
        "point",
        "root",
        "source",
        "super_options",
    )

    def __init__(
        self,
        id: int,
        number: str,
        point: str,
        options: str,
        fstype: str,
        source: str,
        root: str = "/",
        super_options: str = "",
        parent: int = 0,
        peers: tuple[str, ...] = (),
    ) -> None:
        self.id = id
        self.parent = parent
        self.peers = peers
        self.number = number
        self.root = root
        self.super_options = super_options
        self.point = point
        self.options = options
        self.fstype = fstype
        self.source = source

    def __repr__(self) -> str:
        return f"<Mount {self.id} {self.number} on {self.point!r}>"


def parse_mountinfo(text: str) -> list[Mount]:
    """``/proc/self/mountinfo`` (proc(5)), one entry per mount, in the order of mounting."""
    found = []
    for line in text.split("\n"):
        # The kernel escapes blanks, tabs and newlines in names, but no other white space.
        words = line.split(" ")
        if len(words) <= 4:
            continue
        # A separate dash ends any number of optional fields.
        dash = words.index("-", 6) if "-" in words[6:] else len(words)
        fstype, source, super_options = (*words[dash + 1 : dash + 4], "", "", "")[:3]
        found.append(
            Mount(
                int(words[0]),
                words[2],
                unescape(words[4]),
                words[5] if len(words) > 5 else "",
                fstype,
                unescape(source),
                unescape(words[3]),
                super_options,
                int(words[1]),
                tuple(words[6:dash]),
            )
        )
    return found


def parse_fdinfo(text: str) -> dict[str, str]:
    """``/proc/PID/fdinfo/FD`` (proc_pid_fdinfo(5)): what each line says, by its name."""
    rows = (line.partition(":") for line in text.split("\n"))
    return {name: value.strip() for name, colon, value in rows if colon}


def parse_vmstat(text: str) -> dict[str, int]:
    """``/proc/vmstat``: counts of pages and events."""
    rows = (line.split(" ") for line in text.split("\n"))
    return {words[0]: int(words[1]) for words in rows if len(words) == 2}


def parse_meminfo(text: str) -> dict[str, int]:
    """``/proc/meminfo`` (proc(5)): the figures that are in kB, as bytes."""
    rows = (line.split() for line in text.split("\n"))
    return {words[0][:-1]: int(words[1]) * 1024 for words in rows if words[2:] == ["kB"]}
