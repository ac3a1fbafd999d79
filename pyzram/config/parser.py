# SPDX-License-Identifier: MIT
"""The configuration, ``/etc/conf.d/zram``: what devices are asked for.

Shell syntax (:mod:`pyzram.config.shell_assignments`) with the historic variables and their
meaning, extended per device. The same file means the same on OpenRC, on systemd and on the command
line. Everything that is wrong with a file is reported at once, with its line, before anything is
changed.
"""

from __future__ import annotations

import errno
import os
from stat import S_ISBLK, S_ISFIFO, S_ISSOCK

from ..errors import InvalidValueError, from_errno
from ..kernel.opened import resolve
from ..units import DIGITS_MAX, format_size, parse_size
from .device_config import DEFAULT_FSTYPE, DEFAULT_PRIORITY, Choice, DeviceConfig
from .shell_assignments import read_assignments
from .size_expression import evaluate_size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

DEFAULT_PATH = "/etc/conf.d/zram"
DEFAULT_SIZE = "min(ram/2, 4G)"
ID_MAX = 0xFFFFFFFE
ID_DIGITS_MAX = 10
# zram is for those who want more memory for some of their CPU, so the densest comes first. Where
# the latency of a page fault matters more, name lz4 or lzo-rle first: faster, but less dense.
DEFAULT_ALGORITHMS = "zstd lz4 lzo-rle lzo"
ALGORITHMS = ("lzo", "lzo-rle", "lz4", "lz4hc", "zstd", "deflate", "842")
# A journal protects from a power cut, which takes all of a zram device anyway.
DEFAULT_MKFS_OPTIONS = {"ext4": ("-O", "^has_journal", "-m", "0"), "ext2": ("-m", "0")}
STICKY = ("/tmp", "/var/tmp")

PRIORITY_MAX = 32767
MAX_DEVICES = 256
MAX_SECONDARIES = 3
LABEL_MAX = 16
# The kernel takes this much for each page of disksize at once, whether it is used or not.
TABLE_BYTES_PER_PAGE = 16
PAGE_SIZE = os.sysconf("SC_PAGE_SIZE")
MIN_PAGES = 10  # mkswap's minimum

DISCARD = ("none", "once", "pages", "both")


class ConfigError(InvalidValueError):
    """The file cannot be taken; :attr:`problems` has all reasons, one line each."""

    def __init__(self, problems: list[str], warnings: Sequence[str] = ()) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems
        self.warnings = list(warnings)
        """What alone would have been taken, but looks wrong too."""


class Config:
    """A whole file."""

    __slots__ = (
        "devices",
        "load_on_start",
        "path",
        "tend",
        "tend_budget",
        "unload_on_stop",
        "warnings",
    )

    def __init__(self, path: str) -> None:
        self.path = path
        self.load_on_start = True
        self.tend = True
        """Whether pyzram tend may do anything."""
        self.tend_budget: int | None = None
        """Bytes to a medium in any 24 hours; ``None`` leaves it to the medium."""
        self.unload_on_stop = False
        self.devices: tuple[DeviceConfig, ...] = ()
        self.warnings: list[str] = []


def read_config(path: str, *, ram: int, cpus: int) -> Config:
    """Read a configuration file; without one at :data:`DEFAULT_PATH` the defaults apply.

    Raises:
        ZramOSError: the file cannot be read.
        ConfigError: something in it is wrong.
    """
    missing = False
    try:
        text = _read(path)
    except OSError as err:
        # As OpenRC takes a service without its conf.d file. Any other path was meant to be there.
        missing = err.errno == errno.ENOENT and path == DEFAULT_PATH
        if not missing:
            raise from_errno(err.errno or 0, f"{path}: read the configuration", path) from err
        text = ""
    config = parse_config(text, path, ram=ram, cpus=cpus, here=True)
    if missing:
        config.warnings.append(f"{path}: there is no such file, the defaults apply")
    return config


