# SPDX-License-Identifier: MIT
"""Leases on files: opening a file with a write lease asks the holder to give the lease up.

A holder that does not handle the signal for that is killed by it. See F_SETLEASE in fcntl(2), and
proc_locks(5).
"""

from __future__ import annotations

import time

from ...kernel.sysfs import read_text
from ...limits import PAGE_SIZE

IN_ONE_PART = PAGE_SIZE // 2  # a read(2) of the table answers with about a page at most
# While two processes lock and unlock all the time, one read misses a lease in 0.6 % of cases, and
# more often the slower this process is.
READS_MAX = 16


class Leases:
    """The files that may not be opened.

    There is no way to open a file only if it has no lease: a lease taken between the check and the
    opening is broken all the same. What was read is trusted for as long as reading it took, so that
    reading takes no more than half of the time, however many locks there are, because reading the
    table slows down locking for everybody. The kernel lists only locks of processes that the PID
    namespace of /proc sees.

    Synchronization: one thread at a time.
    """

    def __init__(self, path: str = "/proc/locks") -> None:
        self._path = path
        self._until = 0.0
        self._held: frozenset[str] = frozenset()

    def forbid(self, key: tuple[str, int]) -> bool:
        """Whether opening a file would break a lease; ``key`` has its device number as in maps.

        Raises:
            OSError: the table cannot be read.
        """
        if time.monotonic() >= self._until:
            # Only the time at work: one that was kept waiting meanwhile would trust it for as long.
            began = time.thread_time()
            self._held = frozenset(self._leased())
            self._until = time.monotonic() + (time.thread_time() - began)
        return f"{key[0]}:{key[1]}" in self._held

    def _leased(self) -> set[str]:
        """What is said to be leased; a table that comes in parts is read until it stays the same.

        The kernel finds its place again by counting locks, so one that is gone since makes it pass
        over another.
        """
        table = self._read()
        found = leased(table)
        reads, before = 1, ""
        while len(table) > IN_ONE_PART and table != before and reads < READS_MAX:
            before, table = table, self._read()
            found |= leased(table)
            reads += 1
        return found

    def _read(self) -> str:
        try:
            return read_text(self._path)
        except FileNotFoundError:
            return ""  # a kernel without locks


def leased(table: str) -> set[str]:
    """Files with a lease, or a delegation of the NFS server, that a reader would break.

    A lease for reading permits any number of readers, unless it is already being broken.
    """
    found = set()
    for line in table.split("\n"):
        # 7: LEASE  ACTIVE    WRITE 1234 00:1a:5678 0 EOF
        words = line.split()
        kind, state, access = words[1:4] if len(words) > 6 else ("", "", "")
        if kind in ("LEASE", "DELEG") and (state, access) != ("ACTIVE", "READ"):
            found.add(words[5])
    return found
