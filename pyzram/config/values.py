# SPDX-License-Identifier: MIT
# ruff: noqa: D102, D103 - their names say what they make of a text
"""The values of the configuration's variables, and what their text means."""

from __future__ import annotations

import os

from ..algorithm import LEVELS, Algorithm, parse_params
from ..errors import InvalidValueError
from ..limits import BD_UNIT, PAGE_SIZE, SWAP_LABEL_MAX, page_up, table_size
from ..limits import DISCARD as SWAP_DISCARD
from ..limits import SWAP_PRIORITY_MAX as PRIORITY_MAX
from ..text import is_whole
from ..units import SUFFIXES, format_size, parse_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ..limits import DiscardPolicy

DEFAULT_SIZE = "min(ram/2, 4G)"
# zram trades processor time for memory, so the densest comes first. If the latency of page faults
# matters more, name lz4 or lzo-rle first, which are faster but less dense.
DEFAULT_ALGORITHMS = "zstd lz4 lzo-rle lzo"
ALGORITHMS = ("lzo", "lzo-rle", "lz4", "lz4hc", "zstd", "deflate", "842")
# A journal protects against a power cut, which erases a zram device anyway, and a second copy of
# the metadata against bad sectors, which memory does not have.
DEFAULT_MKFS_OPTIONS = {
    "ext4": ("-O", "^has_journal", "-m", "0"),
    "ext3": ("-m", "0"),
    "ext2": ("-m", "0"),
    "btrfs": ("-m", "single"),
    "jfs": ("-q",),  # otherwise its mkfs asks for confirmation
}
# The smallest device that mkfs accepts; for btrfs, with our default options.
MIN_SIZES = {"xfs": 300 << 20, "btrfs": 45 << 20, "f2fs": 52 << 20, "jfs": 16 << 20}
STICKY = ("/tmp", "/var/tmp")

ID_MAX = 0xFFFFFFFE
ID_DIGITS_MAX = 10
MAX_DEVICES = 256
MAX_SECONDARIES = 3
# The most bytes of a label, by file system.
LABEL_MAX = {"swap": SWAP_LABEL_MAX, "xfs": 12, "vfat": 11, "exfat": 11, "btrfs": 254, "f2fs": 255}
LABEL_MAX_EXT = 16
# File systems whose whole life cycle is tested, from mkfs to an undo in the middle.
TESTED = ("ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs", "exfat", "vfat")
# These accept the option on a remount but ignore it.
DISCARD_AT_MOUNT = ("exfat", "vfat", "xfs")
MIN_PAGES = 10  # mkswap's minimum

KERNELS_OWN = "kernel"
"""Stands in a list of algorithms for the kernel's own default."""
DISCARD: tuple[DiscardPolicy, ...] = ("none", *SWAP_DISCARD)


