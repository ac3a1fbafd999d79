# SPDX-License-Identifier: MIT
"""A process, held from the first look to the last read, even if another gets its number later.

Who holds a mount or device is asked of ``kernel.process_folder``, which reads no more than that.
"""

from __future__ import annotations

import errno
import os
import time
from typing import TYPE_CHECKING

from ... import _native_memory
from ...descriptor import Opened
from ...kernel.parse import parse_swaps
from ...kernel.sysfs import pass_over, read_text
from ...limits import PAGE_SIZE
from .rollup import rollup

if TYPE_CHECKING:
    from array import array
    from collections.abc import Mapping

    Chosen = Mapping[int, int | None]
    """Process numbers, each with the start time of the process that is meant, if that is known."""

PF_KTHREAD = 0x00200000
ENDED = "Z"
ASK_AGAIN_SECONDS = 1.0


def _refuse_hidden(pid: int) -> None:
    """Refuse a process that is there, although /proc does not show it to this user."""
    try:
        os.kill(pid, 0)  # this sends nothing
    except PermissionError as err:
        raise OSError(errno.EACCES, os.strerror(errno.EACCES), f"/proc/{pid}") from err
    except (ProcessLookupError, OverflowError):
        pass


class Process:
    """A process, held by a descriptor, so that a later one with its number is not mistaken for it.

    With a start time, it is the process with this number that was seen to have it.

    Raises:
        OSError: ENOENT or ESRCH if there is none; EACCES if it is hidden (``hidepid``).
    """

    __slots__ = ("fd", "is_kernel", "name", "parent", "pid", "start_time", "task")

    def __init__(self, pid: int, start_time: int | None = None) -> None:
        self.pid = self.task = pid
        try:
            self.fd = os.open(f"/proc/{pid}", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:
            _refuse_hidden(pid)
            raise
        try:
            text = self.read("stat")
        except OSError:
            self.close()
            raise
        # The name in brackets may contain anything, so count from its end.
        head, _, tail = text.rpartition(")")
        words = tail.split()
        self.name = head.partition("(")[2]
        self.parent = int(words[1])
        self.is_kernel = bool(int(words[6]) & PF_KTHREAD)
        self.start_time = int(words[19])
        if start_time not in (None, self.start_time):
            self.close()
            raise OSError(errno.ESRCH, os.strerror(errno.ESRCH))
        if words[0] == ENDED and int(words[17]) > 1:
            self._turn_to_thread()

    def _turn_to_thread(self) -> None:
        """Use another thread: the first one has ended, and its files no longer show the memory.

        Each thread has a folder like that of a process, although it is not listed.
        """
        with Opened("task", os.O_RDONLY | os.O_DIRECTORY, dir_fd=self.fd) as folder:
            threads = os.listdir(folder)
        for thread in threads:
            try:
                fd = os.open(f"/proc/{thread}", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            except OSError as err:
                pass_over(err)
                continue
            try:
                text = read_text("status", dir_fd=fd)
                lives = f"\nState:\t{ENDED}" not in text and f"\nTgid:\t{self.pid}\n" in text
                self.read("stat")  # check that the number still belongs to this process
            except OSError as err:
                os.close(fd)
                pass_over(err)
                continue
            if lives:
                os.close(self.fd)
                self.fd, self.task = fd, int(thread)
                return
            os.close(fd)

    def read(self, name: str) -> str:
        """Read one of its files."""
        return read_text(name, dir_fd=self.fd)

    def close(self) -> None:
        """Release the process."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def _swap_areas() -> int:
    """How many swap areas there are; 0 if that cannot be told, which matters only to very many."""
    try:
        return len(parse_swaps(read_text("/proc/swaps")))
    except OSError:
        return 0


def turned(
    memory: _native_memory.ProcMem | None, process: Process, method: str = "auto"
) -> _native_memory.ProcMem:
    """The memory of a process; an existing reader switches to it, which costs less.

    Raises:
        OSError: ESRCH if it has exited, EACCES if it may not be inspected.
    """
    if memory is None:
        return _native_memory.ProcMem(process.fd, method, _swap_areas())
    memory.turn(process.fd)
    return memory


class ProcessReader:
    """Reads single pages of processes that were counted before, one process after the other.

    Synchronization: one thread at a time.
    """

    __slots__ = ("_asked", "_at", "_gives_up", "_memory", "_method")

    def __init__(self, method: str = "auto") -> None:
        self._at: tuple[int, int] | None = None
        self._gives_up: bool | None = None
        self._asked = 0.0
        self._memory: _native_memory.ProcMem | None = None
        self._method = method

    def close(self) -> None:
        """Release the process that was read last."""
        self._at = None
        if self._memory is not None:
            self._memory.close()
            self._memory = None

    def abandon(self) -> None:
        """Forget it without closing: after a fork its descriptors are the parent's."""
        self._at = None
        if self._memory is not None:
            self._memory.abandon()
            self._memory = None

    @property
    def is_open(self) -> bool:
        """Whether a process is held."""
        return self._memory is not None

    def turn(self, pid: int, start_time: int) -> _native_memory.ProcMem:
        """Turn to a process.

        Raises:
            OSError: ESRCH, it has exited.
        """
        if self._memory is not None and self._at == (pid, start_time):
            return self._memory
        self._at = None
        with Process(pid, start_time) as process:
            self._memory = turned(self._memory, process, self._method)
        self._at, self._gives_up = (pid, start_time), None
        return self._memory

    def read(self, pid: int, start_time: int, numbers: array[int], out: memoryview) -> list[bool]:
        """Read pages by their numbers, one after the other, and return which could be read.

        Frames given up by MADV_FREE and then written to look like those that were not written to,
        so they are read only if the whole process has none that it gave up.

        Raises:
            OSError: ESRCH if the process has exited.
        """
        memory = self.turn(pid, start_time)
        for i, number in enumerate(numbers):
            numbers[i] = number * PAGE_SIZE
        _, flags = memory.read(numbers, out)
        if _native_memory.READ_FREED in flags and not self._has_given_up(pid, start_time):
            _, flags = memory.read(numbers, out, freed=True)
        return [flag == _native_memory.READ_DONE for flag in flags]

    def _has_given_up(self, pid: int, start_time: int) -> bool:
        # It may give up more at any moment, and asking takes a walk through all its memory.
        if self._gives_up is None or time.monotonic() - self._asked > ASK_AGAIN_SECONDS:
            self._asked = time.monotonic()
            try:
                with Process(pid, start_time) as process:
                    self._gives_up = rollup(process).lazily_freed > 0
            except OSError:
                self._gives_up = True  # unknown, so nothing is touched
        return self._gives_up


def all_processes() -> list[int]:
    """The process numbers in ``/proc``, ascending."""
    return sorted(int(name) for name in os.listdir("/proc") if name.isdigit())
