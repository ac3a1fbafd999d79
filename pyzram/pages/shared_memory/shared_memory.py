# SPDX-License-Identifier: MIT
"""Shared memory, object by object: tmpfs files, memfd, System V segments, shared mappings.

A page table shows only what its process has touched, and nothing that is in swap. So the object
itself is opened (``/proc/PID/map_files``, which takes privilege) and asked which of its pages are
in memory. Without privilege, the object is the union of what its users' page tables show.
"""

from __future__ import annotations

import errno
import os
from stat import S_ISREG
from typing import TYPE_CHECKING

from ... import _native_memory
from ...errors import from_errno
from ...kernel.sysfs import GONE, pass_over
from ...limits import PAGE_SIZE
from ..process.mappings import device_text, internal_device
from ..process.process import Process, turned
from .closed import CLOSED_FILES, CLOSED_SEGMENTS, TOO_MANY_FILES
from .shared_object import OURS, FileAt, MappedAt, OpenAt, SharedObject, SystemV
from .small_files import SmallFiles
from .system_v import ATTACHED, ipc_space, last_detach_destroys, segments
from .tmpfs import TmpfsFiles, is_small, tmpfs_mounts

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..process.held_files import HeldFile
    from ..process.mappings import Mapping
    from ..process.process_pages import ProcessPages


