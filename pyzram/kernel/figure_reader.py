# SPDX-License-Identifier: MIT
"""All figures of a device as plain values under the kernel's names, for commands.

Unlike :mod:`pyzram.device.stat_files`, this loads neither an extension nor dataclasses, so a
command that prints a few lines is done before those would be imported. Each file is read at most
once, and only when one of its figures is asked for. Which figures there are is said in
:mod:`pyzram.kernel.figures`; a new one is added there, not here.
"""

from __future__ import annotations

import errno
import os

from ..errors import DeviceNotFoundError
from . import holders, parse
from .figures import BY_NAME, TEXT, of_file
from .sysfs import Sysfs, is_there, read_proc, read_text, readers_wait

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    from .blocked_reads import ForkedReader

    T = TypeVar("T")

# Reads of these never wait for a running writeback or recompression.
PROMPT = ("disksize", "stat", "dev")


def _int(key: str) -> Callable[[str], dict[str, Any]]:
    return lambda text: {key: int(text)}


def _word(key: str) -> Callable[[str], dict[str, Any]]:
    return lambda text: {key: text.removesuffix("\n")}


# From each file of a device to its parser. A file with a single figure has none: the figure's unit
# says whether it is a number.
PARSERS: dict[str, Callable[[str], dict[str, Any]]] = {
    "stat": parse.parse_block_stat,
    "mm_stat": parse.parse_mm_stat,
    "io_stat": parse.parse_io_stat,
    "bd_stat": parse.parse_bd_stat,
    "debug_stat": parse.parse_debug_stat,
    "comp_algorithm": lambda text: {"comp_algorithm": parse.parse_algorithms(text)[0]},
    "recomp_algorithm": lambda text: {"recomp_algorithm": parse.parse_recomp_algorithms(text)},
    "writeback_limit": _int("writeback_limit"),
    "writeback_limit_enable": _int("writeback_limit_enable"),
    "dev": _word("dev"),
}


def parser_of(file: str) -> Callable[[str], dict[str, Any]]:
    """Return the parser of a file of the device."""
    if file in PARSERS:
        return PARSERS[file]
    (name,) = of_file(file)
    return _word(name) if BY_NAME[name].unit == TEXT else _int(name)


SWAP = ("swap_size", "swap_used", "swap_priority")


class DeviceFigures(dict[str, "Any"]):
    """Figures of one device; ``None`` for figures that this kernel lacks or did not return.

    Keys are the names in :data:`~pyzram.kernel.figures.FIGURES` that are not derived, and
    ``mount_points``, ``dev`` and ``writeback_limit_enable``, which others are derived from.

    Synchronization: one thread at a time.
    """

    def __init__(self, reader: FigureReader, number: int) -> None:
        name = f"zram{number}"
        super().__init__(name=name)
        self._reader = reader
        self._troubles: list[str] = []
        self._waiting: list[str] = []
        self.path = reader.sysfs.block(name)
        if not is_there(self.path):
            why = f"{name}: {reader.sysfs._why_no_device()}"
            raise DeviceNotFoundError(errno.ENOENT, why, self.path)

    @property
    def waiting(self) -> bool:
        """Whether the kernel made a read wait, for a writeback or recompression."""
        return bool(self._waiting)

    @property
    def troubles(self) -> list[str]:
        """What could not be read, and why."""
        if not self._waiting:
            return self._troubles
        from .blocked_reads import COMMAND_SECONDS, WHY

        held = f"{', '.join(self._waiting)}: no answer within {COMMAND_SECONDS:g} s ({WHY})"
        return [*self._troubles, held]

    def __missing__(self, key: str) -> Any:
        if key in SWAP:
            area = (self._table("proc/swaps", self._reader.swaps) or {}).get(self["name"])
            values = (None,) * 3 if area is None else (area.size, area.used, area.priority)
            self.update(zip(SWAP, values, strict=True))
        elif key == "mount_points":
            points = self._table("proc/self/mountinfo", lambda: self._reader.mount_points(self))
            self[key] = points or []
        elif key == "bd_size":
            backing, sysfs = self["backing_dev"], self._reader.sysfs
            there = backing not in (None, "none")
            self[key] = holders.block_size(sysfs, backing) if there else None
        else:
            self._load(BY_NAME[key].source if key in BY_NAME else key)
        return self[key]

    def _table(self, path: str, read: Callable[[], T]) -> T | None:
        """Look into a table of the system; if it cannot be read, note that."""
        try:
            return read()
        except OSError as err:
            # Its parser may read another file too.
            where = (err.filename or path).removeprefix(self._reader.sysfs.root).lstrip("/")
            missing = err.errno == errno.ENOSYS  # all of /proc
            trouble = str(err) if missing else f"{where}: {os.strerror(err.errno or 0)}"
            if trouble not in self._troubles:
                self._troubles.append(trouble)
            return None

    def _load(self, file: str) -> None:
        try:
            text = self._reader.read(self, file)
            if text is not None:
                self.update(parser_of(file)(text))
                return
        except DeviceNotFoundError:
            raise
        except TimeoutError:
            self._waiting.append(file)
        except OSError as err:
            self._troubles.append(f"{file}: {err.strerror}")
        except ValueError:
            self._troubles.append(f"{file}: not in the format of a zram driver")
        self.update(dict.fromkeys(of_file(file) or (file,)))


