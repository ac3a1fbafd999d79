# SPDX-License-Identifier: MIT
"""Leases on files: to open one for which somebody holds a write lease asks him to give it up.

Who does not handle the signal that says so is killed by it. See F_SETLEASE in fcntl(2), and
proc_locks(5).
"""

from __future__ import annotations

import time

from ..kernel.sysfs import read_text


class Leases:
    """The files that may not be opened.

    There is no way to open a file only if it has no lease: one that is taken between the look and
    the opening is asked for all the same. What was read is believed for as long as reading it took,
    so that this takes no more than half of the time, however many locks there are: to read the
    table makes locking slower for all. The kernel lists the locks only of processes that the pid
    name space of /proc sees.

    Synchronization: one thread at a time.
    """

    def __init__(self, path: str = "/proc/locks") -> None:
        self._path = path
        self._until = 0.0
        self._held: frozenset[str] = frozenset()

    def forbid(self, key: tuple[str, int]) -> bool:
        """Whether opening a file would break a lease; its device number is as maps writes it.

        Raises:
            OSError: the table cannot be read.
        """
        now = time.monotonic()
        if now >= self._until:
            self._held = frozenset(leased(self._read()))
            read = time.monotonic()
            self._until = read + (read - now)
        return f"{key[0]}:{key[1]}" in self._held

    def _read(self) -> str:
        try:
            return read_text(self._path)
        except FileNotFoundError:
            return ""  # a kernel without locks


def leased(table: str) -> set[str]:
    """Files with a lease, or a delegation of the NFS server's, that a reader breaks.

    A lease for reading stands any number of readers, unless it is being broken already.
    """
    found = set()
    for line in table.split("\n"):
        # 7: LEASE  ACTIVE    WRITE 1234 00:1a:5678 0 EOF
        words = line.split()
        kind, state, access = words[1:4] if len(words) > 6 else ("", "", "")
        if kind in ("LEASE", "DELEG") and (state, access) != ("ACTIVE", "READ"):
            found.add(words[5])
    return found
