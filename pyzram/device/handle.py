# SPDX-License-Identifier: MIT
"""The handle of one device: its identity, and how its attributes are read and written."""

from __future__ import annotations

import errno
import os
from _warnings import warn  # loading the module warnings would take longer than all of this

from .. import _native
from ..descriptor import Opened
from ..errors import (
    BlockedError,
    DeviceNotFoundError,
    InvalidValueError,
    UnsupportedError,
    ZramOSError,
    from_errno,
)
from ..kernel.sysfs import as_sysfs, device_number, read_text, readers_wait
from ..value import check_count, check_kind, check_seconds, wrong_type

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn, Self, TypeVar

    from ..kernel.sysfs import Sysfs

    T = TypeVar("T")

# udev's probe of a new or rewritten device lasts well under a second (KERNEL: any opener makes
# reset and hot_remove fail with EBUSY).
BUSY_RETRY_SECONDS = 5.0
# Seconds that 32 bits can hold as milliseconds: three weeks are practically for ever.
PATIENCE_MOST = 2e6
# The kernel option that each of these needs.
NEEDS_CONFIG = {
    "backing_dev": "CONFIG_ZRAM_WRITEBACK",
    "recomp_algorithm": "CONFIG_ZRAM_MULTI_COMP",
    "recompress": "CONFIG_ZRAM_MULTI_COMP",
    "writeback": "CONFIG_ZRAM_WRITEBACK",
}
# These return EINVAL until the device is initialised.
NEEDS_DISKSIZE = ("compact", "idle", "writeback", "recompress")
# What every directory has besides its files.
NO_FILE = (".", "..")


