# SPDX-License-Identifier: MIT
"""Which devices are ours: a record in /run/pyzram that survives being killed at any point.

A device is known by its number together with ``diskseq``, which the kernel never gives out twice
while it runs: a number that somebody else has got meanwhile is not taken for ours.
"""

from __future__ import annotations

import errno
import os
import time

from .. import interruption
from ..errors import DeviceBusyError, ZramError, ZramOSError, from_errno
from ..kernel.sysfs import Sysfs, read_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Self

DEFAULT_DIRECTORY = "/run/pyzram"
LOCK_SECONDS = 90.0
ADDING_BYTES = 64  # an index, a blank and a number


class RegisteredDevice:
    """One device of ours."""

    __slots__ = ("diskseq", "index", "number", "ready", "settings")

    def __init__(self, index: int, number: int, diskseq: str, ready: bool = False) -> None:
        self.index = index
        self.number = number
        self.diskseq = diskseq
        self.ready = ready
        self.settings: dict[str, str] = {}
        """What was asked for and the kernel does not tell back."""


class Registry:
    """The record of one configuration file; as a context manager it holds the lock.

    Synchronization: the lock is shared by all configurations, since all add devices.
    """

    def __init__(
        self, config_path: str, *, directory: str = DEFAULT_DIRECTORY, sysfs: Sysfs | None = None
    ) -> None:
        self.sysfs = sysfs or Sysfs()
        self.directory = directory
        # As sysfs writes names that hold a slash.
        name = os.path.abspath(config_path).strip("/").replace("/", "!")
        self.path = f"{directory}/{name}"
        self.adding = f"{self.path}.adding"
        self.records: list[RegisteredDevice] = []
        self._lock = -1

    def __enter__(self) -> Self:
        try:
            os.makedirs(self.directory, mode=0o755, exist_ok=True)
            self._lock = os.open(
                f"{self.directory}/lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644
            )
        except OSError as err:
            remedy = "root only" if err.errno in (errno.EACCES, errno.EPERM) else ""
            raise from_errno(
                err.errno or 0, f"{self.directory}: keep the record", self.directory, remedy=remedy
            ) from err
        self._take_lock()
        self.load()
        return self

    def __exit__(self, *_exc: object) -> None:
        os.close(self._lock)
        self._lock = -1

    def _take_lock(self) -> None:
        from fcntl import LOCK_EX, LOCK_NB, flock

        deadline = time.monotonic() + LOCK_SECONDS
        pause = 0.005
        while True:
            try:
                flock(self._lock, LOCK_EX | LOCK_NB)
                return
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise DeviceBusyError(
                        errno.EBUSY,
                        f"{self.directory}/lock: another pyzram is still at work after "
                        f"{LOCK_SECONDS:g} s",
                        self.directory,
                    ) from None
            interruption.pause(pause)
            pause = min(pause * 2, 0.2)

    def load(self) -> None:
        """Read the record; what was recorded before a reboot, or is gone, does not count."""
        self.records = []
        lines = _lines(self.path)
        if lines and lines[0] == f"boot {self._boot()}":
            try:
                self._parse(lines[1:])
            except ValueError as err:
                # To guess which devices are ours would be worse than to do nothing.
                raise ZramError(
                    f"{self.path}: read the record: it is damaged (remove the file, and the "
                    "devices that it stood for with zramctl --reset)"
                ) from err
        self.records = [
            record for record in self.records if record.diskseq == self.diskseq(record.number)
        ]
        self._finish_adding()

    def read_elsewhere(self) -> dict[int, str]:
        """Return the devices of other configurations: number to the path of the file."""
        found: dict[int, str] = {}
        try:
            names = os.listdir(self.directory)
        except OSError:
            return found
        for name in names:
            if name == "lock" or name.endswith((".new", ".adding")):
                continue
            path = "/" + name.replace("!", "/")
            other = Registry(path, directory=self.directory, sysfs=self.sysfs)
            if other.path == self.path:
                continue
            try:
                other.load()
            except ZramError:
                continue  # damaged: its own commands say so
            found.update((record.number, path) for record in other.records)
        return found

    def _parse(self, lines: list[str]) -> None:
        for line in lines:
            if line.startswith(" ") and self.records:
                key, _, value = line[1:].partition(" ")
                self.records[-1].settings[key] = value
                continue
            word, index, number, diskseq, ready = line.split(" ")
            if word != "device" or ready not in ("ready", "begun"):
                raise ValueError(line)
            self.records.append(
                RegisteredDevice(int(index), int(number), diskseq, ready == "ready")
            )

    def _finish_adding(self) -> None:
        """Take up the device that was added just before a killed process could record it."""
        words = " ".join(_lines(self.adding)).split()
        if len(words) != 2 or not all(word.isascii() and word.isdigit() for word in words):
            return
        index, number = map(int, words)
        if any(record.number == number for record in self.records):
            return
        try:
            # Unlike initstate, this never waits for a writeback of whose device it may be.
            untouched = read_text(self.sysfs.block(f"zram{number}") + "/disksize").strip() == "0"
        except OSError:
            return
        if untouched:
            self.records.append(RegisteredDevice(index, number, self.diskseq(number)))

    def diskseq(self, number: int) -> str:
        """Return what tells this device from others that had or get its number; empty if gone."""
        directory = self.sysfs.block(f"zram{number}")
        try:
            return read_text(f"{directory}/diskseq").strip()
        except FileNotFoundError:
            # Before 5.15 only the number is known.
            return "-" if os.path.isdir(directory) else ""

    def save(self) -> None:
        """Write the record, at once or not at all."""
        lines = [f"boot {self._boot()}"]
        for record in self.records:
            ready = "ready" if record.ready else "begun"
            lines.append(f"device {record.index} {record.number} {record.diskseq} {ready}")
            lines += [f" {key} {value}" for key, value in record.settings.items() if value]
        temporary = f"{self.path}.new"
        try:
            with open(temporary, "w", encoding="utf-8", errors="surrogateescape") as file:
                file.write("\n".join(lines) + "\n")
            os.replace(temporary, self.path)
            # What was being added is in the record now; the number may be another's tomorrow.
            if os.path.exists(self.adding):
                os.unlink(self.adding)
        except OSError as err:
            raise self._unkept(err) from err

    def _unkept(self, err: OSError) -> ZramOSError:
        return from_errno(err.errno or 0, f"{self.path}: keep the record", self.path)

    def add_device(self, index: int, settings: dict[str, str]) -> RegisteredDevice:
        """Make a device (hot_add) and record it, with no moment in which it is unknown.

        ``settings`` is what it is meant to become.

        The kernel writes the number straight into a file of ours, within the very call that
        makes the device, so not even SIGKILL comes between the two.

        Raises:
            ZramOSError: what hot_add or the record's file gave.
        """
        control = f"{self.sysfs.control}/hot_add"
        try:
            flags = os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
            intent = os.open(self.adding, flags, 0o644)
        except OSError as err:
            raise self._unkept(err) from err
        try:
            try:
                os.write(intent, f"{index} ".ljust(ADDING_BYTES).encode())
            except OSError as err:
                raise self._unkept(err) from err
            try:
                hot_add = os.open(control, os.O_RDONLY | os.O_CLOEXEC)
            except OSError as err:
                raise from_errno(err.errno or 0, "add a zram device", control) from err
            try:
                _read_into(hot_add, intent, len(f"{index} "))
            except OSError as err:
                raise from_errno(err.errno or 0, "add a zram device", control) from err
            finally:
                os.close(hot_add)
            number = int(os.pread(intent, ADDING_BYTES, 0).split()[1])
        finally:
            os.close(intent)
        record = RegisteredDevice(index, number, self.diskseq(number))
        record.settings = settings
        self.records.append(record)
        self.save()
        return record

    def drop(self, number: int) -> None:
        """Forget a device that is gone."""
        self.records = [record for record in self.records if record.number != number]
        self.save()

    def record(self, number: int) -> RegisteredDevice:
        """Return the record of a device of ours."""
        return next(record for record in self.records if record.number == number)

    def _boot(self) -> str:
        try:
            return self.sysfs.read("proc/sys/kernel/random/boot_id").strip()
        except OSError:
            return "unknown"


def _read_into(source: int, target: int, offset: int) -> None:
    """Read ``source`` once, from its start, straight into the file ``target``.

    A mapping, for sendfile(2) reads first, and drops what it read when a signal has come.
    """
    from mmap import mmap

    with mmap(target, ADDING_BYTES) as page, memoryview(page) as whole, whole[offset:] as rest:
        page[0] = page[0]  # in memory and writable from here on: no fault can fail in the call
        if not os.preadv(source, [rest], 0):
            raise OSError(errno.EIO, os.strerror(errno.EIO))


def _lines(path: str) -> list[str]:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.read().splitlines()
    except FileNotFoundError:
        return []
    except OSError as err:
        raise from_errno(err.errno or 0, f"{path}: read the record", path) from err
