# SPDX-License-Identifier: MIT
"""The backing device of a device, what is written to it, and the marks that choose pages."""

from __future__ import annotations

import errno
import os

from ..errors import InvalidValueError, UnsupportedError, ZramOSError, from_errno
from .backing_attach import absolute, attach_backing, backing_file, release_backing
from .handle import Handle

PAGE_SIZE = os.sysconf("SC_PAGE_SIZE")
WRITEBACK_TYPES = ("idle", "huge", "huge_idle", "incompressible")


def check_count(what: str, value: int, lowest: int = 0) -> int:
    """Refuse what is no whole number from ``lowest`` up, such as a path."""
    if not isinstance(value, int) or isinstance(value, bool) or value < lowest:
        raise InvalidValueError(f"{what} {value!r}: not a whole number from {lowest} up")
    return value


class Backing(Handle):
    """The writeback half of a device (CONFIG_ZRAM_WRITEBACK).

    Everything but :meth:`mark_idle` raises UnsupportedError where the kernel lacks it.
    """

    # Whether this kernel knows page_indexes=LOW-HIGH; found by trying.
    _takes_ranges: bool | None = None

    def read_backing_dev(self) -> str | None:
        """Return the backing device's path (``backing_dev``), or ``None``."""
        path = self.read("backing_dev")
        return None if path == "none" else path

    def read_backing_file(self) -> str | None:
        """Return the file behind the backing device, ``None`` where that is no loop device."""
        device = self.read_backing_dev()
        return None if device is None else backing_file(device, sysfs=self.sysfs)

    def set_backing_dev(self, path: str | os.PathLike[str], *, force: bool = False) -> None:
        """Attach a block device or a file, before the device is initialised, and read it back.

        Its content is lost, and what zram puts there is neither encrypted nor of use to anybody
        later. It is claimed exclusively until the next reset; a file is put behind a loop device,
        which goes with that reset too. ``force`` overwrites what is there, but never something
        that is in use.

        Raises:
            OverwriteError: it holds something (EEXIST); says what.
            DeviceBusyError: in use (EBUSY), or this device is already initialised.
            ZramOSError: ENOTBLK neither block device nor file, EINVAL too small or the device
                itself, or what opening it gave.
            UnsupportedError: this kernel has no writeback.
        """
        step = f"set backing_dev to {absolute(path)}"
        if not self.has("backing_dev"):
            self.read("backing_dev")  # raises with the reason
        if int(self.read("disksize")):
            raise from_errno(
                errno.EBUSY,
                f"{self.name}: {step}",
                self.path,
                remedy="already initialised, reset it first",
            )
        store = attach_backing(path, force=force, sysfs=self.sysfs)
        try:
            self.write("backing_dev", store.device, step=step)
        finally:
            release_backing(store)
        attached = self.read_backing_dev()
        if attached is None or os.stat(attached).st_rdev != os.stat(store.device).st_rdev:
            raise ZramOSError(errno.EIO, f"{self.name}: {step}: the kernel has {attached} instead")

    def read_writeback_limit(self) -> int:
        """Return what may still be written, in units of 4096 bytes (``writeback_limit``)."""
        return int(self.read("writeback_limit"))

    def set_writeback_limit(self, units: int) -> None:
        """Set what may be written from now on, in units of 4096 bytes.

        It counts only once it is enabled (:meth:`set_writeback_limit_enable`). Survives a reset.
        """
        check_count("writeback_limit", units)
        self.write("writeback_limit", units, step=f"set writeback_limit to {units}")
        # Less is no error: 7.x rounds down to whole pages, and a running writeback uses it up.
        got = self.read_writeback_limit()
        if got > units:
            raise self._not_taken("writeback_limit", units, got)

    def read_writeback_limit_enable(self) -> bool:
        """Return whether ``writeback_limit`` counts."""
        return self.read("writeback_limit_enable") != "0"

    def set_writeback_limit_enable(self, enable: bool) -> None:
        """Make ``writeback_limit`` count, or not. Survives a reset."""
        self._set_number("writeback_limit_enable", int(bool(enable)))

    def read_writeback_batch_size(self) -> int:
        """Return how many requests writeback keeps in flight (7.x)."""
        return int(self.read("writeback_batch_size"))

    def set_writeback_batch_size(self, requests: int) -> None:
        """Set how many requests writeback keeps in flight; each takes one page of memory (7.x)."""
        check_count("writeback_batch_size", requests, 1)
        self._set_number("writeback_batch_size", requests)

    def read_compressed_writeback(self) -> bool:
        """Return whether pages are written back as they are stored (7.x)."""
        return self.read("compressed_writeback") != "0"

    def set_compressed_writeback(self, enable: bool) -> None:
        """Write pages back compressed, before the device is initialised (7.x).

        Saves CPU time, not space: each page still takes a whole block.
        """
        self._set_number("compressed_writeback", int(bool(enable)))

    def mark_idle(self, age: int | None = None) -> None:
        """Mark stored pages idle (``idle``): all, or those not touched for ``age`` seconds.

        Raises:
            UnsupportedError: an age, but this kernel does not track access times.
            ZramOSError: EINVAL before the device is initialised.
        """
        if age is None:
            self.write("idle", "all", step="mark pages idle")
            return
        check_count("idle age", age)
        try:
            self.write("idle", age, step=f"mark pages idle for {age} s")
        except ZramOSError as err:
            if err.errno == errno.EINVAL and int(self.read("disksize")):
                raise UnsupportedError(
                    errno.EINVAL,
                    f"{self.name}: mark pages idle for {age} s: this kernel does not track "
                    "access times (CONFIG_ZRAM_TRACK_ENTRY_ACTIME, or ZRAM_MEMORY_TRACKING in 6.1)",
                    err.filename,
                ) from err
            raise

    def writeback(
        self,
        type: str | None = None,
        *,
        page_index: int | None = None,
        page_indexes: tuple[int, int] | None = None,
    ) -> None:
        """Write one kind of pages, one page, or a range to the backing device (``writeback``).

        ``type`` is ``idle``, ``huge``, ``huge_idle`` or ``incompressible`` (6.2); a range is
        ``(first, last)``, in one command where the kernel knows ranges (6.16), else page by page.
        Returns when the kernel is done; success also when nothing qualified.

        Raises:
            InvalidValueError: not exactly one of the three, an unknown type, or pages beyond
                the end of the device.
            UnsupportedError: a type that this kernel does not know.
            ZramOSError: ENODEV no backing device, EIO the limit is used up or a write failed,
                ENOSPC it is full, EAGAIN another run is under way (6.12), EINVAL not initialised.
        """
        if (type, page_index, page_indexes).count(None) != 2:
            raise InvalidValueError("writeback: give one of type, page_index and page_indexes")
        if page_index is not None:
            page_indexes = (page_index, page_index)
        if page_indexes is not None:
            self._write_range(*page_indexes)
            return
        if type not in WRITEBACK_TYPES:
            raise InvalidValueError(
                f"writeback type {type!r}: not one of {', '.join(WRITEBACK_TYPES)}"
            )
        try:
            # The bare word is understood by every kernel that has the file.
            self.write("writeback", type, step=f"write back {type}")
        except ZramOSError as err:
            if err.errno == errno.EINVAL and int(self.read("disksize")):
                raise UnsupportedError(
                    errno.EINVAL,
                    f"{self.name}: write back {type}: this kernel does not know the type",
                    err.filename,
                ) from err
            raise

    def _set_number(self, name: str, value: int) -> None:
        """Write a number and read it back."""
        self.write(name, value, step=f"set {name} to {value}")
        got = int(self.read(name))
        if got != value:
            raise self._not_taken(name, value, got)

    def _not_taken(self, name: str, value: int, got: int) -> ZramOSError:
        return ZramOSError(
            errno.EIO,
            f"{self.name}: set {name} to {value}: the kernel has {got} instead",
            f"{self.path}/{name}",
        )

    def _write_range(self, low: int, high: int) -> None:
        check_count("page_index", low)
        pages = int(self.read("disksize")) // PAGE_SIZE
        if high < low or (pages and high >= pages):
            raise InvalidValueError(
                f"{self.name}: write back pages {low}-{high}: the device has pages 0-{pages - 1}"
            )
        if low < high and self._takes_ranges is not False:
            try:
                self.write(
                    "writeback", f"page_indexes={low}-{high}", step=f"write back {low}-{high}"
                )
                self._takes_ranges = True
                return
            except ZramOSError as err:
                if err.errno != errno.EINVAL or self._takes_ranges or not pages:
                    raise
                self._takes_ranges = False
        for index in range(low, high + 1):
            self.write("writeback", f"page_index={index}", step=f"write back page {index}")