class Handle:
    """One zram device, by number, name (``"zram1"``) or node (``"/dev/zram1"``).

    The handle is bound to the device that exists now: when that device is removed, every method
    raises DeviceNotFoundError, even if another device has its number now. It belongs to the process
    that made it and cannot be copied or pickled: pass :attr:`name` to others. Closing it twice is
    fine; dropping it open gives a ResourceWarning.

    Synchronization: one thread at a time for each handle; any number of handles.
    """

    def __init__(self, device: int | str | os.PathLike[str], *, sysfs: Sysfs | None = None) -> None:
        self._fd = -1
        self._files: dict[str, _native.NumberFile] = {}
        self._guarded: bool | None = None
        self._process = _native.forks
        self._sysfs = as_sysfs(sysfs)
        self._number = device_number(device)
        directory = self.path
        try:
            self._opened = Opened(directory, os.O_RDONLY | os.O_DIRECTORY)
            self._fd = self._opened.fd
        except FileNotFoundError as err:
            why = f"{self.name}: {self.sysfs._why_no_device()}"
            raise DeviceNotFoundError(errno.ENOENT, why, directory) from err
        except OSError as err:
            code = err.errno or 0
            raise from_errno(code, f"{self.name}: open", directory, of_device=True) from err

    @property
    def sysfs(self) -> Sysfs:
        """Where its files are."""
        return self._sysfs

    @property
    def number(self) -> int:
        """The N of ``zramN``."""
        return self._number

    @property
    def name(self) -> str:
        """Name in the kernel, ``zramN``."""
        return f"zram{self._number}"

    @property
    def node(self) -> str:
        """Path of the device node, ``/dev/zramN``."""
        return f"{self.sysfs.dev}/{self.name}"

    @property
    def path(self) -> str:
        """Directory of the attributes, ``/sys/block/zramN``."""
        return self.sysfs.block(self.name)

    @property
    def closed(self) -> bool:
        """Whether :meth:`close` was called."""
        return self._fd < 0

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}{' closed' if self.closed else ''}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Release the handle; the device stays as it is."""
        # If something interrupts this, dropping the handle does the rest.
        self._fd = -1
        files, self._files = self._files, {}
        if not self._is_own():
            # A child may have closed its parent's descriptors, and others may have their numbers
            # now.
            for file in files.values():
                file.abandon()
            self._opened.abandon()
            return
        for file in files.values():
            file.close()
        self._opened.close()

    def __del__(self) -> None:
        if getattr(self, "_fd", -1) < 0:
            return
        if self._is_own():
            warn(f"{self!r} was never closed", ResourceWarning, stacklevel=2, source=self)
        self.close()

    def __reduce_ex__(self, _protocol: object) -> NoReturn:
        raise TypeError(
            f"{self.name}: a handle cannot be copied or pickled: "
            f"pass {self.name!r} and open it there"
        )

    # ---- attributes ----------------------------------------------------------------------------

    def read_diskseq(self) -> int:
        """Return the number that no other device gets until a reboot.

        Raises:
            DeviceNotFoundError: the device was removed.
            UnsupportedError: this kernel has no ``diskseq`` (before 5.15).
        """
        try:
            return int(read_text("diskseq", dir_fd=self._dir()))
        except OSError as err:
            raise self._error(err, "diskseq", "read diskseq") from err

    def has(self, name: str) -> bool:
        """Whether this kernel has the attribute ``name``.

        Raises:
            DeviceNotFoundError: the device was removed.
            InvalidValueError: ``name`` is not the name of a file.
        """
        self._require_name(name)
        try:
            os.stat(name, dir_fd=self._dir())
        except FileNotFoundError:
            self._require_present(f"look for {name}")
            return False
        except OSError as err:
            raise self._error(err, name, f"look for {name}") from err
        return True

    def read(self, name: str) -> str:
        """Read the whole attribute ``name``, without the last newline.

        Raises:
            UnsupportedError: this kernel has no such attribute.
            DeviceNotFoundError: the device was removed.
            InvalidValueError: ``name`` is not the name of a file.
            BlockedError: no answer in time (7.x, while writeback or recompression runs).
        """
        return self._ask(name, lambda: _native.attr_read(name, self._dir())).removesuffix("\n")

    def read_numbers(self, name: str) -> list[int]:
        """Read an attribute of numbers; its file stays open, so that reading it again is cheap.

        Raises:
            As :meth:`read`.
        """
        if type(name) is not str:
            self._require_name(name)
        file = self._files.get(name)
        if file is None or self._guarded is not False or self._process != _native.forks:
            return self._ask(name, lambda: self._number_file(name).read())
        try:
            return file.read()
        except OSError as err:
            raise self._error(err, name, f"read {name}") from err

    def write(self, name: str, value: str | int, *, step: str = "", timeout: float = 0) -> None:
        """Write ``value`` to the attribute ``name`` in one write.

        An error names ``step`` as what was attempted; EBUSY is retried for ``timeout`` seconds.

        Raises:
            UnsupportedError: this kernel has no such attribute.
            DeviceNotFoundError: the device was removed.
            InvalidValueError: ``name`` is not the name of a file, or ``value`` is empty: the kernel
                would never see it.
            ZramOSError: what the kernel answered, with its errno.
        """
        self._require_name(name)
        if type(value) is not str and type(value) is not int:
            value = _writable(value)
        check_kind(str, {"step": step})
        timeout = check_seconds("timeout", timeout)
        text = str(value)
        if not text:
            raise InvalidValueError(f"{self.name}: {step or 'write ' + name}: nothing to write")
        if "\0" in text:
            raise InvalidValueError(f"{self.name}: {step or 'write ' + name}: NUL in {text!r}")
        try:
            _native.attr_write(name, text, self._dir(), round(min(timeout, PATIENCE_MOST) * 1000))
        except OSError as err:
            raise self._error(err, name, step or f"write {text} to {name}") from err

    def _write_verified(
        self,
        name: str,
        value: str | int,
        read: Callable[[], T],
        accept: Callable[[T], bool],
        *,
        step: str = "",
    ) -> None:
        """Write an attribute, read it back, and compare.

        Raises:
            ZramOSError: EIO if the kernel has a value that ``accept`` rejects; also what
            :meth:`write` raises.
        """
        step = step or f"set {name} to {value}"
        self.write(name, value, step=step)
        got = read()
        if not accept(got):
            raise ZramOSError(
                errno.EIO,
                f"{self.name}: {step}: the kernel has {got} instead",
                f"{self.path}/{name}",
            )

    def read_disksize(self) -> int:
        """Return the size that the device offers in bytes (``disksize``); 0 if not initialised."""
        return int(self.read("disksize"))

    def _require_uninitialised(self, step: str) -> None:
        """Refuse ``step`` on a device that has a disksize.

        Raises:
            DeviceBusyError: it is initialised (EBUSY).
        """
        if self.read_disksize():
            raise from_errno(
                errno.EBUSY,
                f"{self.name}: {step}",
                self.path,
                remedy="already initialised, reset it first",
            )

    def _require_name(self, name: str) -> None:
        """Refuse a name that leads out of the device's own directory.

        Raises:
            InvalidValueError: it is not the name of a file in it.
        """
        if not isinstance(name, str):
            raise wrong_type(f"{self.name}: attribute name", name, "not a name")
        if not name or "/" in name or "\0" in name or name in NO_FILE:
            raise InvalidValueError(f"{self.name}: attribute {name!r}: not a name")

    def _require_present(self, step: str) -> None:
        """Refuse ``step`` unless the name still belongs to this very device.

        What was found by the name before belongs to this device, since no other has had the name.

        Raises:
            DeviceNotFoundError: it was removed (ENODEV); another may have its number.
        """
        if self.removed():
            raise DeviceNotFoundError(
                errno.ENODEV, f"{self.name}: {step}: the device is gone", self.path
            )

    def _ask_by_name(self, step: str, look: Callable[[Sysfs, str], T]) -> T:
        """Look for this device where the kernel lists devices by name or number.

        Raises:
            DeviceNotFoundError: it was removed, so what was found may be another device's.
        """
        self._require_present(step)
        found = look(self.sysfs, self.name)
        self._require_present(step)
        return found

    def _is_own(self) -> bool:
        """Whether this process opened it."""
        return self._process == _native.forks

    def _dir(self) -> int:
        if self._fd < 0:
            raise InvalidValueError(f"{self.name}: the handle is closed")
        if not self._is_own():
            raise InvalidValueError(
                f"{self.name}: the handle is that of the process before fork: "
                f"open {self.name!r} anew in this one"
            )
        return self._fd

    def _number_file(self, name: str) -> _native.NumberFile:
        directory = self._dir()
        file = self._files.get(name)
        if file is None:
            file = self._files[name] = _native.NumberFile(name, directory)
        return file

    def _ask(self, name: str, call: Callable[[], T]) -> T:
        """Do one read, with a deadline if this kernel may hold it up."""
        self._require_name(name)
        if self._guarded is None:
            self._guarded = readers_wait(self.path)
        try:
            return self._ask_patiently(name, call) if self._guarded else call()
        except ZramOSError:
            raise
        except OSError as err:
            raise self._error(err, name, f"read {name}") from err

    def _ask_patiently(self, name: str, call: Callable[[], T]) -> T:
        from ..kernel import blocked_reads

        try:
            return blocked_reads.read_in_thread(call, blocked_reads.LIBRARY_SECONDS)
        except TimeoutError as err:
            # The stuck thread may still fill the buffer of an open file, so leave that to it.
            self._files.pop(name, None)
            raise BlockedError(
                errno.ETIMEDOUT,
                f"{self.name}: read {name}: no answer within {blocked_reads.LIBRARY_SECONDS:g} s "
                f"({blocked_reads.WHY})",
                f"{self.path}/{name}",
            ) from err

    # ---- errors --------------------------------------------------------------------------------

    def _error(self, err: OSError, name: str, step: str) -> ZramOSError:
        """Say what an errno of attribute ``name`` means for this device."""
        code = err.errno or errno.EIO
        path = f"{self.path}/{name}"
        if code in (errno.ENOENT, errno.ENODEV):
            # Some writes return this too, about a path or a backing device.
            if self.removed():
                return DeviceNotFoundError(code, f"{self.name}: {step}: the device is gone", path)
            if not self.has(name):
                why = f"this kernel has no attribute {name}"
                if name in NEEDS_CONFIG:
                    why += f" ({NEEDS_CONFIG[name]})"
                return UnsupportedError(code, f"{self.name}: {step}: {why}", path)
        remedy = ""
        if code == errno.EBUSY:
            remedy = self._busy(name)
        elif code == errno.EINVAL and name in NEEDS_DISKSIZE and not self._initialised():
            remedy = "not initialised, set disksize first"
        elif code in (errno.EACCES, errno.EPERM) and os.geteuid() != 0:
            remedy = "only root may"
        return from_errno(code, f"{self.name}: {step}", path, remedy=remedy)

    def removed(self) -> bool:
        """Whether the device is gone, even if another has its number now."""
        directory = self._dir()
        try:
            return not os.path.samestat(os.fstat(directory), os.stat(self.path))
        except (FileNotFoundError, NotADirectoryError):
            return True
        except OSError as err:
            if err.errno == errno.ENODEV:
                return True
            raise from_errno(err.errno or 0, f"{self.name}: look", self.path) from err

    def _busy(self, name: str) -> str:
        """Say who uses the device, or that it is initialised."""
        if name == "reset":
            from ..kernel.holder_words import describe

            return describe(self.sysfs, self.name) or "something has it open"
        return "already initialised, reset it first" if self._initialised() else ""

    def _initialised(self) -> bool:
        try:
            return _native.attr_read("disksize", self._dir()) != "0\n"
        except OSError:
            return False


def _writable(value: str | int) -> str | int:
    """Accept what can be written to an attribute.

    Raises:
        InvalidTypeError: it is neither text nor a whole number.
    """
    if isinstance(value, str):
        return value
    return check_count("value", value, float("-inf"), wanted="neither text nor a whole number")


def check_device(device: Handle) -> None:
    """Refuse anything that is not a device, such as its name.

    Raises:
        InvalidTypeError: it is something else.
    """
    if not hasattr(device, "sysfs"):
        raise wrong_type("device", device, "not a Zram: open it with Zram(NAME)")
