# SPDX-License-Identifier: MIT
"""The configuration, ``/etc/conf.d/zram`` and its drop-ins: what devices are asked for.

Shell syntax (:mod:`pyzram.config.shell_assignments`) with the historic variables and their
meaning, extended per device. The same files mean the same on OpenRC, on systemd and on the command
line. Everything that is wrong with them is reported at once, with its line, before anything is
changed.
"""

from __future__ import annotations

import os

from ..errors import InvalidValueError
from ..kernel.opened import resolve
from ..limits import PAGE_SIZE, page_up
from ..text import short
from ..units import DIGITS_MAX, format_size, shortest_size
from ..value import FrozenDict, Value, as_tuple, documented
from .device_config import DEFAULT_FSTYPE, DEFAULT_PRIORITY, Choice, DeviceConfig
from .layers import DEFAULT_PATH, read_layers
from .shell_assignments import read_assignments
from .values import (
    ALGORITHMS,
    DEFAULT_ALGORITHMS,
    DEFAULT_MKFS_OPTIONS,
    DEFAULT_SIZE,
    FILE_SYSTEM_ONLY,
    GLOBALS,
    KERNELS_OWN,
    MAX_DEVICES,
    MIN_PAGES,
    MIN_SIZES,
    PER_DEVICE,
    STICKY,
    SWAP_ONLY,
    TESTED,
    Values,
    choices,
    label_max,
    wrong_level,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Mapping, Sequence
    from typing import Any, ClassVar

    from ..algorithm import Algorithm
    from .layers import Layer

    Place = tuple[int, int]  # which of the files, which of its lines; line 0 is the whole file

NOWHERE = (-1, 0)
MIB = 1 << 20
# More than data compress by, in a device that is full: with less memory than this part of its
# size, writes fail long before.
MEM_LIMIT_PART = 16
# Beyond this, even data that compress well fill the memory first.
SIZE_TIMES_RAM = 4
SIZES = (
    *("ZRAM_SIZE_", "ZRAM_MEM_LIMIT_", "ZRAM_HOST_MEMORY_LIMIT_", "ZRAM_WRITEBACK_LIMIT_"),
    "TEND_BUDGET",
)


@documented
class ConfigError(InvalidValueError):
    """The files cannot be taken; :attr:`problems` has all reasons, one line each."""

    def __init__(self, problems: list[str], warnings: Sequence[str] = ()) -> None:
        super().__init__("\n".join(problems))
        self.problems: list[str] = problems
        """Every reason, a line each, with its file and line."""
        self.warnings: list[str] = list(warnings)
        """What alone would have been taken, but looks wrong too."""


class Config(Value):
    """All that the files ask for."""

    _fields = (
        "path",
        "devices",
        "load_on_start",
        "unload_on_stop",
        "tend",
        "tend_budget",
        "tend_reclaim",
        "sources",
        "texts",
        "all_or_nothing",
        "warnings",
    )
    __slots__ = _fields
    _takes_back: ClassVar[dict[str, Callable[[Any], Any]]] = {
        "devices": lambda found: tuple(map(DeviceConfig.from_dict, found)),
        "warnings": tuple,
        "tend_reclaim": tuple,
    }

    path: str
    """The first of the files."""
    devices: tuple[DeviceConfig, ...]
    """In order of their numbers, which may have gaps: a device can be left out."""
    load_on_start: bool
    """Whether start loads the driver (``LOAD_ON_START``)."""
    unload_on_stop: bool
    """Whether stop unloads it (``UNLOAD_ON_STOP``)."""
    tend: bool
    """Whether pyzram tend may do anything (``TEND``)."""
    tend_budget: int | None
    """Bytes to a medium in any 24 hours (``TEND_BUDGET``); ``None`` leaves it to the medium."""
    tend_reclaim: tuple[str, ...]
    """Control groups whose idle memory pyzram tend sends to swap, as paths below the root
    (``TEND_RECLAIM``)."""
    sources: Mapping[str, str]
    """Variable to ``file:line`` of the value that counts; what is not there is the default."""
    texts: Mapping[str, str]
    """Variable to its value as it is written there."""
    all_or_nothing: bool
    """Whether a start undoes all devices when one fails (``ALL_OR_NOTHING``)."""
    warnings: tuple[str, ...]
    """What looks wrong, a line each."""

    def __init__(
        self,
        path: str,
        devices: Iterable[DeviceConfig] = (),
        load_on_start: bool = True,
        unload_on_stop: bool = False,
        tend: bool = True,
        tend_budget: int | None = None,
        tend_reclaim: Iterable[str] = (),
        sources: Mapping[str, str] = FrozenDict(),
        texts: Mapping[str, str] = FrozenDict(),
        all_or_nothing: bool = False,
        warnings: Iterable[str] = (),
    ) -> None:
        self._set(
            path,
            as_tuple("devices", devices),
            load_on_start,
            unload_on_stop,
            tend,
            tend_budget,
            as_tuple("tend_reclaim", tend_reclaim),
            FrozenDict(sources),
            FrozenDict(texts),
            all_or_nothing,
            as_tuple("warnings", warnings),
        )

    def _told(self, indexes: Container[int] | None = None) -> list[str]:
        """Return a line for each value that was set: what, and in which line of which file.

        A size is written as all that is printed: ``1G``, also where the file has ``1024M``.

        ``indexes`` are the devices to tell of, with what is for all devices; ``None`` for all.
        """
        lines = []
        for name, place in self.sources.items():
            digits = name.rpartition("_")[2]
            if indexes is None or not digits.isdigit() or int(digits) in indexes:
                text = self.texts.get(name, "")
                if name.startswith(SIZES):
                    text = shortest_size(text)
                lines.append(f"{name}={text} ({place})")
        return lines

    def device(self, index: int) -> DeviceConfig:
        """Return the device of a number.

        Raises:
            KeyError: the files ask for none.
        """
        for device in self.devices:
            if device.index == index:
                return device
        raise KeyError(index)


def read_config(path: str, *, ram: int, cpus: int) -> Config:
    """Read a configuration file and its drop-ins (:mod:`pyzram.config.layers`).

    Raises:
        ZramOSError: a file cannot be read.
        ConfigError: something in it is wrong.
    """
    layers, missing = read_layers(path)
    config = parse_layers(layers, path, ram=ram, cpus=cpus)
    if missing:
        none = f"{path}: there is no such file, the defaults apply"
        config = config.replace(warnings=(*config.warnings, none))
    return config


def parse_layers(layers: Sequence[Layer], path: str, *, ram: int, cpus: int) -> Config:
    """Turn the files that :func:`~pyzram.config.layers.read_layers` found into what they ask for.

    Raises:
        ConfigError: something in them is wrong.
    """
    return _Parser(path, Values(ram, cpus, True)).parse(layers)


def parse_config(
    text: str,
    path: str = DEFAULT_PATH,
    *,
    ram: int,
    cpus: int,
    here: bool = False,
) -> Config:
    """Turn a file's text into what it asks for; ``ram`` in bytes is what ``%`` and ``ram`` mean.

    ``here`` says that it is for this machine: links are followed, and owners must exist.

    Raises:
        ConfigError: something in it is wrong; says everything that is.
    """
    return _Parser(path, Values(ram, cpus, here)).parse([(path, text)])


class _Parser:
    def __init__(self, path: str, values: Values) -> None:
        self.path = path
        self.sources: dict[str, str] = {}
        self.texts: dict[str, str] = {}
        self.warnings: list[str] = []
        self.values = values
        self.resolve = resolve if values.here else os.path.normpath
        self.paths: list[str] = []
        self.problems: list[tuple[Place, str]] = []
        self.globals: dict[str, tuple[Place, Any]] = {}
        self.devices: dict[int, dict[str, tuple[Place, Any]]] = {}

    def parse(self, layers: Sequence[Layer]) -> Config:
        for number, (path, text) in enumerate(layers):
            self.paths.append(path)
            self.read(number, text)
        count = self.count()
        devices = tuple(filter(None, (self.desired(index, count) for index in range(count))))
        self.twice(devices)
        self.altogether(devices)
        if self.problems:
            problems = [self.where(place) + reason for place, reason in sorted(self.problems)]
            raise ConfigError(problems, self.warnings)
        return Config(
            self.path,
            devices,
            load_on_start=self.setting("LOAD_ON_START", True),
            unload_on_stop=self.setting("UNLOAD_ON_STOP", False),
            tend=self.setting("TEND", True),
            tend_budget=self.setting("TEND_BUDGET", None),
            tend_reclaim=self.setting("TEND_RECLAIM", ()),
            sources=self.sources,
            texts=self.texts,
            all_or_nothing=self.setting("ALL_OR_NOTHING", False),
            warnings=tuple(self.warnings),
        )

    def read(self, number: int, text: str) -> None:
        """Take one file; it overrides those before it."""
        found, refused = read_assignments(self.plain(number, text))
        self.problems += [((number, problem.line), problem.reason) for problem in refused]
        lines: dict[str, int] = {}
        for entry in found:
            place = number, entry.line
            if entry.name in lines:
                self.warn(place, f"{entry.name}: overrides line {lines[entry.name]}")
            lines[entry.name] = entry.line
            try:
                self.assign(place, entry.name, entry.value)
            except InvalidValueError as err:
                self.problems.append((place, f"{short(entry.name)}: {short(str(err))}"))

    def twice(self, devices: Sequence[DeviceConfig]) -> None:
        """Refuse what two devices cannot share."""
        points = [desired.mount_point for desired in devices if desired.mount_point]
        for point in _repeated(points):
            self.problems.append((NOWHERE, f"two devices are to be mounted on {point}"))
        backing = [self.resolve(desired.backing_dev) for desired in devices if desired.backing_dev]
        for path in _repeated(backing):
            self.problems.append((NOWHERE, f"two devices are to write back to {path}"))

    def altogether(self, devices: Sequence[DeviceConfig]) -> None:
        """Say where devices that are fine one by one are too much for the memory."""
        unlimited = [device.disksize for device in devices if not device.mem_limit]
        total, most = sum(unlimited), SIZE_TIMES_RAM * self.values.ram
        if len(unlimited) > 1 and total > most >= max(unlimited):
            self.warn(
                NOWHERE,
                f"devices of {format_size(total)} in all in {format_size(self.values.ram)} of "
                "memory: memory is full long before they are",
            )

    def plain(self, number: int, text: str) -> str:
        """Return the text as it was meant, and say what a shell would stumble over."""
        if "\0" in text:
            place = self.where((number, 0))
            raise ConfigError([f"{place}it holds NUL bytes, so it is not text in UTF-8"])
        if text.startswith("\ufeff"):
            self.problems.append(
                ((number, 1), "begins with a byte order mark: save it without one")
            )
            text = text[1:]
        if "\r\n" in text:
            line = text[: text.index("\r\n")].count("\n") + 1
            self.warn((number, line), "lines end in CR LF, which OpenRC's shell does not take")
            text = text.replace("\r\n", "\n")
        return text

    def warn(self, place: Place, reason: str) -> None:
        self.warnings.append(self.where(place) + reason)

    def where(self, place: Place) -> str:
        number, line = place
        path = self.paths[number] if number >= 0 else self.path
        return f"{path}:{line}: " if line else f"{path}: "

    def setting(self, name: str, default: Any) -> Any:
        return self.globals.get(name, (NOWHERE, default))[1]

    def assign(self, place: Place, name: str, value: str) -> None:
        """Take one variable."""
        if name.startswith(("rc_", "RC_")):
            return  # OpenRC's own, such as rc_need
        # Empty means unset, as it does to a shell's ${NAME:-default}.
        self.sources.pop(name, None)
        if name in GLOBALS:
            self.globals.pop(name, None)
            if value.strip():
                self.globals[name] = place, GLOBALS[name](self.values, value)
                self.set_by(place, name, value)
            return
        stem, _, digits = name.rpartition("_")
        if stem in PER_DEVICE and digits.isascii() and digits.isdigit():
            index = int(digits) if len(digits) <= DIGITS_MAX else MAX_DEVICES
            if index >= MAX_DEVICES or str(index) != digits:
                raise InvalidValueError(f"devices are numbered 0 to {MAX_DEVICES - 1}")
            settings = self.devices.setdefault(index, {})
            settings.pop(stem, None)
            if value.strip():
                settings[stem] = place, PER_DEVICE[stem](self.values, value)
                self.set_by(place, name, value)
            return
        raise InvalidValueError(f"no such variable{suggestion(name)}")

    def count(self) -> int:
        highest = max((index for index, set_ in self.devices.items() if set_), default=0) + 1
        if "NUM_DEVICES" not in self.globals:
            return highest
        place, count = self.globals["NUM_DEVICES"]
        if count < highest and (count or any(self.devices.values())):
            self.warn(
                place,
                f"NUM_DEVICES is {count}, what is set for devices from {count} up is not used",
            )
        return int(count)

    def set_by(self, place: Place, name: str, value: str) -> None:
        """Remember which line set a variable."""
        self.sources[name] = self.where(place)[:-2]
        self.texts[name] = value

    # ---- one device ----------------------------------------------------------------------------

    def get(self, index: int, stem: str, default: Any = None) -> Any:
        return self.devices.get(index, {}).get(stem, (NOWHERE, default))[1]

    def place(self, index: int, stem: str) -> Place:
        return self.devices.get(index, {}).get(stem, (NOWHERE, None))[0]

    def problem(self, index: int, stem: str, why: str) -> None:
        self.problems.append((self.place(index, stem), f"{stem}_{index}: {why}"))

    def desired(self, index: int, count: int) -> DeviceConfig | None:
        """Put one device together; ``None`` where there is to be none on this machine."""

        def get(stem: str, default: Any = None) -> Any:
            return self.get(index, stem, default)

        if self.left_out(index):
            return None
        swapon: dict[str, Any] = self.setting("SWAPON_OPTS", {})
        algorithms, recompression = self.algorithms(index)
        point = get("ZRAM_MOUNT")
        fstype = get("ZRAM_FSTYPE", DEFAULT_FSTYPE)
        # A file system's freed blocks stay stored until they are discarded; swap tells anyway.
        default_discard = "both" if point else swapon.get("discard", "none")
        desired = DeviceConfig(
            index,
            get("ZRAM_SIZE") or self.default_size(count),
            algorithms=algorithms,
            recompression=recompression,
            mem_limit=get("ZRAM_MEM_LIMIT", 0),
            priority=get("ZRAM_PRIORITY", swapon.get("priority", DEFAULT_PRIORITY)),
            discard=get("ZRAM_DISCARD", default_discard),
            label=get("ZRAM_LABEL"),
            backing_dev=get("ZRAM_BACKING_DEV"),
            writeback_limit=get("ZRAM_WRITEBACK_LIMIT"),
            # As the kernel will report it.
            mount_point=self.resolve(point) if point else None,
            fstype=fstype,
            mkfs_options=get("ZRAM_MKFS_OPTS", DEFAULT_MKFS_OPTIONS.get(fstype, ())),
            mount_options=get("ZRAM_MOUNT_OPTS", ""),
            mode=get("ZRAM_MODE", 0o1777 if point in STICKY else None),
            owner=get("ZRAM_OWNER"),
        )
        self.fits_together(desired)
        return desired

    def left_out(self, index: int) -> bool:
        """Whether the file asks for no device of this number on this machine, and say so."""
        limit = self.get(index, "ZRAM_HOST_MEMORY_LIMIT")
        why = ""
        if limit is not None and self.values.ram // MIB > limit // MIB:
            have = format_size(self.values.ram)
            stem, why = "ZRAM_HOST_MEMORY_LIMIT", f"this machine has {have} of memory"
        elif self.get(index, "ZRAM_SIZE") == 0:
            stem, why = "ZRAM_SIZE", "its size is 0"
        if why:
            self.warn(self.place(index, stem), f"{stem}_{index}: no such device here, {why}")
        return bool(why)

    def algorithms(self, index: int) -> tuple[tuple[Algorithm, ...], tuple[Algorithm, ...]]:
        """Return the algorithms of a device, and those of recompression."""
        algorithms = self.get(index, "ZRAM_ALGORITHM") or choices(DEFAULT_ALGORITHMS)
        recompression = self.get(index, "ZRAM_RECOMP_ALGORITHM", ())
        for stem in ("ZRAM_ALGORITHM", "ZRAM_RECOMP_ALGORITHM"):
            for choice in self.get(index, stem, ()):
                if choice.name not in (*ALGORITHMS, KERNELS_OWN):
                    # No error: up to 6.11 it could be any of the kernel's crypto modules.
                    self.warn(
                        self.place(index, stem),
                        f"{stem}_{index}: no zram is known to have {choice.name!r}"
                        + _meant(choice.name.lower(), ALGORITHMS),
                    )
        if params := self.get(index, "ZRAM_PARAMS"):
            # Levels mean something else to each algorithm, so they belong to the first alone.
            first = algorithms[0].name
            if first == KERNELS_OWN:
                self.problem(
                    index, "ZRAM_PARAMS", f"needs an algorithm by name in ZRAM_ALGORITHM_{index}"
                )
            algorithms = (Choice(first, *params), *algorithms[1:])
        given = {
            "ZRAM_ALGORITHM": self.get(index, "ZRAM_ALGORITHM", ()),
            "ZRAM_PARAMS": algorithms[:1] if params else (),
            "ZRAM_RECOMP_ALGORITHM": recompression,
        }
        for stem, entries in given.items():
            for choice in entries:
                if why := wrong_level(choice):
                    self.problem(index, stem, why)
        return algorithms, recompression

    def fits_together(self, desired: DeviceConfig) -> None:
        """Refuse values that contradict each other, and say which hardly make sense together."""
        index = desired.index
        settings = self.devices.get(index, {})
        for stem in FILE_SYSTEM_ONLY if desired.is_swap else SWAP_ONLY:
            if stem in settings:
                why = f"needs ZRAM_MOUNT_{index}" if desired.is_swap else "is for swap only"
                self.problem(index, stem, why)
        if not desired.is_swap and desired.discard not in ("none", "both"):
            self.problem(index, "ZRAM_DISCARD", "yes or no for a file system")
        if desired.writeback_limit is not None and not desired.backing_dev:
            self.problem(index, "ZRAM_WRITEBACK_LIMIT", f"needs ZRAM_BACKING_DEV_{index}")
        kind = "swap" if desired.is_swap else desired.fstype
        most = label_max(kind)
        if desired.label and len(os.fsencode(desired.label)) > most:
            self.problem(
                index, "ZRAM_LABEL", f"{desired.label!r} is too long: {kind} takes {most} bytes"
            )
        if not desired.is_swap:
            self.file_system(desired)
        if 0 < desired.mem_limit < desired.disksize // MEM_LIMIT_PART:
            self.warn(
                self.place(index, "ZRAM_MEM_LIMIT"),
                f"ZRAM_MEM_LIMIT_{index}: {format_size(desired.mem_limit)} for a device of "
                f"{format_size(desired.disksize)}: writes fail long before it is full",
            )
        elif not desired.mem_limit and desired.disksize > SIZE_TIMES_RAM * self.values.ram:
            self.warn(
                self.place(index, "ZRAM_SIZE"),
                f"ZRAM_SIZE_{index}: {format_size(desired.disksize)} in "
                f"{format_size(self.values.ram)} of memory: memory is full long before it is",
            )

    def file_system(self, desired: DeviceConfig) -> None:
        """Compare what mkfs is asked for with what it takes of zram."""
        index, fstype = desired.index, desired.fstype
        if fstype not in TESTED:
            self.warn(
                self.place(index, "ZRAM_FSTYPE"),
                f"ZRAM_FSTYPE_{index}: {fstype} is not tested with pyzram, only "
                f"{' '.join(TESTED)} are",
            )
        if self.get(index, "ZRAM_MKFS_OPTS"):
            self.blocks(desired)
        least = MIN_SIZES.get(fstype, 0)
        if desired.disksize < least:
            # No error: earlier versions of their programs took less.
            self.warn(
                self.place(index, "ZRAM_SIZE"),
                f"ZRAM_SIZE_{index}: {format_size(desired.disksize)}: mkfs.{fstype} takes "
                f"no less than {format_size(least)}",
            )

    def blocks(self, desired: DeviceConfig) -> None:
        """Compare the blocks that mkfs is asked for with those of zram and of the kernel."""
        from .block_size import OF_KERNEL, block_sizes

        index, fstype = desired.index, desired.fstype
        for option, block in block_sizes(fstype, desired.mkfs_options):
            if block < PAGE_SIZE:
                why = f"blocks of {block} bytes: zram has none smaller than {PAGE_SIZE}"
                self.problem(index, "ZRAM_MKFS_OPTS", why)
            elif block > PAGE_SIZE and option == OF_KERNEL.get(fstype):
                self.warn(
                    self.place(index, "ZRAM_MKFS_OPTS"),
                    f"ZRAM_MKFS_OPTS_{index}: blocks of {block} bytes: few kernels mount {fstype} "
                    f"with blocks larger than a page ({PAGE_SIZE})",
                )

    def default_size(self, count: int) -> int:
        size = self.values.size(DEFAULT_SIZE) // max(count, 1)
        return page_up(max(size, MIN_PAGES * PAGE_SIZE))


def _repeated(paths: list[str]) -> list[str]:
    return sorted({path for path in paths if paths.count(path) > 1})


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
