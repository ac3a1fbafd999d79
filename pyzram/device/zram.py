# SPDX-License-Identifier: MIT
"""A zram device: its life from hot_add to hot_remove, and everything in between.

Longer methods are implemented in the modules beside this one. What not every caller needs
(statistics, a file system, a backing device) is imported when it is used, because loading it takes
longer than setting up a device.
"""

from __future__ import annotations

import errno
import os

from ..algorithm import name_of, params_words
from ..descriptor import fd_path
from ..errors import (
    AccessError,
    DeviceNotFoundError,
    InvalidValueError,
    UnsupportedError,
    ZramOSError,
)
from ..kernel.parse import parse_algorithms, parse_recomp_algorithms
from ..kernel.sysfs import as_sysfs
from ..limits import page_up
from ..units import U64_MAX
from ..value import check_count, check_flag, check_seconds, documented
from . import lifecycle, swap
from .handle import BUSY_RETRY_SECONDS, Handle

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Self, overload

    from ..algorithm import Algorithm
    from ..kernel.parse import SwapArea
    from ..kernel.sysfs import Sysfs
    from ..limits import Discard, RecompressType, WritebackType
    from .block_state import BlockState
    from .pool_classes import PoolClass
    from .stat_files import BdStat, BlockStat, DebugStat, IoStat, MmStat
    from .stats import Stats