class Values:
    """Turns a variable's text into its value.

    ``%`` and ``ram`` refer to ``ram`` bytes; without ``cpus``, this machine's processors count.
    With ``here`` the file is for this machine, so owners must exist.
    """

    def __init__(self, ram: int, cpus: int | None, here: bool) -> None:
        self.ram = ram
        self.cpus = cpus
        self.here = here

    def size(self, text: str) -> int:
        if text[-1:] in SUFFIXES and text[:-1].isascii() and text[:-1].isdigit():
            return parse_size(text)  # nothing to evaluate
        from .size_expression import evaluate_size

        return evaluate_size(text, ram=self.ram, cpus=self.cpus or os.cpu_count() or 1)

    def disksize(self, text: str) -> int:
        size = self.size(text)
        if size == 0:
            return 0
        if size < MIN_PAGES * PAGE_SIZE:
            raise InvalidValueError(
                f"{text!r} is {size} bytes, too small for a device ({bare_number(text)})"
            )
        table = table_size(size)
        if table > self.ram // 2:
            raise InvalidValueError(
                f"{text!r} is {format_size(size)}: the kernel would take {format_size(table)} of "
                f"this machine's {format_size(self.ram)} at once, for the table alone"
            )
        return page_up(size)

    def mem_limit(self, text: str) -> int:
        return page_up(self.size(text))

    def plain_size(self, text: str) -> int:
        return parse_size(text)

    def yes_no(self, text: str) -> bool:
        return is_yes(text)

    def control_groups(self, text: str) -> tuple[str, ...]:
        """Paths below the root of the hierarchy, with or without a leading slash."""
        names = tuple(dict.fromkeys(word.strip("/") for word in self.words(text)))
        for name in names:
            if not name or any(part in ("", ".", "..") for part in name.split("/")):
                raise InvalidValueError(f"{text!r}: not control groups such as user.slice")
        return names

    def devices_count(self, text: str) -> int:
        return whole(text, 0, MAX_DEVICES)

    def swapon_options(self, text: str) -> dict[str, Any]:
        return swapon_settings(text)

    def algorithms(self, text: str) -> tuple[Algorithm, ...]:
        return algorithms_of(text)

    def secondaries(self, text: str) -> tuple[Algorithm, ...]:
        entries = algorithms_of(text)
        if len(entries) > MAX_SECONDARIES:
            raise InvalidValueError(f"more than {MAX_SECONDARIES} algorithms")
        if any(entry.name == KERNELS_OWN for entry in entries):
            raise InvalidValueError(f"only ZRAM_ALGORITHM takes {KERNELS_OWN!r}")
        return entries

    def params(self, text: str) -> dict[str, Any]:
        return params_of(text.split())

    def priority(self, text: str) -> int:
        return whole(text, -1, PRIORITY_MAX)

    def discard(self, text: str) -> DiscardPolicy:
        word = text.strip().lower()
        for policy in DISCARD:
            if word == policy:
                return policy
        return "both" if is_yes(word, f", or one of {' '.join(DISCARD)}") else "none"

    def label(self, text: str) -> str:
        if not text.isprintable():
            raise InvalidValueError(f"{text!r} is not a label: not printable")
        return text

    def path(self, text: str) -> str:
        if not text.isprintable():
            raise InvalidValueError(f"{text!r} is not a path: not printable")
        if not os.path.isabs(text):
            raise InvalidValueError(f"{text!r} is not an absolute path")
        # normpath keeps two leading slashes.
        return os.path.normpath("/" + text.lstrip("/"))

    def memory(self, text: str) -> int | None:
        """A size of the machine's memory, or ``none``."""
        return None if text.strip() == "none" else self.size(text)

    def writeback_limit(self, text: str) -> int:
        return self.size(text) // BD_UNIT

    def word(self, text: str) -> str:
        if not all(char.isalnum() or char in "-_." for char in text) or text.startswith("-"):
            raise InvalidValueError(f"{text!r} is not a name")
        return text

    def words(self, text: str) -> tuple[str, ...]:
        words = text.split()
        if any(char in text for char in "'\"\\"):
            import shlex

            try:
                words = shlex.split(text)
            except ValueError as err:
                raise InvalidValueError(f"{text!r}: {err}") from err
        if not all(word.isprintable() for word in words):
            raise InvalidValueError(f"{text!r}: not printable")
        return tuple(words)

    def mount_options(self, text: str) -> str:
        word = text.strip().removeprefix("-o").strip()
        if len(word.split()) != 1 or not word.isprintable():
            raise InvalidValueError(f"{text!r}: separate mount options by commas")
        return word

    def mode(self, text: str) -> int:
        word = text.strip()
        # int() alone would also accept 0o17, 1_7 and +7.
        if len(word) > 5 or word.strip("01234567") or int(word, 8) > 0o7777:
            raise InvalidValueError(f"{text!r} is not a mode such as 1777")
        return int(word, 8)

    def owner(self, text: str) -> str:
        word = text.strip()
        wrong = not word.isprintable() or any(char in " ," for char in word)
        if wrong or word.count(":") > 1:
            raise InvalidValueError(f"{text!r} is not an owner such as user:group")
        if self.here:
            owner_ids(word)
        return word


def label_max(kind: str) -> int:
    """How many bytes the label of swap or of a file system may have."""
    return LABEL_MAX.get(kind, LABEL_MAX_EXT)


def owner_ids(text: str) -> tuple[int, int]:
    """Turn ``user:group``, by name or number, into ids; -1 leaves one unchanged.

    Raises:
        InvalidValueError: this machine has no such user or group.
    """
    import grp
    import pwd

    user, _, group = text.partition(":")
    try:
        uid = -1 if not user else _id(user) if user.isdecimal() else pwd.getpwnam(user).pw_uid
    except KeyError as err:
        raise InvalidValueError(f"no user {user!r} on this machine") from err
    try:
        gid = -1 if not group else _id(group) if group.isdecimal() else grp.getgrnam(group).gr_gid
    except KeyError as err:
        raise InvalidValueError(f"no group {group!r} on this machine") from err
    return uid, gid