class FigureReader:
    """What the readers of many devices share: the system's tables, and what this kernel lacks.

    Synchronization: one thread at a time.
    """

    def __init__(self, sysfs: Sysfs) -> None:
        self.sysfs = sysfs
        self._absent: set[str] = set()
        self._swaps: dict[str, parse.SwapArea] | None = None
        self._mounts: dict[str, list[str]] | None = None
        self._waits: bool | None = None
        self._forked: ForkedReader | None = None
        self._stuck: dict[str, ForkedReader] = {}
        # Files that the child has read, in this round and in the previous one.
        self._read: list[str] = []
        self._before: list[str] = []

    def refresh(self) -> None:
        """Forget the tables of the system, which change."""
        self._swaps = self._mounts = None
        # The same files will probably be read again, so the child is told in advance.
        self._before, self._read = self._read, []
        self._stuck = {name: child for name, child in self._stuck.items() if not child.ended()}
        if self._forked is not None and self._forked.asked:
            from .blocked_reads import COMMAND_SECONDS

            try:
                self._forked.drop(COMMAND_SECONDS)
            except TimeoutError:
                self._leave()

    def close(self) -> None:
        """End the child that reads, if there is one."""
        if self._forked is not None:
            self._forked.close()
            self._forked = None

    def read(self, device: DeviceFigures, file: str) -> str | None:
        """Read an attribute; ``None`` if this kernel has none with that name.

        Raises:
            DeviceNotFoundError: the device is gone.
            TimeoutError: the kernel keeps readers waiting.
            OSError: the kernel's error.
        """
        if file in self._absent:
            return None
        path = f"{device.path}/{file}"
        try:
            if file not in PROMPT and self._readers_wait(device):
                return self._read_patiently(device["name"], path)
            return read_text(path)
        except OSError as err:
            if err.errno not in (errno.ENOENT, errno.ENODEV):
                raise
            if not is_there(device.path):
                raise DeviceNotFoundError(
                    err.errno, f"{device['name']}: the device is gone", path
                ) from err
            self._absent.add(file)
            return None

    def swaps(self) -> dict[str, parse.SwapArea]:
        """Swap areas by the name of their device (/proc/swaps)."""
        if self._swaps is None:
            self._swaps = holders.swap_areas(self.sysfs)
        return self._swaps

    def mount_points(self, device: DeviceFigures) -> list[str]:
        """Where a device is mounted in this mount namespace (/proc/self/mountinfo)."""
        if self._mounts is None:
            text = read_proc(self.sysfs, "proc/self/mountinfo")
            table = parse.parse_mountinfo(text)
            mounts = holders.mounts_by_device(self.sysfs, table)
            # All zram devices have the same major number, and usually none of them is mounted.
            major = (device["dev"] or "").partition(":")[0] + ":"
            self._mounts = {
                dev: [mount.point for mount in at]
                for dev, at in mounts.items()
                if dev.startswith(major)
            }
        return self._mounts.get(device["dev"], []) if self._mounts else []

    def _readers_wait(self, device: DeviceFigures) -> bool:
        if self._waits is None:
            self._waits = readers_wait(device.path)
        return self._waits

    def _read_patiently(self, name: str, path: str) -> str:
        stuck = self._stuck.get(name)
        if stuck is not None:
            if not stuck.ended():
                raise TimeoutError
            del self._stuck[name]
        from . import blocked_reads

        while True:
            if self._forked is None:
                self._forked = blocked_reads.ForkedReader()
            asked = path in self._forked.asked
            then = [] if asked else self._ahead_of(path)
            try:
                text = self._forked.read(path, blocked_reads.COMMAND_SECONDS, then)
            except TimeoutError:
                if self._leave() == path:
                    raise
            else:
                break
        self._read.append(path)
        return text.decode("utf-8", "surrogateescape")

    def _ahead_of(self, path: str) -> list[str]:
        """What the last look read after this file.

        Nothing is requested in advance from a device that blocks a child: it would block another.
        """
        later = self._before[self._before.index(path) + 1 :] if path in self._before else ()
        return [ahead for ahead in later if _device_of(ahead) not in self._stuck]

    def _leave(self) -> str:
        """Leave the child behind with the file that it cannot read, and return which that is."""
        assert self._forked
        late = self._forked.asked[0]
        self._stuck[_device_of(late)] = self._forked
        self._forked.leave()
        self._forked = None
        return late


def _device_of(path: str) -> str:
    return os.path.basename(os.path.dirname(path))
