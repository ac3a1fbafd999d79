# SPDX-License-Identifier: MIT
"""The life of a device, from hot_add to hot_remove, without its statistics."""

from __future__ import annotations

import errno
import os
import time

from .. import _native, interruption
from ..errors import (
    AccessError,
    DeviceBusyError,
    InvalidValueError,
    UnsupportedError,
    ZramError,
    ZramOSError,
    from_errno,
)
from ..kernel import holders
from ..kernel.parse import BLOCK_STAT, MM_STAT, parse_algorithms
from ..kernel.sysfs import Sysfs
from ..units import U64_MAX, parse_size
from .algorithms import MAX_PRIORITY, Algorithm, Compression, as_algorithm, check_name
from .backing import Backing, check_count
from .handle import BUSY_RETRY_SECONDS
from .swap import Swap

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Self

NODE_TIMEOUT_SECONDS = 10.0
WRITE_IOS = BLOCK_STAT.index("write_ios")
MEM_LIMIT = MM_STAT.index("mem_limit")
PAGE_SIZE = os.sysconf("SC_PAGE_SIZE")
# Settings that outlive a reset: the algorithm up to 6.11, the others always.
KEPT_BY_RESET = (
    "comp_algorithm",
    "compressed_writeback",
    "writeback_limit",
    "writeback_limit_enable",
    "writeback_batch_size",
)


def total_memory() -> int:
    """Return the machine's memory in bytes, which percentages are of."""
    return os.sysconf("SC_PHYS_PAGES") * PAGE_SIZE


