# SPDX-License-Identifier: MIT
"""The configuration, ``/etc/conf.d/zram`` and its drop-ins: which devices they ask for.

The files have shell syntax (:mod:`pyzram.config.shell_assignments`) with the historic variables and
their meaning, extended per device. They mean the same on OpenRC, on systemd and on the command
line. Everything that is wrong with them is reported at once, with its line, before anything is
changed.
"""

from __future__ import annotations

import os

from ..algorithm import Algorithm
from ..errors import InvalidValueError
from ..limits import PAGE_SIZE, page_up
from ..text import short
from ..units import DIGITS_MAX, MIB, format_size
from .config import Config, ConfigError
from .consistency import collisions, contradictions, doubts, doubts_of_all
from .device_config import DEFAULT_FSTYPE, DeviceConfig
from .layers import DEFAULT_PATH, read_layers
from .shell_assignments import read_assignments
from .values import (
    ALGORITHMS,
    DEFAULT_ALGORITHMS,
    DEFAULT_MKFS_OPTIONS,
    DEFAULT_SIZE,
    KERNELS_OWN,
    MAX_DEVICES,
    MIN_PAGES,
    STICKY,
    Values,
    algorithms_of,
    wrong_level,
)
from .variables import GLOBALS, PER_DEVICE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from .layers import Layer

    Place = tuple[int, int]  # number of the file and of its line; line 0 is the whole file

NOWHERE = (-1, 0)


def read_config(path: str, *, ram: int) -> Config:
    """Read this machine's configuration file and drop-ins (:mod:`pyzram.config.layers`).

    Raises:
        ZramOSError: a file cannot be read.
        ConfigError: something in it is wrong.
    """
    layers, missing = read_layers(path)
    config = parse_layers(layers, path, ram=ram)
    if missing:
        none = f"{path}: there is no such file, the defaults apply"
        config = config.replace(warnings=(*config.warnings, none))
    return config


def parse_layers(layers: Sequence[Layer], path: str, *, ram: int) -> Config:
    """Turn the files found by :func:`~pyzram.config.layers.read_layers` into what they ask for.

    Raises:
        ConfigError: something in them is wrong.
    """
    return _Parser(path, Values(ram, None, True)).parse(layers)


def parse_config(
    text: str,
    path: str = DEFAULT_PATH,
    *,
    ram: int,
    cpus: int,
    here: bool = False,
) -> Config:
    """Turn a file's text into what it asks for; ``%`` and ``ram`` refer to ``ram`` bytes.

    With ``here`` the file is for this machine: links are followed, and owners must exist.

    Raises:
        ConfigError: something in it is wrong; the message has every problem.
    """
    return _Parser(path, Values(ram, cpus, here)).parse([(path, text)])