def _read(path: str) -> str:
    """Read a file, or another that ends: a pipe without a writer must not hold a boot up."""
    with open(
        os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC),
        encoding="utf-8",
        errors="surrogateescape",
        newline="",
    ) as file:
        mode = os.fstat(file.fileno()).st_mode
        if S_ISFIFO(mode) or S_ISSOCK(mode) or S_ISBLK(mode):
            raise OSError(errno.EINVAL, "not a file", path)
        return file.read()


def parse_config(
    text: str,
    path: str = DEFAULT_PATH,
    *,
    ram: int,
    cpus: int,
    here: bool = False,
) -> Config:
    """Turn a file's text into desired; ``ram`` in bytes is what ``%`` and ``ram`` mean.

    ``here`` says that it is for this machine: links are followed, and owners must exist.

    Raises:
        ConfigError: something in it is wrong; says everything that is.
    """
    return _Parser(path, ram, cpus, here).parse(text)


class _Parser:
    def __init__(self, path: str, ram: int, cpus: int, here: bool) -> None:
        self.config = Config(path)
        self.ram = ram
        self.cpus = cpus
        self.here = here
        self.resolve = resolve if here else os.path.normpath
        self.problems: list[tuple[int, str]] = []
        self.globals: dict[str, tuple[int, Any]] = {}
        self.devices: dict[int, dict[str, tuple[int, Any]]] = {}

    def parse(self, text: str) -> Config:
        found, refused = read_assignments(self.plain(text))
        self.problems += [(problem.line, problem.reason) for problem in refused]
        lines: dict[str, int] = {}
        for entry in found:
            if entry.name in lines:
                self.warn(entry.line, f"{entry.name}: overrides line {lines[entry.name]}")
            lines[entry.name] = entry.line
            try:
                self.assign(entry.line, entry.name, entry.value)
            except InvalidValueError as err:
                self.problems.append((entry.line, f"{entry.name}: {err}"))
        count = self.count()
        self.config.load_on_start = self.setting("LOAD_ON_START", True)
        self.config.tend = self.setting("TEND", True)
        self.config.tend_budget = self.setting("TEND_BUDGET", None)
        self.config.unload_on_stop = self.setting("UNLOAD_ON_STOP", False)
        self.config.devices = tuple(self.desired(index, count) for index in range(count))
        points = [desired.mount_point for desired in self.config.devices if desired.mount_point]
        for point in _repeated(points):
            self.problems.append((0, f"two devices are to be mounted on {point}"))
        backing = [
            self.resolve(desired.backing_dev)
            for desired in self.config.devices
            if desired.backing_dev
        ]
        for path in _repeated(backing):
            self.problems.append((0, f"two devices are to write back to {path}"))
        if self.problems:
            problems = [self.place(line) + reason for line, reason in sorted(self.problems)]
            raise ConfigError(problems, self.config.warnings)
        return self.config

    def plain(self, text: str) -> str:
        """Return the text as it was meant, and say what a shell would stumble over."""
        if "\0" in text:
            raise ConfigError([f"{self.place(0)}it holds NUL bytes, so it is not text in UTF-8"])
        if text.startswith("\ufeff"):
            self.problems.append((1, "begins with a byte order mark: save it without one"))
            text = text[1:]
        if "\r\n" in text:
            line = text[: text.index("\r\n")].count("\n") + 1
            self.warn(line, "lines end in CR LF, which OpenRC's shell does not take")
            text = text.replace("\r\n", "\n")
        return text

    def warn(self, line: int, reason: str) -> None:
        self.config.warnings.append(self.place(line) + reason)

    def place(self, line: int) -> str:
        return f"{self.config.path}:{line}: " if line else f"{self.config.path}: "

    def setting(self, name: str, default: Any) -> Any:
        return self.globals.get(name, (0, default))[1]

    def assign(self, line: int, name: str, value: str) -> None:
        """Take one variable."""
        if name.startswith(("rc_", "RC_")):
            return  # OpenRC's own, such as rc_need
        # Empty means unset, as it does to a shell's ${NAME:-default}.
        if name in GLOBALS:
            self.globals.pop(name, None)
            if value.strip():
                self.globals[name] = line, GLOBALS[name](self, value)
            return
        stem, _, digits = name.rpartition("_")
        if stem in PER_DEVICE and digits.isascii() and digits.isdigit():
            index = int(digits) if len(digits) <= DIGITS_MAX else MAX_DEVICES
            if index >= MAX_DEVICES or str(index) != digits:
                raise InvalidValueError(f"devices are numbered 0 to {MAX_DEVICES - 1}")
            settings = self.devices.setdefault(index, {})
            settings.pop(stem, None)
            if value.strip():
                settings[stem] = line, PER_DEVICE[stem](self, value)
            return
        raise InvalidValueError(f"no such variable{suggestion(name)}")

    def count(self) -> int:
        highest = max((index for index, set_ in self.devices.items() if set_), default=0) + 1
        if "NUM_DEVICES" not in self.globals:
            return highest
        line, count = self.globals["NUM_DEVICES"]
        if count < highest and (count or any(self.devices.values())):
            self.warn(
                line,
                f"NUM_DEVICES is {count}, what is set for devices from {count} up is not used",
            )
        return int(count)

    def desired(self, index: int, count: int) -> DeviceConfig:
        settings = self.devices.get(index, {})

        def get(stem: str, default: Any = None) -> Any:
            return settings.get(stem, (0, default))[1]

        def line_of(stem: str) -> int:
            return settings.get(stem, (0, None))[0]

        swapon: dict[str, Any] = self.setting("SWAPON_OPTS", {})
        desired = DeviceConfig(index, get("ZRAM_SIZE", 0) or self.default_size(count))
        desired.algorithms = get("ZRAM_ALGORITHM") or _choices(DEFAULT_ALGORITHMS)
        for stem in ("ZRAM_ALGORITHM", "ZRAM_RECOMP_ALGORITHM"):
            for choice in get(stem, ()):
                if choice.name not in ALGORITHMS:
                    # No error: up to 6.11 it could be any of the kernel's crypto modules.
                    self.warn(
                        line_of(stem),
                        f"{stem}_{index}: no zram is known to have {choice.name!r}"
                        + _meant(choice.name.lower(), ALGORITHMS),
                    )
        if params := get("ZRAM_PARAMS"):
            # Levels mean something else to each algorithm, so they belong to the first alone.
            desired.algorithms = (
                Choice(desired.algorithms[0].name, *params),
                *desired.algorithms[1:],
            )
        desired.recompression = get("ZRAM_RECOMP_ALGORITHM", ())
        stems = ("ZRAM_ALGORITHM", "ZRAM_PARAMS", "ZRAM_RECOMP_ALGORITHM")
        given = (get(stems[0], ()), desired.algorithms[:1] if params else (), desired.recompression)
        for stem, choices in zip(stems, given, strict=True):
            for choice in choices:
                if why := _wrong_level(choice):
                    self.problems.append((line_of(stem), f"{stem}_{index}: {why}"))
        desired.mem_limit = get("ZRAM_MEM_LIMIT", 0)
        desired.priority = get("ZRAM_PRIORITY", swapon.get("priority", DEFAULT_PRIORITY))
        desired.label = get("ZRAM_LABEL")
        desired.backing_dev = get("ZRAM_BACKING_DEV")
        desired.writeback_limit = get("ZRAM_WRITEBACK_LIMIT")
        point = get("ZRAM_MOUNT")
        # As the kernel will tell it back.
        desired.mount_point = self.resolve(point) if point else None
        desired.fstype = get("ZRAM_FSTYPE", DEFAULT_FSTYPE)
        desired.mkfs_options = get("ZRAM_MKFS_OPTS", DEFAULT_MKFS_OPTIONS.get(desired.fstype, ()))
        desired.mount_options = get("ZRAM_MOUNT_OPTS", "")
        desired.mode = get("ZRAM_MODE", 0o1777 if point in STICKY else None)
        desired.owner = get("ZRAM_OWNER")
        # A file system's freed blocks stay stored until they are discarded; swap tells anyway.
        default_discard = swapon.get("discard", "none") if desired.is_swap else "both"
        desired.discard = get("ZRAM_DISCARD", default_discard)

        for stem in FILE_SYSTEM_ONLY if desired.is_swap else SWAP_ONLY:
            if stem in settings:
                why = f"needs ZRAM_MOUNT_{index}" if desired.is_swap else "is for swap only"
                self.problems.append((line_of(stem), f"{stem}_{index}: {why}"))
        if not desired.is_swap and desired.discard not in ("none", "both"):
            self.problems.append(
                (line_of("ZRAM_DISCARD"), f"ZRAM_DISCARD_{index}: yes or no for a file system")
            )
        if desired.writeback_limit is not None and not desired.backing_dev:
            self.problems.append(
                (
                    line_of("ZRAM_WRITEBACK_LIMIT"),
                    f"ZRAM_WRITEBACK_LIMIT_{index}: needs ZRAM_BACKING_DEV_{index}",
                )
            )
        return desired

    def default_size(self, count: int) -> int:
        return _page_up(max(self.size(DEFAULT_SIZE) // max(count, 1), MIN_PAGES * PAGE_SIZE))

    # ---- values --------------------------------------------------------------------------------

    def size(self, text: str) -> int:
        return evaluate_size(text, ram=self.ram, cpus=self.cpus)

    def disksize(self, text: str) -> int:
        size = self.size(text)
        if size < MIN_PAGES * PAGE_SIZE:
            raise InvalidValueError(
                f"{text!r} is {size} bytes, too small for a device ({_bare_number(text)})"
            )
        table = size // PAGE_SIZE * TABLE_BYTES_PER_PAGE
        if table > self.ram // 2:
            raise InvalidValueError(
                f"{text!r} is {format_size(size)}: the kernel would take {format_size(table)} of "
                f"this machine's {format_size(self.ram)} at once, for the table alone"
            )
        return _page_up(size)

    def mem_limit(self, text: str) -> int:
        return _page_up(self.size(text))

    def plain_size(self, text: str) -> int:
        return parse_size(text)

    def yes_no(self, text: str) -> bool:
        return _yes_no(text)

    def devices_count(self, text: str) -> int:
        return _whole(text, 0, MAX_DEVICES)

    def swapon_options(self, text: str) -> dict[str, Any]:
        return _swapon_options(text)

    def choices(self, text: str) -> tuple[Choice, ...]:
        return _choices(text)

    def secondaries(self, text: str) -> tuple[Choice, ...]:
        choices = _choices(text)
        if len(choices) > MAX_SECONDARIES:
            raise InvalidValueError(f"more than {MAX_SECONDARIES} algorithms")
        return choices

    def params(self, text: str) -> tuple[int | None, str | None, int | None]:
        return _params(text.split())

    def priority(self, text: str) -> int:
        return _whole(text, -1, PRIORITY_MAX)

    def discard(self, text: str) -> str:
        word = text.strip().lower()
        if word in DISCARD:
            return word
        return "both" if _yes_no(word, f", or one of {' '.join(DISCARD)}") else "none"

    def label(self, text: str) -> str:
        if len(os.fsencode(text)) > LABEL_MAX or not text.isprintable():
            raise InvalidValueError(f"{text!r} is no label: at most {LABEL_MAX} printable bytes")
        return text

    def path(self, text: str) -> str:
        if not os.path.isabs(text) or not text.isprintable():
            raise InvalidValueError(f"{text!r} is no absolute path")
        # Two leading slashes are the one thing that normpath keeps.
        return os.path.normpath("/" + text.lstrip("/"))

    def writeback_limit(self, text: str) -> int:
        return self.size(text) // 4096

    def word(self, text: str) -> str:
        if not all(char.isalnum() or char in "-_." for char in text) or text.startswith("-"):
            raise InvalidValueError(f"{text!r} is no name")
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
        # int() alone also takes 0o17, 1_7 and +7.
        if len(word) > 5 or word.strip("01234567") or int(word, 8) > 0o7777:
            raise InvalidValueError(f"{text!r} is no mode such as 1777")
        return int(word, 8)

    def owner(self, text: str) -> str:
        word = text.strip()
        wrong = not word.isprintable() or any(char in " ," for char in word)
        if wrong or word.count(":") > 1:
            raise InvalidValueError(f"{text!r} is no owner such as user:group")
        if self.here:
            owner_ids(word)
        return word


def owner_ids(text: str) -> tuple[int, int]:
    """Turn ``user:group``, by name or number, into ids; -1 leaves one as it is.

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
    """Turn digits into a user's or group's number: 32 bits, of which all ones mean none."""
    if len(digits) > ID_DIGITS_MAX or int(digits) > ID_MAX:
        shown = digits if len(digits) <= 20 else f"{digits[:20]}..."
        raise InvalidValueError(f"{shown} is no number of a user or group (0 to {ID_MAX})")
    return int(digits)


def _bare_number(text: str) -> str:
    """Say what a number without a suffix is: what most sizes that are too small come from."""
    if text.strip().replace(".", "", 1).isalnum():
        return "a bare number is KiB"
    return "within an expression a bare number is bytes: give it a suffix such as M"


def _repeated(paths: list[str]) -> list[str]:
    return sorted({path for path in paths if paths.count(path) > 1})


def _page_up(size: int) -> int:
    """Round as the kernel does, so that what it tells back compares equal."""
    return -(-size // PAGE_SIZE) * PAGE_SIZE


def _yes_no(text: str, more: str = "") -> bool:
    word = text.strip().lower()
    if word in ("yes", "true", "on", "1"):
        return True
    if word in ("no", "false", "off", "0"):
        return False
    raise InvalidValueError(f"{text!r} is neither yes nor no{more}")


def _whole(text: str, lowest: int, highest: int) -> int:
    word = text.strip()
    digits = word.removeprefix("-")
    number = digits.isascii() and digits.isdigit() and len(digits) <= DIGITS_MAX
    if not number or not lowest <= int(word) <= highest:
        raise InvalidValueError(f"{text!r} is no whole number from {lowest} to {highest}")
    return int(word)


def _swapon_options(text: str) -> dict[str, Any]:
    """Take the options of swapon(8) that say how to swap: priority and discard."""
    options: dict[str, Any] = {}
    words = text.replace("=", " ").split()
    while words:
        word = words.pop(0)
        if word in ("-p", "--priority") and words:
            options["priority"] = _whole(words.pop(0), -1, PRIORITY_MAX)
        elif word.startswith("-p") and word[2:].isdigit():
            options["priority"] = _whole(word[2:], -1, PRIORITY_MAX)
        elif word in ("-d", "--discard"):
            options["discard"] = words.pop(0) if words and words[0] in DISCARD else "both"
        else:
            raise InvalidValueError(
                f"{word!r} cannot be taken, only -p PRIORITY and --discard[=POLICY]"
            )
    return options


def _choices(text: str) -> tuple[Choice, ...]:
    """Take a list such as ``zstd(level=3) lz4``."""
    choices = []
    for word in text.replace(", ", ",").split():
        name, bracket, rest = word.partition("(")
        if not name or not all(char.isalnum() or char in "-_" for char in name):
            raise InvalidValueError(
                f"{word!r}: not a valid algorithm name (separate names by blanks)"
            )
        if bracket and not rest.endswith(")"):
            raise InvalidValueError(f"{word!r}: the ( is never closed")
        choices.append(Choice(name, *_params(rest[:-1].split(",") if bracket else [])))
    return tuple(choices)


def _wrong_level(choice: Choice) -> str:
    """Say what is wrong with a level; kernels up to 7.2 take another without a word."""
    if choice.level is None or choice.name not in ALGORITHMS:
        return ""
    from .._native import codec_levels

    try:
        low, high = codec_levels(choice.name)
    except OSError:
        return f"{choice.name} has no levels"
    if low <= choice.level <= high:
        return ""
    return f"{choice.name} has no level {choice.level}, only {low} to {high}"


def _params(words: list[str]) -> tuple[int | None, str | None, int | None]:
    """Take ``level=3 dict=/path deflate.winbits=-12``; the kernel ignores what it does not know."""
    level = dictionary = winbits = None
    for word in filter(None, words):
        key, _, value = word.partition("=")
        if key == "level":
            level = _whole(value, -(1 << 31), (1 << 31) - 1)
        elif key == "deflate.winbits":
            winbits = _whole(value, -15, 15)
            if abs(winbits) < 9:
                raise InvalidValueError(f"{word!r}: -15 to -9, or 9 to 15 with a zlib header")
        elif key == "dict":
            if not os.path.isabs(value) or '"' in value:
                raise InvalidValueError(f"dictionary {value!r} is no absolute path")
            dictionary = value
        else:
            raise InvalidValueError(f"{word!r}: parameters are level=, dict= and deflate.winbits=")
    return level, dictionary, winbits


GLOBALS: dict[str, Callable[[_Parser, str], Any]] = {
    "LOAD_ON_START": _Parser.yes_no,
    "TEND": _Parser.yes_no,
    "TEND_BUDGET": _Parser.plain_size,
    "UNLOAD_ON_STOP": _Parser.yes_no,
    "NUM_DEVICES": _Parser.devices_count,
    "SWAPON_OPTS": _Parser.swapon_options,
}
PER_DEVICE: dict[str, Callable[[_Parser, str], Any]] = {
    "ZRAM_SIZE": _Parser.disksize,
    "ZRAM_ALGORITHM": _Parser.choices,
    "ZRAM_PARAMS": _Parser.params,
    "ZRAM_RECOMP_ALGORITHM": _Parser.secondaries,
    "ZRAM_MEM_LIMIT": _Parser.mem_limit,
    "ZRAM_PRIORITY": _Parser.priority,
    "ZRAM_DISCARD": _Parser.discard,
    "ZRAM_LABEL": _Parser.label,
    "ZRAM_BACKING_DEV": _Parser.path,
    "ZRAM_WRITEBACK_LIMIT": _Parser.writeback_limit,
    "ZRAM_MOUNT": _Parser.path,
    "ZRAM_FSTYPE": _Parser.word,
    "ZRAM_MKFS_OPTS": _Parser.words,
    "ZRAM_MOUNT_OPTS": _Parser.mount_options,
    "ZRAM_MODE": _Parser.mode,
    "ZRAM_OWNER": _Parser.owner,
}
FILE_SYSTEM_ONLY = ("ZRAM_FSTYPE", "ZRAM_MKFS_OPTS", "ZRAM_MOUNT_OPTS", "ZRAM_MODE", "ZRAM_OWNER")
SWAP_ONLY = ("ZRAM_PRIORITY",)


def suggestion(name: str) -> str:
    """Say what an unknown variable may have been meant for, or nothing."""
    if name in PER_DEVICE:
        return f" (did you mean {name}_0?)"
    if name.rstrip("0123456789") in ("type", "size", "mlim", "algo", "flag", "back"):
        return " (this looks like zram-init's file: pyzram import translates it)"
    digits = name.rpartition("_")[2]
    tail = f"_{digits}" if digits.isdigit() else "_0"
    return _meant(name.upper(), [*GLOBALS, *(key + tail for key in PER_DEVICE)])


def _meant(word: str, known: Sequence[str]) -> str:
    import difflib

    close = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return f" (did you mean {close[0]}?)" if close else ""
