# SPDX-License-Identifier: MIT
"""Processes that share one memory, like threads (vfork(2), clone(2) with CLONE_VM); see kcmp(2)."""

from __future__ import annotations

import errno

from ... import _native_memory

# The kernel was built without kcmp(2), or a system call filter is in the way.
UNKNOWN = (errno.ENOSYS, errno.EPERM, errno.EACCES)


class AddressSpaces:
    """Address spaces met so far, in the kernel's own order, so that few need comparing.

    Nothing else reveals such processes, since a single table maps each of their pages.
    """

    def __init__(self) -> None:
        self._met: dict[str, list[int]] = {}

    def met(self, task: int, layout: str) -> bool:
        """Whether an earlier process has the same memory; if not, note this one.

        Only processes with the same ``layout``, the range of their first mapping, can share memory;
        most ranges of others begin elsewhere. If the kernel does not compare, none share it.
        """
        before = self._met.setdefault(layout, [])
        low, high = 0, len(before)
        while low < high:
            middle = (low + high) // 2
            try:
                order = _native_memory.compare_memory(task, before[middle])
            except OSError as err:
                if err.errno in UNKNOWN:
                    return False
                if err.errno != errno.ESRCH:
                    raise
                del before[middle]  # it has exited, or both have
                high -= 1
                continue
            if order == 0:
                return before[middle] != task
            if order == 1:
                high = middle
            else:
                low = middle + 1
        before.insert(low, task)
        return False
