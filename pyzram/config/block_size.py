# SPDX-License-Identifier: MIT
"""The block sizes given to mkfs, in the spelling of each file system's mkfs."""

from __future__ import annotations

from ..text import is_whole
from ..units import DIGITS_MAX

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# Options whose value is a size, with which mkfs fails if it is below the device's sector size.
# Other such options either make the programs use a larger size (mkfs.vfat -S), or count in blocks
# themselves.
OPTIONS = {
    "ext2": ("-b",),
    "ext3": ("-b",),
    "ext4": ("-b",),
    "xfs": ("-b", "-s"),
    "btrfs": ("-s", "--sectorsize", "-n", "--nodesize"),
    "exfat": ("-c", "--cluster-size"),
}
# The options that set the size of the kernel's blocks.
OF_KERNEL = {"ext2": "-b", "ext3": "-b", "ext4": "-b", "xfs": "-b", "btrfs": "-s"}
SAME = {"--sectorsize": "-s", "--nodesize": "-n", "--cluster-size": "-c"}
SUFFIXES = {"k": 1 << 10, "m": 1 << 20}


def block_sizes(fstype: str, options: Sequence[str]) -> Iterator[tuple[str, int]]:
    """Yield each block size in mkfs's words: the option, and the bytes."""
    known = OPTIONS.get(fstype, ())
    for word, following in zip(options, [*options[1:], ""], strict=True):
        for option in known:
            rest = word[len(option) :]
            if not word.startswith(option) or (
                option.startswith("--") and rest[:1] not in ("", "=")
            ):
                continue
            value = rest.removeprefix("=") if rest else following
            for part in value.split(",") if fstype == "xfs" else [value]:
                if (size := _size(fstype, part)) is not None:
                    yield SAME.get(option, option), size


def _size(fstype: str, text: str) -> int | None:
    """The bytes; ``None`` for anything else, such as the program's own choice."""
    name, equals, value = text.partition("=")
    if fstype == "xfs":
        if not equals or name not in ("size", "log"):
            return None
        if name == "log":
            return 1 << int(value) if is_whole(value, DIGITS_MAX) and int(value) < 64 else None
        text = value
    unit = SUFFIXES.get(text[-1:].lower(), 0)
    digits = text[:-1] if unit else text
    return int(digits) * (unit or 1) if is_whole(digits, DIGITS_MAX) else None