@documented
class Zram(Handle):
    """A zram device.

    ``Zram(1)``, ``Zram("zram1")`` and ``Zram("/dev/zram1")`` are handles of an existing device;
    at the end of a ``with`` block the device stays as it is. :meth:`add` makes a new device, which
    its ``with`` block takes down again. Properties cost nothing; methods ask the kernel.

    Methods named after an attribute (``read_mm_stat``, ``set_mem_limit``) raise UnsupportedError
    if the kernel lacks it, and return ``None`` if the kernel has it and nothing is set. Any method
    may raise DeviceNotFoundError (removed), AccessError (not root), BlockedError (no answer in
    time), ZramOSError (any other error of the kernel), and InvalidValueError on a closed handle.

    Synchronization: one thread at a time for each handle; any number of handles.
    """

    _takes_ranges: bool | None = None
    """Whether this kernel knows ``page_indexes=LOW-HIGH``; ``None`` until that was tried."""
    _owned = False

    # ---- life cycle ----------------------------------------------------------------------------

    @classmethod
    def add(cls, *, sysfs: Sysfs | None = None) -> Self:
        """Make a new device (``/sys/class/zram-control/hot_add``) and wait for its node.

        The kernel chooses the number. In a ``with`` statement, the end of the block takes the
        device down, whatever has happened in it: swap off, unmount, reset, remove. To leave it,
        call :meth:`keep` within the block, or use :meth:`close` instead of ``with``.

        Raises:
            UnsupportedError: there is no zram driver (ENOENT).
            AccessError: not root (EACCES).
            BlockedError: the node did not appear (ETIMEDOUT); the device is removed again.
        """
        tree = as_sysfs(sysfs)
        device = cls(lifecycle.hot_add(tree), sysfs=tree)
        try:
            lifecycle.wait_until(lambda: os.path.exists(device.node), device.node)
        except BaseException as err:
            lifecycle.undo(err, device.remove)
            device.close()
            raise
        device._owned = True
        return device

    def keep(self) -> Self:
        """Let the device stay when the ``with`` block of :meth:`add` ends."""
        self._require_present("keep it")
        self._owned = False
        return self

    def __exit__(self, *exc: object) -> None:
        error = exc[1] if len(exc) > 1 else None
        try:
            # A forked child that leaves the block has not made the device.
            if self._owned and not self.closed and self._is_own():
                if isinstance(error, BaseException):
                    lifecycle.undo(error, lambda: self.remove(release=True, missing_ok=True))
                else:
                    self.remove(release=True, missing_ok=True)
        finally:
            self.close()

    def remove(
        self,
        *,
        release: bool = False,
        missing_ok: bool = False,
        timeout: float = BUSY_RETRY_SECONDS,
    ) -> None:
        """Remove the device with everything in it (``hot_remove``), and close the handle.

        ``release`` swaps it off and unmounts it first; otherwise a device in such use is refused.
        With ``missing_ok``, a device that is already gone is not an error.

        Raises:
            DeviceBusyError: in use (EBUSY); the message says by whom. This waits ``timeout``
                seconds for mere openers, such as udev's probe, but not for swap and mounts.
            DeviceNotFoundError: already gone.
            ZramError: it could not be swapped off or unmounted.
        """
        self._dir()
        check_flag("release", release)
        check_flag("missing_ok", missing_ok)
        timeout = check_seconds("timeout", timeout)
        try:
            if release and not self.removed():
                if self.read_swap_area() is not None:
                    self.swapoff()
                if self.read_mount_points():
                    self.umount()
            lifecycle.refuse_claimed(self, "remove")
            lifecycle.hot_remove(self, timeout)
        except DeviceNotFoundError:
            if not missing_ok:
                raise
        self.close()

    def reset(self, *, timeout: float = BUSY_RETRY_SECONDS) -> None:
        """Throw away all data and most of the configuration (``reset``).

        The kernel keeps writeback_limit, writeback_limit_enable, writeback_batch_size,
        compressed_writeback, and up to 6.11 the algorithm.

        Raises:
            DeviceBusyError: in use (EBUSY); the message says by whom. This waits ``timeout``
                seconds for mere openers, such as udev's probe, but not for swap and mounts.
        """
        self._dir()
        timeout = check_seconds("timeout", timeout)
        lifecycle.refuse_claimed(self, "reset")
        self.write("reset", 1, step="reset", timeout=timeout)

    def configure(
        self,
        *,
        disksize: int | str,
        algorithm: str | Algorithm | Iterable[str | Algorithm] | None = None,
        recompression: str | Algorithm | Iterable[str | Algorithm] = (),
        backing_dev: str | os.PathLike[str] | None = None,
        compressed_writeback: bool | None = None,
        mem_limit: int | str | None = None,
        writeback_limit: int | None = None,
        writeback_batch_size: int | None = None,
        force: bool = False,
    ) -> Algorithm | None:
        """Set the device up in the order that the kernel wants, and read every value back.

        Sizes are bytes, or text such as ``"1.5G"`` or ``"50%"`` (of memory). The first of
        ``algorithm`` that this kernel has is used and returned; ``recompression`` lists the
        secondary algorithms by priority, from 1. ``writeback_limit`` (units of 4096 bytes) is also
        enabled. Whatever is ``None`` stays at the kernel's default; ``recompression`` is empty for
        none. ``force`` overwrites what ``backing_dev`` holds (:meth:`set_backing_dev`).

        Below a file system, make ``disksize`` the quota and set no ``mem_limit``: a device at its
        ``mem_limit`` fails writes that the page cache has long confirmed, so programs, ``dd`` and
        ``sync`` succeed and the data is lost. A full file system says so at once (ENOSPC).

        When a step fails, everything is undone: the device is reset, and settings that survive a
        reset are restored. A device that an earlier, killed attempt left half made is reset first;
        one that has ever been written to, or is in use, is refused.

        Raises:
            DeviceBusyError: initialised and written to, or in use (EBUSY).
            OverwriteError: ``backing_dev`` holds something (EEXIST).
            InvalidValueError: an invalid value; nothing was changed.
            UnsupportedError: this kernel lacks something that was asked for.
            ZramOSError: the kernel's error at the step that failed.
        """
        return lifecycle.configure(
            self,
            disksize=disksize,
            algorithm=algorithm,
            recompression=recompression,
            backing_dev=backing_dev,
            compressed_writeback=compressed_writeback,
            mem_limit=mem_limit,
            writeback_limit=writeback_limit,
            writeback_batch_size=writeback_batch_size,
            force=force,
        )

    # ---- size and memory -----------------------------------------------------------------------

    def read_initstate(self) -> bool:
        """Return whether the device is initialised (``initstate``)."""
        return self.read("initstate") == "1"

    def set_disksize(self, size: int | str) -> None:
        """Initialise the device with a size in bytes, or such as ``"1.5G"`` or ``"50%"``.

        It is rounded up to the page size. The kernel at once takes 16 to 24 bytes of memory for
        each page. If this fails, the device is reset before the error is raised: newer kernels have
        lost its configuration by then, and may crash or use another algorithm on further use.

        Raises:
            InvalidValueError: not a size, or 0.
            DeviceBusyError: already initialised (EBUSY).
            ZramOSError: ENOMEM if it is too large; EINVAL and others for parameters that the
                algorithm refuses.
        """
        wanted = lifecycle.size_of(self, size, "disksize")
        if not wanted:
            raise InvalidValueError(f"{self.name}: disksize 0: use reset to take a device back")
        self._require_uninitialised("set disksize")
        try:
            self._write_verified(
                "disksize", wanted, self.read_disksize, lambda got: got == page_up(wanted)
            )
        except AccessError:
            raise  # the kernel never saw it, and would refuse a reset too
        except ZramOSError as err:
            lifecycle.undo(err, self.reset)
            raise

    def set_mem_limit(self, size: int | str) -> None:
        """Limit the memory of the pool (``mem_limit``), in bytes or as a size; 0 lifts it.

        It is rounded up to the page size and read back. It may be below the present use: what is
        stored stays, and new pages are refused, which a file system learns too late
        (:meth:`configure`). A reset clears the limit.

        Raises:
            InvalidValueError: not a size.
        """
        wanted = lifecycle.size_of(self, size, "mem_limit")
        if not self.read_disksize():  # mm_stat is all zeros until then
            self.write("mem_limit", wanted, step=f"set mem_limit to {wanted}")
            return
        self._write_verified(
            "mem_limit",
            wanted,
            lambda: lifecycle.mem_limit(self),
            lambda got: got == page_up(wanted),
        )

    def reset_mem_used_max(self) -> None:
        """Set the high-water mark to the present use (``mem_used_max``)."""
        self.write("mem_used_max", 0, step="reset mem_used_max")

    def compact(self) -> None:
        """Pack the pool's objects together and free pages (``compact``).

        This returns when the kernel is done, or at once if a compaction is already running.

        Raises:
            ZramOSError: the device is not initialised (EINVAL).
        """
        self.write("compact", 1, step="compact")

    def read_max_comp_streams(self) -> int:
        """Return ``max_comp_streams``: without effect since 4.7, absent in 6.15 and later."""
        return int(self.read("max_comp_streams"))

    def set_max_comp_streams(self, streams: int) -> None:
        """Write ``max_comp_streams``; the kernel accepts and ignores it.

        Raises:
            InvalidValueError: not a whole number from 1 up.
        """
        streams = check_count("max_comp_streams", streams, 1)
        self.write("max_comp_streams", streams)

    # ---- algorithms ----------------------------------------------------------------------------

    def read_comp_algorithm(self) -> str | None:
        """Return the selected algorithm (``comp_algorithm``); ``None`` if the kernel marks none."""
        return parse_algorithms(self.read("comp_algorithm"))[0]

    def read_algorithms(self) -> tuple[str, ...]:
        """Return the algorithms that this kernel offers, in its order (``comp_algorithm``)."""
        return parse_algorithms(self.read("comp_algorithm"))[1]

    def set_comp_algorithm(self, algorithm: str | Algorithm) -> None:
        """Select the algorithm, before the device is initialised, and read it back.

        On 7.3 this resets the parameters of the primary algorithm: set those afterwards
        (:meth:`set_algorithm_params`), or everything at once (:meth:`configure`).

        Raises:
            UnsupportedError: this kernel lacks the algorithm (EINVAL); the message names those
                that it has.
            DeviceBusyError: already initialised (EBUSY).
            InvalidValueError: not a possible name, or one with parameters.
        """
        name = name_of(algorithm, f"{self.name}: comp_algorithm")
        try:
            self._write_verified(
                "comp_algorithm", name, self.read_comp_algorithm, lambda got: got == name
            )
        except ZramOSError as err:
            if err.errno != errno.EINVAL:
                raise
            from .algorithms import no_algorithm

            raise no_algorithm(self, name) from err

    def read_recomp_algorithms(self) -> dict[int, str | None]:
        """Return secondary algorithms by priority (``recomp_algorithm``, 6.2); empty without any.

        Raises:
            UnsupportedError: this kernel has no recompression.
        """
        return parse_recomp_algorithms(self.read("recomp_algorithm"))

    def set_recomp_algorithm(self, algorithm: str | Algorithm, *, priority: int = 1) -> None:
        """Configure a secondary algorithm, before the device is initialised, and read it back.

        Only a reset removes one.

        Raises:
            UnsupportedError: no recompression, or no such algorithm in this kernel.
            InvalidValueError: priority outside 1..3, or an algorithm with parameters.
            DeviceBusyError: already initialised (EBUSY).
        """
        from .algorithms import check_priority

        priority = check_priority(priority, 1)
        name = name_of(algorithm, f"{self.name}: recomp_algorithm")
        try:
            self._write_verified(
                "recomp_algorithm",
                f"algo={name} priority={priority}",
                lambda: self.read_recomp_algorithms().get(priority),
                lambda got: got == name,
                step=f"set recomp_algorithm {priority} to {name}",
            )
        except ZramOSError as err:
            if err.errno != errno.EINVAL:
                raise
            from .algorithms import no_algorithm

            raise no_algorithm(self, name) from err

    def set_algorithm_params(
        self,
        *,
        priority: int = 0,
        level: int | None = None,
        dictionary: str | os.PathLike[str] | None = None,
        winbits: int | None = None,
    ) -> None:
        """Set all parameters of one priority (``algorithm_params``, 6.12), 0 being the primary.

        Parameters that are not given return to their defaults. The kernel checks values only when
        disksize is set, and does not report them. This is refused on an initialised device, where
        6.12 to 6.18 would accept it and free the dictionary that the compressor still uses.

        Raises:
            DeviceBusyError: already initialised (EBUSY).
            UnsupportedError: this kernel accepts no parameters.
            InvalidValueError: priority outside 0..3, or a path that cannot be passed on.
            ZramOSError: the dictionary cannot be read, is empty, or is not a regular file.
        """
        from .algorithms import check_priority

        priority = check_priority(priority, 0)
        text = f"priority={priority} {params_words(level, dictionary, winbits)}".rstrip()
        step = f"set algorithm_params {text}"
        self._require_uninitialised("set algorithm_params")
        if dictionary is None:
            self.write("algorithm_params", text, step=step)
            return
        from ..kernel.dictionary_file import open_dictionary

        with open_dictionary(os.fspath(dictionary), f"{self.name}: ") as fd:
            # By descriptor, so the kernel opens what was looked at.
            words = params_words(level, fd_path(fd), winbits)
            self.write("algorithm_params", f"priority={priority} {words}", step=step)

    def recompress(
        self,
        type: RecompressType | None = None,
        *,
        threshold: int | None = None,
        max_pages: int | None = None,
        algorithm: str | Algorithm | None = None,
        priority: int | None = None,
    ) -> None:
        """Recompress stored pages with one secondary algorithm now (``recompress``, 6.2).

        ``type`` is ``idle``, ``huge``, ``huge_idle`` or ``None`` for all; ``threshold`` (bytes)
        skips smaller objects and rejects results that are not below it; ``max_pages`` bounds the
        work. The algorithm is the one with ``priority``, or the one of ``algorithm``'s name (with
        the parameters that the device has for it), or the one with priority 1. This returns when
        the kernel is done.

        It does the same on every kernel. 6.12 would try all secondary algorithms in turn if none
        were named, take an unknown type for all pages, do nothing for a priority without an
        algorithm, and fail with EAGAIN at once while another run is under way, where 7.x waits.
        Here one algorithm is always named, the rest is refused, and EAGAIN is retried for a minute.

        A page is replaced only if it falls into a smaller size class (:class:`PoolModel`).
        :func:`pyzram.recompress_pages` does this in steps that can be stopped.

        Raises:
            InvalidValueError: an invalid type, priority or number, or an algorithm
                that is not configured.
            UnsupportedError: this kernel has no recompression.
            ZramOSError: the kernel's error (EINVAL if the device is not initialised, or for a
                threshold that is not below the size of incompressible pages).
        """
        from .algorithms import recompress

        recompress(self, type, threshold, max_pages, algorithm, priority)

    def find_recomp_priority(
        self, algorithm: str | Algorithm | None = None, priority: int | None = None
    ) -> int:
        """Return the priority of the secondary algorithm that :meth:`recompress` would use.

        Raises:
            InvalidValueError: no such algorithm is configured; the message says which are.
            UnsupportedError: this kernel has no recompression.
        """
        from .algorithms import find_priority

        return find_priority(self, algorithm, priority)

    # ---- writeback (CONFIG_ZRAM_WRITEBACK) -----------------------------------------------------

    def read_backing_dev(self) -> str | None:
        """Return the backing device's path (``backing_dev``), or ``None`` without one.

        Raises:
            UnsupportedError: this kernel has no writeback.
        """
        path = self.read("backing_dev")
        return None if path == "none" else path

    def read_backing_file(self) -> str | None:
        """Return the file behind the backing device; ``None`` if that is not a loop device.

        Raises:
            UnsupportedError: this kernel has no writeback.
        """
        device = self.read_backing_dev()
        from .backing_attach import backing_file

        return None if device is None else backing_file(device, sysfs=self.sysfs)

    def set_backing_dev(self, path: str | os.PathLike[str], *, force: bool = False) -> None:
        """Attach a block device or a file, before the device is initialised, and read it back.

        Its contents are lost, and what zram puts there is neither encrypted nor of use to anybody
        later. It is claimed exclusively until the next reset; a file is put behind a loop device,
        which goes with that reset too. ``force`` overwrites what is there, but never something
        that is in use.

        Raises:
            OverwriteError: it holds something (EEXIST); the message says what.
            DeviceBusyError: in use (EBUSY), or this device is already initialised.
            ZramOSError: ENOTBLK if it is neither block device nor file, EINVAL if it is too small
                or the device itself, or the error of opening it.
            UnsupportedError: this kernel has no writeback.
        """
        from . import backing

        backing.set_backing_dev(self, path, force)

    def read_writeback_limit(self) -> int:
        """Return how much may still be written, in units of 4096 bytes (``writeback_limit``)."""
        return int(self.read("writeback_limit"))

    def set_writeback_limit(self, units: int) -> None:
        """Set how much may be written from now on, in units of 4096 bytes.

        The limit counts only once enabled (:meth:`set_writeback_limit_enable`). A reset keeps it.

        Raises:
            InvalidValueError: not a whole number from 0 up.
        """
        units = check_count("writeback_limit", units, 0, U64_MAX)
        # A smaller value is right too: 7.x rounds down to whole pages, and a running writeback uses
        # up the limit.
        self._write_verified(
            "writeback_limit", units, self.read_writeback_limit, lambda got: got <= units
        )

    def read_writeback_limit_enable(self) -> bool:
        """Return whether ``writeback_limit`` counts (``writeback_limit_enable``)."""
        return self.read("writeback_limit_enable") != "0"

    def set_writeback_limit_enable(self, enable: bool) -> None:
        """Make ``writeback_limit`` count, or not. A reset keeps this.

        Raises:
            InvalidValueError: neither True nor False.
        """
        check_flag("writeback_limit_enable", enable)
        self._set_number("writeback_limit_enable", int(enable))

    def read_writeback_batch_size(self) -> int:
        """Return how many requests writeback keeps in flight (``writeback_batch_size``, 7.x)."""
        return int(self.read("writeback_batch_size"))

    def set_writeback_batch_size(self, requests: int) -> None:
        """Set how many requests writeback keeps in flight; each takes one page of memory (7.x).

        Raises:
            InvalidValueError: not a whole number from 1 up.
        """
        requests = check_count("writeback_batch_size", requests, 1)
        self._set_number("writeback_batch_size", requests)

    def read_compressed_writeback(self) -> bool:
        """Return whether writeback writes pages as stored (``compressed_writeback``, 7.x)."""
        return self.read("compressed_writeback") != "0"

    def set_compressed_writeback(self, enable: bool) -> None:
        """Write pages back compressed, before the device is initialised (7.x).

        This saves processor time, not space: each page still takes a whole block.

        Raises:
            InvalidValueError: neither True nor False.
        """
        check_flag("compressed_writeback", enable)
        self._set_number("compressed_writeback", int(enable))

    def mark_idle(self, age: int | None = None) -> None:
        """Mark stored pages idle (``idle``): all, or those not touched for ``age`` seconds.

        Raises:
            UnsupportedError: an age, but this kernel does not track access times.
            ZramOSError: EINVAL before the device is initialised.
        """
        if age is None:
            self.write("idle", "all", step="mark pages idle")
            return
        age = check_count("idle age", age)
        try:
            self.write("idle", age, step=f"mark pages idle for {age} s")
        except ZramOSError as err:
            if err.errno == errno.EINVAL and self.read_disksize():
                raise UnsupportedError(
                    errno.EINVAL,
                    f"{self.name}: mark pages idle for {age} s: this kernel does not track "
                    "access times (CONFIG_ZRAM_TRACK_ENTRY_ACTIME, or ZRAM_MEMORY_TRACKING in 6.1)",
                    err.filename,
                ) from err
            raise

    if TYPE_CHECKING:  # exactly one of the three

        @overload
        def writeback(self, type: WritebackType) -> None: ...
        @overload
        def writeback(self, *, page_index: int) -> None: ...
        @overload
        def writeback(self, *, page_indexes: tuple[int, int]) -> None: ...

    def writeback(
        self,
        type: WritebackType | None = None,
        *,
        page_index: int | None = None,
        page_indexes: tuple[int, int] | None = None,
    ) -> None:
        """Write one kind of pages, one page, or a range to the backing device (``writeback``).

        ``type`` is ``idle``, ``huge``, ``huge_idle`` or ``incompressible`` (6.2); a range is
        ``(first, last)``, in one command if the kernel knows ranges (6.16), else page by page. This
        returns when the kernel is done, and succeeds even if nothing qualified.
        :func:`pyzram.writeback_pages` does it in steps that can be bounded and stopped.

        Raises:
            InvalidValueError: not exactly one of the three, an unknown type, or pages beyond
                the end of the device.
            UnsupportedError: a type that this kernel does not know.
            ZramOSError: ENODEV without a backing device, EIO if the limit is used up or a write
                failed, ENOSPC if it is full, EAGAIN while another run is under way (6.12), EINVAL
                if the device is not initialised.
        """
        from . import backing

        backing.writeback(self, type, page_index, page_indexes)

    # ---- swap and file systems -----------------------------------------------------------------

    def read_swap_area(self) -> SwapArea | None:
        """Return the active swap area on the device (/proc/swaps), or ``None``."""
        from ..kernel.holders import swap_area

        return self._ask_by_name("look for swap", swap_area)

    def mkswap(self, *, label: str | None = None, uuid: str | None = None) -> None:
        """Write a swap signature with util-linux's mkswap; ``label`` is at most 15 bytes.

        Raises:
            DeviceBusyError: mounted, swap or open exclusively elsewhere (EBUSY).
            ZramError: mkswap is missing or failed; its own words are kept.
        """
        swap.mkswap(self, label, uuid)

    def swapon(self, *, priority: int = -1, discard: Discard | None = None) -> None:
        """Start swapping on the device (swapon(2)).

        ``priority`` 0..32767 sets the order, -1 leaves it to the kernel (lowest). ``discard`` is
        ``None``, ``"once"``, ``"pages"`` or ``"both"``; zram frees slots without it.

        Raises:
            InvalidValueError: priority or discard out of range.
            DeviceBusyError: it is already swap (EBUSY).
            ZramOSError: EINVAL without a swap signature, EPERM without privilege.
        """
        swap.swapon(self, priority, discard)

    def swapoff(self) -> None:
        """Stop swapping on the device (swapoff(2)); its pages return to memory first.

        Raises:
            ZramOSError: ENOMEM if memory cannot take the pages, EINVAL if it is not swap, EPERM.
        """
        swap.swapoff(self)

    def mkfs(
        self, fstype: str = "ext4", *, label: str | None = None, options: Sequence[str] = ()
    ) -> None:
        """Make a file system with the program mkfs.FSTYPE, which gets ``options`` unchanged.

        A journal is of no use in memory: ``mkfs("ext4", options=["-O", "^has_journal"])``.

        Raises:
            InvalidValueError: ``options`` is not a list, or ``fstype`` not a name.
            DeviceBusyError: mounted, swap or open exclusively elsewhere (EBUSY).
            ZramError: the program is missing or failed; its own words are kept.
        """
        from . import file_system

        file_system.mkfs(self, fstype, label, options)

    def mount(
        self, point: str | os.PathLike[str], *, fstype: str = "ext4", options: str = ""
    ) -> None:
        """Mount the file system on a directory, with options as for mount(8).

        What is written to it shows in the device's figures once the page cache writes it out
        (sync(1)).

        Raises:
            ZramOSError: ``point`` is not a directory (ENOENT, ENOTDIR).
            ZramError: mount failed; its own words are kept.
        """
        from . import file_system

        file_system.mount(self, point, fstype, options)

    def read_mount_points(self) -> tuple[str, ...]:
        """Return where the device is mounted in this mount namespace."""
        from ..kernel.holders import mount_points

        return tuple(self._ask_by_name("look for mounts", mount_points))

    def umount(self) -> None:
        """Unmount the device wherever it is mounted, the latest first.

        Raises:
            DeviceBusyError: something else is mounted over it (EBUSY).
            ZramError: umount failed; its own words are kept.
        """
        from . import file_system

        file_system.umount(self)

    # ---- statistics ----------------------------------------------------------------------------

    def stats(self) -> Stats:
        """Take a snapshot of everything, with the time at which it was taken.

        Raises:
            DeviceNotFoundError: the device was removed meanwhile.
        """
        from .stats import Stats

        return Stats._of_device(self)

    def read_mm_stat(self) -> MmStat:
        """Read ``mm_stat``; all zeros before initialisation."""
        from .stat_files import MmStat

        return MmStat._of(self.read_numbers("mm_stat"))

    def read_io_stat(self) -> IoStat:
        """Read ``io_stat``."""
        from .stat_files import IoStat

        return IoStat._of(self.read_numbers("io_stat"))

    def read_bd_stat(self) -> BdStat:
        """Read ``bd_stat``.

        Raises:
            UnsupportedError: this kernel has no writeback.
        """
        from .stat_files import BdStat

        return BdStat._of(self.read_numbers("bd_stat"))

    def read_debug_stat(self) -> DebugStat:
        """Read ``debug_stat``.

        Raises:
            UnsupportedError: this kernel has no such file.
        """
        from .stat_files import DebugStat

        return DebugStat._read(self)

    def read_stat(self) -> BlockStat:
        """Read ``stat``, the block layer's figures; never blocks."""
        from .stat_files import BlockStat

        return BlockStat._of(self.read_numbers("stat"))

    def read_block_state(self) -> BlockState:
        """Count the stored pages by flag and age (debugfs's ``block_state``).

        :func:`pyzram.slots` goes through them one by one.

        Raises:
            UnsupportedError: the kernel has no block_state, or debugfs is not mounted.
            AccessError: not root.
            ZramOSError: EINVAL before the device is initialised.
        """
        from .block_state import summary

        return summary(self)

    def read_pool_classes(self) -> tuple[PoolClass, ...]:
        """Read the size classes of the device's pool (``zsmalloc/zramN/classes`` in debugfs).

        Empty before the device is initialised.

        Raises:
            UnsupportedError: no CONFIG_ZSMALLOC_STAT, or debugfs is not mounted.
            AccessError: not root.
            DeviceNotFoundError: the device was removed.
        """
        from .pool_classes import read_pool_classes

        return read_pool_classes(self)

    def _set_number(self, name: str, value: int) -> None:
        self._write_verified(name, value, lambda: int(self.read(name)), lambda got: got == value)