class _Parser:
    def __init__(self, path: str, values: Values) -> None:
        self.path = os.fspath(path)
        self.sources: dict[str, str] = {}
        self.texts: dict[str, str] = {}
        self.warnings: list[str] = []
        self.values = values
        self.paths: list[str] = []
        self.problems: list[tuple[Place, str]] = []
        self.globals: dict[str, tuple[Place, Any]] = {}
        self.devices: dict[int, dict[str, tuple[Place, Any]]] = {}

    def resolve(self, path: str) -> str:
        """Make equal what names the same file: of this machine only links that root made."""
        if not self.values.here:
            return os.path.normpath(path)
        from ..safe_paths import resolve  # most files have nothing but swap

        return resolve(path)

    def parse(self, layers: Sequence[Layer]) -> Config:
        for number, (path, text) in enumerate(layers):
            self.paths.append(path)
            self.read(number, text)
        count = self.count()
        devices = tuple(filter(None, (self.desired(index, count) for index in range(count))))
        self.problems += [(NOWHERE, why) for why in collisions(devices, self.resolve)]
        for why in doubts_of_all(devices, self.values.ram):
            self.warn(NOWHERE, why)
        if self.problems:
            problems = [self.where(place) + reason for place, reason in sorted(self.problems)]
            raise ConfigError(problems, self.warnings)
        return Config(
            self.path,
            devices,
            sources=self.sources,
            texts=self.texts,
            warnings=tuple(self.warnings),
            **{
                row.field: self.globals[name][1]
                for name, row in GLOBALS.items()
                if row.field and name in self.globals
            },
        )

    def read(self, number: int, text: str) -> None:
        """Take one file, which overrides earlier ones."""
        found, refused = read_assignments(self.cleaned(number, text))
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

    def cleaned(self, number: int, text: str) -> str:
        """Return the text without a byte order mark and CRs; report what would trip up a shell."""
        if "\0" in text:
            place = self.where((number, 0))
            raise ConfigError([f"{place}it has NUL bytes, so it is not UTF-8 text"])
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

    def setting(self, name: str, default: Any = None) -> Any:
        return self.globals.get(name, (NOWHERE, default))[1]

    def assign(self, place: Place, name: str, value: str) -> None:
        """Take one variable."""
        if name.startswith(("rc_", "RC_")):
            return  # OpenRC's own variable, such as rc_need
        # Empty means unset, as in a shell's ${NAME:-default}.
        self.sources.pop(name, None)
        if name in GLOBALS:
            self.globals.pop(name, None)
            if value.strip():
                self.globals[name] = place, GLOBALS[name].take(self.values, value)
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
                settings[stem] = place, PER_DEVICE[stem].take(self.values, value)
                self.set_by(place, name, value)
            return
        from . import suggestion

        raise InvalidValueError(f"no such variable{suggestion.of_variable(name)}")

    def count(self) -> int:
        highest = max((index for index, set_ in self.devices.items() if set_), default=0) + 1
        if "NUM_DEVICES" not in self.globals:
            return highest
        place, count = self.globals["NUM_DEVICES"]
        if count < highest and (count or any(self.devices.values())):
            self.warn(
                place,
                f"NUM_DEVICES is {count}, so settings of devices from {count} up are not used",
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
        """Put one device together; ``None`` if this machine is to have none."""
        if self.left_out(index):
            return None
        set_ = self.devices.get(index, {})
        # What is not set has DeviceConfig's default, or one that depends on the other settings.
        asked = {
            row.field: set_[name][1]
            for name, row in PER_DEVICE.items()
            if row.field and name in set_
        }
        swapon: dict[str, Any] = self.setting("SWAPON_OPTS", {})
        point = asked.get("mount_point")
        if "disksize" not in asked:
            asked["disksize"] = self.default_size(count)
        asked["algorithms"], asked["recompression"] = self.algorithms(index)
        if "priority" in swapon:
            asked.setdefault("priority", swapon["priority"])
        # A file system's freed blocks stay stored until they are discarded; swap frees its slots
        # anyway.
        asked.setdefault("discard", "both" if point else swapon.get("discard", "none"))
        if point:
            asked["mount_point"] = self.resolve(point)  # as the kernel will report it
        fstype = asked.setdefault("fstype", DEFAULT_FSTYPE)
        asked.setdefault("mkfs_options", DEFAULT_MKFS_OPTIONS.get(fstype, ()))
        asked.setdefault("mode", 0o1777 if point in STICKY else None)
        desired = DeviceConfig(index, **asked)
        for name, why in contradictions(desired, set_):
            self.problem(index, name, why)
        for name, why in doubts(desired, set_, self.values.ram):
            self.warn(self.place(index, name), f"{name}_{index}: {why}")
        return desired

    def left_out(self, index: int) -> bool:
        """Whether the file wants no device with this number on this machine; if so, warn."""
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
        algorithms = self.get(index, "ZRAM_ALGORITHM") or algorithms_of(DEFAULT_ALGORITHMS)
        recompression = self.get(index, "ZRAM_RECOMP_ALGORITHM", ())
        for stem in ("ZRAM_ALGORITHM", "ZRAM_RECOMP_ALGORITHM"):
            for choice in self.get(index, stem, ()):
                if choice.name not in (*ALGORITHMS, KERNELS_OWN):
                    from .suggestion import nearest

                    # Not an error: up to 6.11 it could be any of the kernel's crypto modules.
                    self.warn(
                        self.place(index, stem),
                        f"{stem}_{index}: unknown zram algorithm {choice.name!r}"
                        + nearest(choice.name.lower(), ALGORITHMS),
                    )
        if params := self.get(index, "ZRAM_PARAMS"):
            # Levels mean something else for each algorithm, so they apply only to the first.
            first = algorithms[0].name
            if first == KERNELS_OWN:
                self.problem(
                    index, "ZRAM_PARAMS", f"needs an algorithm by name in ZRAM_ALGORITHM_{index}"
                )
            algorithms = (Algorithm(first, **params), *algorithms[1:])
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

    def default_size(self, count: int) -> int:
        size = self.values.size(DEFAULT_SIZE) // max(count, 1)
        return page_up(max(size, MIN_PAGES * PAGE_SIZE))
