# SPDX-License-Identifier: MIT
"""Processes that share one memory as threads do (vfork(2), clone(2) with CLONE_VM): see kcmp(2)."""

from __future__ import annotations

import errno

from .. import _native_memory

# The kernel was built without kcmp(2), or a filter of system calls is in the way.
UNKNOWN = (errno.ENOSYS, errno.EPERM, errno.EACCES)


class AddressSpaces:
    """Memories that were met, in the kernel's own order, so that few are compared.

    Nothing else tells these processes: each of their pages is mapped by a single table.
    """

    def __init__(self) -> None:
        self._met: dict[str, list[int]] = {}

    def met(self, task: int, layout: str) -> bool:
        """Whether this is the memory of another process before; notes it if not.

        Only processes of one ``layout``, the range of their first mapping, can be the same: of
        others' ranges most begin elsewhere. Where the kernel does not compare, none is the same.
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