class SharedMemory:
    """All objects that processes use, each once."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, int, str], SharedObject] = {}
        """by device, inode, and for System V segments the namespace that numbers them"""
        self.locked = 0
        """pages that page tables showed to be locked"""
        self.closed: dict[tuple[str, int, str], int] = {}
        """objects that nobody maps and that could not be opened, with the errno of that"""
        self.small: list[SmallFiles] = []
        """small files that nobody maps, by folder"""
        self.closed_small: dict[int, int] = {}
        """how many of them could not be opened, by errno"""
        self._space = ipc_space()
        self._segments = {segment.number: segment for segment in segments()}
        self._unswappable = {mount.dev for mount in tmpfs_mounts() if mount.unswappable}
        self._internal = internal_device() or "00:01"
        self._memory: _native_memory.ProcMem | None = None
        self._looked_at = -1

    def close(self) -> None:
        """Release the process that was inspected last."""
        if self._memory is not None:
            self._memory.close()
            self._memory = None

    def __enter__(self) -> SharedMemory:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def add_process(self, found: ProcessPages) -> None:
        """Add what a process shares; nothing if it has exited."""
        if not (found.shared or found.held.files):
            return
        try:
            with Process(found.pid, found.start_time) as process:
                self.add_mappings(process, found.shared)
                for mapping in found.pinned_shared:
                    self.add_lock(process, mapping)
                self._add_clean(process, found.clean_shared)
                self._add_held(process, found.held.files)
        except OSError as err:
            pass_over(err)

    def add_mappings(self, process: Process, shared: Iterable[tuple[Mapping, bool]]) -> None:
        """Add mappings of a process, each with whether it is locked.

        Raises:
            OSError: it has exited.
        """
        self._looked_at = -1
        for mapping, locked in shared:
            self._add(process, mapping, locked)

    def _add(self, process: Process, mapping: Mapping, locked: bool) -> None:
        key = self.key_of(process, mapping)
        shared = self.objects.get(key)
        if shared is None:
            shared = self.objects[key] = SharedObject(key[:2], mapping.path)
        pages = _range_of(mapping)
        locked = locked or self.stays(key)
        if locked:
            shared.locked.append(pages)
        if not (shared.closed or shared.views):
            shared.places.append(
                MappedAt(process.pid, process.start_time, mapping.start, mapping.end)
            )
            try:
                if len(shared.places) == 1:
                    os.close(shared.open())
                shared.ranges.append(pages)
                return
            except OSError as err:
                if err.errno in OURS:
                    raise from_errno(err.errno, f"{shared.name}: open shared memory") from err
                shared.places.clear()
                shared.closed = err.errno not in GONE
        self.locked += shared.look(process, self._map_of(process), mapping, locked)

    def _add_held(self, process: Process, files: Iterable[HeldFile]) -> None:
        """Add files that a process has open, those that have no name any more."""
        for file in files:
            key = file.dev, file.inode, ""
            place = OpenAt(process.pid, process.start_time, file.number)
            shared = self.objects.get(key) or SharedObject(key[:2], file.name)
            if shared.closed or shared.views:
                continue  # it is seen through page tables
            try:
                status = _status(place)
                # The number may be another file's by now.
                if (device_text(status.st_dev), status.st_ino) != key[:2] or status.st_nlink:
                    continue
                if not S_ISREG(status.st_mode):
                    continue  # a pipe, a socket or a device
                if not shared.places:
                    shared.places.append(place)
                    os.close(shared.open())
                elif shared.places[-1][:2] != place[:2]:
                    shared.places.append(place)  # another process, in case the first ones exit
            except OSError as err:
                if err.errno in OURS:
                    raise from_errno(err.errno, f"{shared.name}: open shared memory") from err
                if err.errno not in GONE:
                    self.closed[key] = err.errno or errno.EIO
                continue
            self.objects[key] = shared
            self._add_range(shared, key, status.st_size)

    def add_lock(self, process: Process, mapping: Mapping) -> None:
        """Note that a process keeps this in memory, if it is of an object that counts."""
        shared = self.objects.get(self.key_of(process, mapping))
        if shared is not None:
            shared.locked.append(_range_of(mapping))

    def _add_clean(self, process: Process, mappings: Iterable[tuple[Mapping, int]]) -> None:
        """Note how many pages of objects are clean: what one process maps of it, at most."""
        counts: dict[tuple[str, int, str], int] = {}
        for mapping, clean in mappings:
            key = self.key_of(process, mapping)
            counts[key] = counts.get(key, 0) + clean
        for key, clean in counts.items():
            shared = self.objects[key]
            shared.clean = max(shared.clean, clean)

    def key_of(self, process: Process, mapping: Mapping) -> tuple[str, int, str]:
        """What an object that a process maps has in :attr:`objects`."""
        segment = mapping.dev == self._internal and mapping.path.startswith(ATTACHED)
        return mapping.dev, mapping.inode, ipc_space(process.fd) if segment else ""

    def _map_of(self, process: Process) -> _native_memory.ProcMem:
        if self._memory is None or self._looked_at != process.fd:
            self._memory = turned(self._memory, process)
            self._looked_at = process.fd
        return self._memory

    def stays(self, key: tuple[str, int, str]) -> bool:
        """Whether a whole object is kept out of swap."""
        dev, inode, space = key
        if space:
            segment = self._segments.get(inode) if space == self._space else None
            return bool(segment and segment.locked)
        return dev in self._unswappable

    def add_unmapped(self, pids: list[int]) -> dict[str, int]:
        """Add tmpfs files and System V segments that nobody maps; return what was hidden."""
        hidden = 0
        files = TmpfsFiles(pids, self.objects)
        for folder, name, status in files:
            key = device_text(status.st_dev), status.st_ino, ""
            if is_small(status):
                self._add_small(folder, name, key, status.st_size)
            else:
                path = f"{folder}/{name}"
                self._add_whole(key, path, FileAt(path), status.st_size)
        for segment in self._segments.values():
            key = self._internal, segment.number, self._space
            if key in self.objects or segment.attached:
                continue
            if segment.in_memory and (os.geteuid() != 0 or last_detach_destroys()):
                hidden += 1
            elif segment.in_memory or segment.swapped:
                name = f"System V segment {segment.number}"
                self._add_whole(key, name, SystemV(segment.number), segment.size)
        return {
            CLOSED_SEGMENTS: hidden,
            CLOSED_FILES: files.hidden,
            TOO_MANY_FILES: files.too_many,
        }

    def _add_small(self, folder: str, name: str, key: tuple[str, int, str], size: int) -> None:
        if not self.small or self.small[-1].folder != folder:
            self.small.append(SmallFiles(folder, key[0]))
        try:
            self.small[-1].add(name, key[1], -(-size // PAGE_SIZE), self.stays(key))
        except OSError as err:
            if err.errno in OURS:
                raise from_errno(err.errno, f"{folder}/{name}: open shared memory") from err
            code = err.errno or errno.EIO
            self.closed_small[code] = self.closed_small.get(code, 0) + 1

    def _add_whole(
        self, key: tuple[str, int, str], name: str, place: FileAt | SystemV, size: int
    ) -> None:
        shared = self.objects[key] = SharedObject(key[:2], name)
        shared.places.append(place)
        self._add_range(shared, key, size)

    def _add_range(self, shared: SharedObject, key: tuple[str, int, str], size: int) -> None:
        """Add all of an object, once."""
        whole = 0, -(-size // PAGE_SIZE)
        if whole not in shared.ranges:
            shared.ranges.append(whole)
            if self.stays(key):
                shared.locked.append(whole)


def _range_of(mapping: Mapping) -> tuple[int, int]:
    """The pages of an object that a mapping shows."""
    first = mapping.offset // PAGE_SIZE
    return first, first + (mapping.end - mapping.start) // PAGE_SIZE


def _status(place: OpenAt) -> os.stat_result:
    fd = place.open()
    try:
        return os.fstat(fd)
    finally:
        os.close(fd)