class Lifecycle(Compression, Backing, Swap):
    """A device without its statistics, which would take longer to load than to set one up."""

    # ---- life cycle ----------------------------------------------------------------------------

    @classmethod
    def add(cls, *, sysfs: Sysfs | None = None) -> Self:
        """Make a new device (``/sys/class/zram-control/hot_add``) and wait for its node.

        The kernel chooses the number.

        Raises:
            UnsupportedError: no zram driver (ENOENT).
            AccessError: not root (EACCES).
            BlockedError: the node did not appear (ETIMEDOUT); the device is removed again.
        """
        tree = sysfs or Sysfs()
        path = f"{tree.control}/hot_add"
        try:
            number = int(_native.attr_read(path))
        except FileNotFoundError as err:
            raise UnsupportedError(
                errno.ENOENT, "no zram driver is loaded (modprobe zram)", path
            ) from err
        except OSError as err:
            raise from_errno(err.errno or 0, "add a zram device", path) from err
        device = cls(number, sysfs=tree)
        try:
            device._wait_for_node()
        except BaseException as err:
            _undo(err, device.remove)
            raise
        return device

    def remove(self, *, retry: float = BUSY_RETRY_SECONDS) -> None:
        """Remove the device with all it holds (``hot_remove``), and close the handle.

        Raises:
            DeviceBusyError: in use (EBUSY); says by whom. Mere openers, such as udev's probe,
                are waited for ``retry`` seconds, swap and mounts are not.
            DeviceNotFoundError: already gone.
        """
        self._dir()
        self._refuse_claimed("remove")
        if self._removed():
            # The number may belong to somebody else by now.
            raise from_errno(errno.ENODEV, f"{self.name}: remove", self.path)
        path = f"{self.sysfs.control}/hot_remove"
        try:
            _native.attr_write(path, str(self.number), retry_ms=round(retry * 1000))
        except OSError as err:
            raise from_errno(
                err.errno or 0,
                f"{self.name}: remove",
                self.path,
                remedy=self._busy("reset") if err.errno == errno.EBUSY else "",
            ) from err
        self.close()

    def reset(self, *, retry: float = BUSY_RETRY_SECONDS) -> None:
        """Throw away all data and most of the configuration (``reset``).

        Kept by the kernel: writeback_limit, writeback_limit_enable, writeback_batch_size,
        compressed_writeback, and up to 6.11 the algorithm.

        Raises:
            DeviceBusyError: in use (EBUSY); says by whom. Mere openers, such as udev's probe,
                are waited for ``retry`` seconds, swap and mounts are not.
        """
        self._refuse_claimed("reset")
        self.write("reset", 1, step="reset", retry=retry)

    def read_initstate(self) -> bool:
        """Return whether the device is initialised (``initstate``)."""
        return self.read("initstate") == "1"

    def read_disksize(self) -> int:
        """Return the size the device offers, in bytes (``disksize``); 0 before initialisation."""
        return int(self.read("disksize"))

    def set_disksize(self, size: int | str) -> None:
        """Initialise the device with so many bytes, or a size such as ``"1.5G"`` or ``"50%"``.

        Rounded up to the page size. The kernel takes 16 to 24 bytes of memory for each page at
        once. When this fails, the device is reset before the error is raised: newer kernels have
        lost its configuration by then and may crash or use another algorithm if one goes on.

        Raises:
            InvalidValueError: no size, or 0.
            DeviceBusyError: already initialised (EBUSY).
            ZramOSError: ENOMEM too large; EINVAL and others: parameters the algorithm refuses.
        """
        wanted = self._size(size, "disksize")
        if not wanted:
            raise InvalidValueError(f"{self.name}: disksize 0: use reset to take a device back")
        if self.read_disksize():
            raise from_errno(
                errno.EBUSY,
                f"{self.name}: set disksize",
                f"{self.path}/disksize",
                remedy="already initialised, reset it first",
            )
        try:
            self.write("disksize", wanted, step=f"set disksize to {wanted}")
        except AccessError:
            raise  # the kernel never saw it, and would not let us reset either
        except ZramOSError as err:
            _undo(err, self.reset)
            raise
        got = self.read_disksize()
        if got != -(-wanted // PAGE_SIZE) * PAGE_SIZE:
            wrong = ZramOSError(
                errno.EIO, f"{self.name}: set disksize to {wanted}: the kernel has {got} instead"
            )
            _undo(wrong, self.reset)
            raise wrong

    # ---- memory --------------------------------------------------------------------------------

    def set_mem_limit(self, size: int | str) -> None:
        """Limit the memory of the pool (``mem_limit``), in bytes or as a size; 0 lifts it.

        Rounded up to the page size and read back. May be below the present use: what is stored
        stays, and new pages are refused. A reset clears it.
        """
        wanted = self._size(size, "mem_limit")
        self.write("mem_limit", wanted, step=f"set mem_limit to {wanted}")
        if self.read_disksize():  # before that, mm_stat is all zeros
            got = self.read_numbers("mm_stat")[MEM_LIMIT]
            if got != -(-wanted // PAGE_SIZE) * PAGE_SIZE:
                raise ZramOSError(
                    errno.EIO,
                    f"{self.name}: set mem_limit to {wanted}: the kernel has {got} instead",
                )

    def reset_mem_used_max(self) -> None:
        """Set the high-water mark to the present use (``mem_used_max``)."""
        self.write("mem_used_max", 0, step="reset mem_used_max")

    def compact(self) -> None:
        """Pack the pool's objects together and free pages (``compact``).

        Returns when done; at once if a compaction is running already.
        """
        self.write("compact", 1, step="compact")

    def read_max_comp_streams(self) -> int:
        """Return ``max_comp_streams``: without effect since 4.7, absent in 6.15 and later."""
        return int(self.read("max_comp_streams"))

    def set_max_comp_streams(self, streams: int) -> None:
        """Write ``max_comp_streams``; the kernel takes it and ignores it."""
        if not isinstance(streams, int) or streams < 1:
            raise InvalidValueError(f"max_comp_streams {streams!r}: not a count")
        self.write("max_comp_streams", streams)

    # ---- all at once ---------------------------------------------------------------------------

    def configure(
        self,
        *,
        disksize: int | str,
        algorithm: str | Algorithm | None = None,
        recompression: Sequence[str | Algorithm] = (),
        backing_dev: str | os.PathLike[str] | None = None,
        compressed_writeback: bool | None = None,
        mem_limit: int | str | None = None,
        writeback_limit: int | None = None,
        writeback_batch_size: int | None = None,
        force: bool = False,
    ) -> None:
        """Set the device up, in the order the kernel wants, every value read back.

        ``recompression`` lists the secondary algorithms by priority, from 1. ``writeback_limit``
        (units of 4096 bytes) is also enabled. ``None`` leaves the kernel's default. ``force``
        overwrites what ``backing_dev`` holds (:meth:`set_backing_dev`).

        When a step fails, all is undone: the device is reset and what a reset keeps is put back.
        A device that an earlier, killed attempt left half made is reset first; one that has ever
        been written to, or is in use, is refused.

        Raises:
            DeviceBusyError: initialised and written to, or in use (EBUSY).
            OverwriteError: ``backing_dev`` holds something (EEXIST).
            InvalidValueError: a value that cannot be meant; nothing was changed.
            UnsupportedError: this kernel lacks something that was asked for.
            ZramOSError: what the kernel answered to the step that failed.
        """
        primary = None if algorithm is None else as_algorithm(algorithm)
        secondary = [as_algorithm(entry) for entry in recompression]
        if len(secondary) > MAX_PRIORITY:
            raise InvalidValueError(
                f"{self.name}: more than {MAX_PRIORITY} recompression algorithms"
            )
        for entry in [*([primary] if primary else []), *secondary]:
            check_name(entry.name)
            entry.params()
        if not self._size(disksize, "disksize"):
            raise InvalidValueError(f"{self.name}: disksize 0: nothing to configure")
        if mem_limit is not None:
            self._size(mem_limit, "mem_limit")
        if writeback_limit is not None:
            check_count("writeback_limit", writeback_limit)
        if writeback_batch_size is not None:
            check_count("writeback_batch_size", writeback_batch_size, 1)

        self._start_over()
        kept = {name: self._read_setting(name) for name in KEPT_BY_RESET if self.has(name)}
        try:
            if backing_dev is not None:
                self.set_backing_dev(backing_dev, force=force)
            if compressed_writeback is not None:
                self.set_compressed_writeback(compressed_writeback)
            if primary is not None:
                self.set_comp_algorithm(primary.name)
            for priority, entry in enumerate(secondary, 1):
                self.set_recomp_algorithm(entry.name, priority=priority)
            for priority, wish in enumerate([primary, *secondary]):
                if wish is not None and wish.params():
                    self.set_algorithm_params(
                        priority=priority,
                        level=wish.level,
                        dictionary=wish.dictionary,
                        winbits=wish.winbits,
                    )
            self.set_disksize(disksize)
            if mem_limit is not None:
                self.set_mem_limit(mem_limit)
            if writeback_limit is not None:
                self.set_writeback_limit(writeback_limit)
                self.set_writeback_limit_enable(True)
            if writeback_batch_size is not None:
                self.set_writeback_batch_size(writeback_batch_size)
        except BaseException as err:
            _undo(err, lambda: self._put_back(kept))
            raise

    # ---- helpers -------------------------------------------------------------------------------

    def _size(self, size: int | str, what: str) -> int:
        try:
            wanted = parse_size(size, total=total_memory)
        except InvalidValueError as err:
            raise InvalidValueError(f"{self.name}: {what}: {err}") from err
        if wanted > U64_MAX - PAGE_SIZE:
            # The kernel rounds up to whole pages: this becomes 0, a limit that is none.
            raise InvalidValueError(f"{self.name}: {what}: {wanted} rounds up to 2^64 bytes")
        return wanted

    def _read_setting(self, name: str) -> str:
        """Read an attribute in the form that it is written in."""
        text = self.read(name)
        return (parse_algorithms(text)[0] or "") if name == "comp_algorithm" else text

    def _put_back(self, kept: dict[str, str]) -> None:
        """Reset, and restore what a reset does not take back."""
        self.reset()
        for name, value in kept.items():
            if self._read_setting(name) != value:
                self.write(name, value, step=f"put {name} back")

    def _start_over(self) -> None:
        """Reset, unless that would destroy something: the start of a configuration."""
        self._refuse_claimed("configure")
        if self.read_disksize() and self.read_numbers("stat")[WRITE_IOS]:
            raise DeviceBusyError(
                errno.EBUSY,
                f"{self.name}: configure: already initialised and written to, reset it first",
                self.path,
            )
        self.reset()

    def _refuse_claimed(self, step: str) -> None:
        """Fail at once when something lasting uses the device, where waiting would not help."""
        claims = holders.claims(self.sysfs, self.name) if not self._removed() else []
        if claims:
            raise DeviceBusyError(
                errno.EBUSY,
                f"{self.name}: {step}: {os.strerror(errno.EBUSY)} ({', '.join(claims)})",
                self.path,
            )

    def _wait_for_node(self) -> None:
        wait_until(lambda: os.path.exists(self.node), self.node)


def _undo(error: BaseException, action: Callable[[], None]) -> None:
    """Undo after ``error``, which stays what is told first, whatever comes of the undoing."""
    try:
        action()
    except ZramError as err:
        text = f"undoing it failed too: {err}"
        if not isinstance(error, ZramError):
            error.add_note(text)
        elif text not in str(error):
            error.append(text)


def wait_until(condition: Callable[[], bool], path: str) -> None:
    """Wait for a file of the kernel's or of udev's making.

    Raises:
        BlockedError: it did not come in :data:`NODE_TIMEOUT_SECONDS` (ETIMEDOUT).
    """
    deadline = time.monotonic() + NODE_TIMEOUT_SECONDS
    pause = 0.001
    while not condition():
        if time.monotonic() > deadline:
            raise from_errno(errno.ETIMEDOUT, f"{path}: wait for it", path)
        interruption.pause(pause)
        pause = min(pause * 2, 0.1)
