# SPDX-License-Identifier: MIT
"""Which devices are ours: a record in /run/pyzram that survives being killed at any point.

A device is known by its number together with ``diskseq``, which the kernel never gives out twice
while it runs. So a device that has got the number of ours is not mistaken for it.
"""

from __future__ import annotations

import errno
import os

from .. import own_files
from ..errors import (
    DeviceBusyError,
    DeviceNotFoundError,
    InvalidValueError,
    UnsupportedError,
    ZramError,
    ZramOSError,
    from_errno,
)
from ..kernel.sysfs import ADDING, BOOT_ID, Sysfs, is_there, read_text
from ..own_files import DEFAULT_DIRECTORY
from ..text import is_whole
from .registered import RegisteredDevice, devices_of, lines_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Self

    from ..config.device_config import DeviceConfig
    from ..descriptor import Opened


LOCK_SECONDS = 90.0
ADDING_BYTES = 128  # a boot id, an index, a number and a diskseq
NAME_MAX = 255
BORN_SECONDS = 2.0  # hot_add takes about 1 ms


class Registry:
    """The record of one configuration file; as a context manager it holds the lock.

    Synchronization: the lock is shared by all configurations, since all add devices.
    """

    def __init__(
        self, config_path: str, *, directory: str = DEFAULT_DIRECTORY, sysfs: Sysfs | None = None
    ) -> None:
        self.sysfs: Sysfs = sysfs or Sysfs()
        self.directory: str = directory
        # Slashes are replaced as in sysfs, so that no two paths share a name.
        name = os.path.abspath(config_path).strip("/")
        for character, instead in (("%", "%25"), ("!", "%21"), ("/", "!")):
            name = name.replace(character, instead)
        if len(os.fsencode(name)) > NAME_MAX:
            raise InvalidValueError(
                f"{config_path}: its record would need a longer name than {NAME_MAX} bytes; "
                "use a shorter path"
            )
        self.path: str = f"{directory}/services/{name}"
        self.adding: str = f"{directory}/adding/{name}"
        self.devices: list[RegisteredDevice] = []
        self._lock: Opened | None = None
        self._boot_id = ""

    def __enter__(self) -> Self:
        try:
            self._lock = own_files.lock(f"{self.directory}/locks/service", LOCK_SECONDS)
        except BlockingIOError:
            raise DeviceBusyError(
                errno.EBUSY,
                f"{self.directory}/locks/service: another pyzram is still at work after "
                f"{LOCK_SECONDS:g} s",
                self.directory,
            ) from None
        except ZramError:
            raise
        except OSError as err:
            raise self._unkept(err) from err
        try:
            self.load()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_exc: object) -> None:
        if self._lock:
            self._lock.close()

    def load(self) -> None:
        """Read the record; devices recorded before a reboot, or gone since, are left out.

        Raises:
            ZramOSError: it cannot be read, or what the kernel says about the devices cannot.
            ZramError: it is damaged.
        """
        self.devices = []
        self._boot_id = ""
        lines = _lines(self.path)
        if lines and lines[0] == f"boot {self._boot()}":
            try:
                self.devices = devices_of(lines[1:])
            except ValueError as err:
                # Guessing which devices are ours would be worse than doing nothing.
                raise ZramError(
                    f"{self.path}: read the record: it is damaged (remove the file, and the "
                    "devices that it listed with zramctl --reset)"
                ) from err
        self.devices = [
            registered
            for registered in self.devices
            if registered.diskseq == self.diskseq(registered.number)
        ]
        self._finish_adding()

    def read_elsewhere(self) -> dict[int, str]:
        """Return the devices of other configurations, from each number to the path of the file."""
        found: dict[int, str] = {}
        try:
            names = os.listdir(os.path.dirname(self.path))
        except FileNotFoundError:
            return found
        except OSError as err:
            raise self._unkept(err) from err
        for name in names:
            path = "/" + name.replace("!", "/").replace("%21", "!").replace("%25", "%")
            other = Registry(path, directory=self.directory, sysfs=self.sysfs)
            if other.path == self.path:
                continue
            try:
                other.load()
            except ZramError:
                continue  # damaged: commands for that configuration report it
            found.update((registered.number, path) for registered in other.devices)
        return found

    def _finish_adding(self) -> None:
        """Take up a device that a process added but was killed before it could record it."""
        words = " ".join(_lines(self.adding)).split(" ")
        words = [word for word in words if word]
        if len(words) not in (3, 4) or not all(map(is_whole, words[1:])):
            return
        index, number = map(int, words[1:3])
        if (
            any(registered.number == number for registered in self.devices)
            or words[0] != self._boot()
        ):
            return
        diskseq = self.diskseq(number)
        if not diskseq:
            return
        if len(words) == 4:
            if words[3] != diskseq:
                return  # the number now belongs to another device
        elif not self._born_then(number):
            return
        try:
            # Unlike initstate, this never waits for a writeback, no matter whose device it is.
            untouched = read_text(self.sysfs.block(f"zram{number}") + "/disksize").strip() == "0"
        except (FileNotFoundError, ProcessLookupError):
            return
        except OSError as err:
            raise self._unreadable(err, number) from err
        if untouched:
            self.devices.append(RegisteredDevice(index, number, diskseq))

    def _born_then(self, number: int) -> bool:
        """Whether the node dates from when we last wrote that we were adding a device.

        This is for a process that was killed after the kernel had made the device but before it
        said which; another device may have got the number since.
        """
        try:
            node = os.stat(f"{self.sysfs.dev}/zram{number}")
            written = os.stat(self.adding)
        except FileNotFoundError:
            return False
        except OSError as err:
            raise self._unreadable(err, number) from err
        return -0.1 <= node.st_mtime - written.st_mtime <= BORN_SECONDS

    def diskseq(self, number: int) -> str:
        """Return what distinguishes this device from others with its number; empty if it is gone.

        Raises:
            ZramOSError: the kernel does not say, which does not mean that it is gone.
            UnsupportedError: this kernel cannot (before 5.15).
        """
        directory = self.sysfs.block(f"zram{number}")
        try:
            return read_text(f"{directory}/diskseq").strip()
        except FileNotFoundError:
            pass
        except OSError as err:
            if err.errno == errno.ENODEV:
                return ""
            raise self._unreadable(err, number) from err
        try:
            os.stat(directory)
        except FileNotFoundError:
            return ""
        except OSError as err:
            raise self._unreadable(err, number) from err
        raise _no_diskseq(f"zram{number}: check whether it is ours", directory)

    def _require_diskseq(self) -> None:
        """Check on any disk that this kernel numbers them; if there is none, the new one will tell.

        Raises:
            ZramOSError: the kernel does not say.
            UnsupportedError: it does not number them.
        """
        above = self.sysfs.path("sys/block")
        try:
            for name in os.listdir(above):
                directory = f"{above}/{name}"
                if is_there(f"{directory}/diskseq"):
                    return
                if is_there(directory):
                    raise _no_diskseq(ADDING, directory)
        except FileNotFoundError:
            pass
        except ZramError:
            raise
        except OSError as err:
            raise from_errno(err.errno or 0, f"{ADDING}: look for diskseq", above) from err

    def _unreadable(self, err: OSError, number: int) -> ZramOSError:
        path = err.filename or self.sysfs.block(f"zram{number}")
        return from_errno(err.errno or 0, f"zram{number}: check whether it is ours", str(path))

    def save(self) -> None:
        """Write the record, completely or not at all."""
        lines = [f"boot {self._boot()}", *lines_of(self.devices)]
        try:
            own_files.write_file(self.path, "\n".join(lines) + "\n")
            # The new device is in the record now; its number may later belong to another one.
            if os.path.lexists(self.adding):
                os.unlink(self.adding)
        except ZramError:
            raise
        except OSError as err:
            raise self._unkept(err) from err

    def _unkept(self, err: OSError) -> ZramOSError:
        remedy = "root only" if err.errno in (errno.EACCES, errno.EPERM) else ""
        what = f"{self.path}: write the record"
        return from_errno(err.errno or 0, what, self.path, remedy=remedy)

    def add_device(self, index: int, settings: DeviceConfig) -> RegisteredDevice:
        """Make a device (hot_add) and record it, with no moment in which it is unknown.

        ``settings`` are those that it will get.

        The kernel writes the number straight into a file of ours, within the very call that
        makes the device, so not even SIGKILL comes between the two.

        Raises:
            ZramOSError: hot_add failed, or writing the record did.
            UnsupportedError: this kernel cannot tell devices apart (before 5.15); none is made.
        """
        from .. import _native  # what only looks at devices does without any extension

        self._require_diskseq()
        control = f"{self.sysfs.control}/hot_add"
        head = f"{self._boot()} {index} "
        try:
            own_files.make_directory(os.path.dirname(self.adding))
            file = own_files.open_file(self.adding, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
        except ZramError:
            raise
        except OSError as err:
            raise self._unkept(err) from err
        with file as intent:
            try:
                os.write(intent, head.ljust(ADDING_BYTES).encode())
            except OSError as err:
                raise self._unkept(err) from err
            try:
                _native.attr_read_into(control, intent, len(head), ADDING_BYTES)
            except OSError as err:
                raise from_errno(err.errno or 0, ADDING, control) from err
            number = int(os.pread(intent, ADDING_BYTES, 0).split()[2])
            registered = RegisteredDevice(index, number, self.diskseq(number))
            text = f"{head}{number} {registered.diskseq} "
            os.pwrite(intent, text.ljust(ADDING_BYTES).encode(), 0)
        registered.settings = settings
        self.devices.append(registered)
        self.save()
        return registered

    def drop(self, device: RegisteredDevice) -> str:
        """Forget a device that is gone; return why the file could not be written, or nothing.

        In that case the file still names it, which does no harm: its diskseq is never reused.
        """
        self.devices = [one for one in self.devices if one.diskseq != device.diskseq]
        try:
            self.save()
        except ZramError as err:
            return str(err)
        return ""

    def registered(self, device: RegisteredDevice) -> RegisteredDevice:
        """Return one of our devices as it is recorded since the last :meth:`load`.

        Raises:
            DeviceNotFoundError: it is gone (ENODEV), as :meth:`load` has found.
        """
        for registered in self.devices:
            if registered.diskseq == device.diskseq:
                return registered
        raise DeviceNotFoundError(errno.ENODEV, f"zram{device.number}: the device is gone", None)

    def _boot(self) -> str:
        """Return what distinguishes this boot from others; :meth:`load` has it read again."""
        if self._boot_id:
            return self._boot_id
        try:
            self._boot_id = self.sysfs.read(BOOT_ID).strip()
        except OSError as err:
            raise from_errno(
                err.errno or 0, f"{self.path}: read the boot id", self.sysfs.path(BOOT_ID)
            ) from err
        return self._boot_id


def _no_diskseq(step: str, directory: str) -> UnsupportedError:
    return UnsupportedError(
        errno.ENOENT, f"{step}: this kernel has no diskseq (before 5.15)", directory
    )


def _lines(path: str) -> list[str]:
    try:
        # Whoever owns the folder can put back a record that was replaced since.
        own_files.refuse_foreign(os.path.dirname(path))
        text = own_files.read_file(path)
    except ZramError:
        raise
    except OSError as err:
        remedy = "root only" if err.errno == errno.EACCES else ""
        raise from_errno(err.errno or 0, f"{path}: read the record", path, remedy=remedy) from err
    return [] if text is None else text.removesuffix("\n").split("\n")