def _id(digits: str) -> int:
    """Turn digits into the number of a user or group: 32 bits, where all ones mean none."""
    if len(digits) > ID_DIGITS_MAX or int(digits) > ID_MAX:
        shown = digits if len(digits) <= 20 else f"{digits[:20]}..."
        raise InvalidValueError(f"{shown} is not a number of a user or group (0 to {ID_MAX})")
    return int(digits)


def bare_number(text: str) -> str:
    """Explain a number without a suffix, the usual cause of sizes that are too small."""
    if text.strip().replace(".", "", 1).isalnum():
        return "a bare number is KiB"
    return "within an expression a bare number is bytes: give it a suffix such as M"


def is_yes(text: str, more: str = "") -> bool:
    word = text.strip().lower()
    if word in ("yes", "true", "on", "1"):
        return True
    if word in ("no", "false", "off", "0"):
        return False
    raise InvalidValueError(f"{text!r} is neither yes nor no{more}")


def whole(text: str, lowest: int, highest: int) -> int:
    word = text.strip()
    if not is_whole(word.removeprefix("-")) or not lowest <= int(word) <= highest:
        raise InvalidValueError(f"{text!r} is not a whole number from {lowest} to {highest}")
    return int(word)


def swapon_settings(text: str) -> dict[str, Any]:
    """Parse the options of swapon(8) that say how to swap: priority and discard."""
    options: dict[str, Any] = {}
    words = text.replace("=", " ").split()
    while words:
        word = words.pop(0)
        if word in ("-p", "--priority") and words:
            options["priority"] = whole(words.pop(0), -1, PRIORITY_MAX)
        elif word.startswith("-p") and word[2:].isdigit():
            options["priority"] = whole(word[2:], -1, PRIORITY_MAX)
        elif word in ("-d", "--discard"):
            options["discard"] = words.pop(0) if words and words[0] in DISCARD else "both"
        else:
            raise InvalidValueError(
                f"{word!r} cannot be taken, only -p PRIORITY and --discard[=POLICY]"
            )
    return options


def algorithms_of(text: str) -> tuple[Algorithm, ...]:
    """Parse a list such as ``zstd(level=3) lz4``, or ``zstd:3 lz4``."""
    found = []
    for word in text.replace(", ", ",").split():
        try:
            found.append(Algorithm.parse(word))
        except InvalidValueError as err:
            hint = " (separate algorithms by blanks)" if "," in word.partition("(")[0] else ""
            raise InvalidValueError(f"{err}{hint}") from None
        if "." in found[-1].name:  # no kernel's name has one: a typing error, not a newer algorithm
            raise InvalidValueError(f"algorithm {found[-1].name!r}: not a valid name")
        check_winbits(found[-1].winbits)
    for choice in found[:-1]:
        if choice.name == KERNELS_OWN:
            raise InvalidValueError(f"{KERNELS_OWN!r} is always there, so nothing can follow it")
    if found and found[-1].name == KERNELS_OWN and str(found[-1]) != KERNELS_OWN:
        raise InvalidValueError(f"{KERNELS_OWN!r} takes no parameters, name the algorithm")
    return tuple(found)


def kernels_own_will_do(algorithms: tuple[Algorithm, ...]) -> bool:
    """Whether a kernel that has none of these may use its own default."""
    if not algorithms or " ".join(map(str, algorithms)) == DEFAULT_ALGORITHMS:
        return True
    return any(choice.name == KERNELS_OWN for choice in algorithms)


def wrong_level(choice: Algorithm) -> str:
    """Say what is wrong with a level; kernels up to 7.2 silently use another one."""
    if choice.level is None or choice.name not in ALGORITHMS:
        return ""
    if choice.name not in LEVELS:
        return f"{choice.name} has no levels"
    low, high = LEVELS[choice.name]
    if low <= choice.level <= high:
        return ""
    return f"{choice.name} has no level {choice.level}, only {low} to {high}"


def params_of(words: list[str]) -> dict[str, Any]:
    """Parse ``level=3 dict=/path deflate.winbits=-12``; the kernel ignores unknown parameters."""
    found = parse_params(words)
    check_winbits(found["winbits"])
    return found


def check_winbits(winbits: int | None) -> None:
    """Refuse a window size that zlib does not have."""
    if winbits is not None and not 9 <= abs(winbits) <= 15:
        why = "neither -15 to -9 nor, with a zlib header, 9 to 15"
        raise InvalidValueError(f"'deflate.winbits={winbits}': {why}")
