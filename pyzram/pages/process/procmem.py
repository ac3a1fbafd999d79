# SPDX-License-Identifier: MIT
"""Memory of a process that could go to swap: private (anonymous) pages, and what it shares.

Pages of files are never swapped, and the kernel's page of zeros belongs to nobody, so neither
counts; nor does memory that is locked or was given up. Nothing here stops or changes a process. See
proc_pid_maps(5), proc_pid_smaps(5) and Documentation/admin-guide/mm/pagemap.rst.
"""

from __future__ import annotations

import errno
import os

from ... import _native_memory
from ...errors import ZramOSError, from_errno
from .address_spaces import AddressSpaces
from .mappings import Kinds, MemoryDevices
from .pinned import NOTHING, RING, Pinned, anything_pinned, pinned_ranges
from .process import Process, turned
from .process_pages import ProcessPages
from .walk import Walk

# How often a process may start another program (execve) while it is being inspected.
EXECS = 3


class Inspector:
    """Inspects processes one after the other; what they share counts once.

    ``method`` is ``"ioctl"`` (PAGEMAP_SCAN, Linux 6.7), ``"pagemap"`` or ``"auto"``, which takes
    the first one that the kernel has. With the privilege to see page frames, a page that was met
    before does not count again. Without it, each process counts its share (PSS) of the pages that
    several map, and locked or lazily freed pages are known only by mapping.

    Synchronization: one thread at a time.
    """

    def __init__(self, method: str = "auto") -> None:
        self.kinds = Kinds(MemoryDevices.of_this_system())
        self.frames = _native_memory.Seen()
        self.slots = _native_memory.Seen()
        self.spaces = AddressSpaces()
        self.sockets: set[str] = set()
        self.pins = anything_pinned()
        self._method = method
        self._memory: _native_memory.ProcMem | None = None

    def memory(self, process: Process) -> _native_memory.ProcMem:
        """Turn to the memory of a process; what this returned for another is no longer valid.

        Raises:
            OSError: ESRCH if it has exited, EACCES if it may not be inspected.
        """
        self._memory = turned(self._memory, process, self._method)
        self.kinds.turn(process)
        return self._memory

    def pinned(self, process: Process, maps: list[str]) -> Pinned:
        """What a process has pinned, given the lines of its maps; asked only if there may be any.

        Raises:
            OSError: ESRCH if it has exited.
        """
        if self.pins or any(line.endswith(RING) for line in maps):
            return pinned_ranges(process)
        return NOTHING

    def collect(
        self,
        memory: _native_memory.ProcMem,
        walks: list[tuple[int, ...]],
        sets: list[_native_memory.PageSet],
    ) -> list[list[int]]:
        """Go through mappings (``_native_memory.walk``) and fill the sets.

        Return the counts of each, in the order of :class:`Counts`.
        """
        return memory.collect(walks, sets, seen=self.frames, slots=self.slots)

    def pages(self, pid: int, start_time: int | None = None) -> ProcessPages:
        """Count the swappable private pages of a process, and name the memory it shares.

        With a start time, another process that has the number by now does not count.

        Raises:
            AccessError: the process may not be inspected.
            ZramOSError: ESRCH if it does not exist, has exited, or is a kernel thread.
        """
        what = f"process {pid}: read its memory map"
        try:
            with Process(pid, start_time) as process:
                if process.is_kernel:
                    raise from_errno(
                        errno.ESRCH, what, remedy="a kernel thread has no memory of its own"
                    )
                for _ in range(EXECS):
                    try:
                        return Walk(self, process, self.memory(process)).pages()
                    except OSError as err:
                        if err.errno != errno.ESRCH:
                            raise
                        # Its memory is gone, but it may still be there, running another program.
                        process.read("stat")
                return Walk(self, process, self.memory(process)).pages()
        except ZramOSError:
            raise
        except OSError as err:
            remedy = ""
            code = err.errno or errno.EIO
            if code == errno.ENOENT:
                code = errno.ESRCH
            if code in (errno.EACCES, errno.EPERM):
                remedy = (
                    "not yours; run as root"
                    if os.geteuid()
                    else "it has privileges that this process lacks"
                )
            raise from_errno(code, what, f"/proc/{pid}", remedy=remedy) from err

    def close(self) -> None:
        """Release the process that was inspected last, and the mounts that it saw."""
        self.kinds.close()
        if self._memory is not None:
            self._memory.close()
            self._memory = None

    def __enter__(self) -> Inspector:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
