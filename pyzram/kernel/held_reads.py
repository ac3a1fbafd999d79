# SPDX-License-Identifier: MIT
"""The one rule for reads that the kernel may hold up.

From 7.x on, reading mm_stat and others waits in the kernel until a running writeback or
recompression ends (:func:`pyzram.kernel.sysfs.readers_wait` says where). No signal interrupts that
wait. So the asker never waits itself: a helper does, for a fixed time, and is left behind when that
is over. Which helper depends on whose process it is:

* a command lets a forked child read (:class:`ForkedReader`), because no process can end while one
  of its threads is held up, and a command has to end. It prints what it has and says what is
  missing.
* the library must not fork the program that uses it and lets a thread read
  (:func:`read_in_thread`). It raises BlockedError, which costs the caller more than a missing
  figure, so it waits longer.
"""

from __future__ import annotations

import errno
import os
import select

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    T = TypeVar("T")

COMMAND_SECONDS = 2.0
LIBRARY_SECONDS = 10.0
WHY = "the kernel keeps readers waiting while writeback or recompression runs"
"""Why a read was given up, for messages."""
HEAD = 8  # errno and length of an answer, four bytes each
ANSWER = 65536  # bytes at most of one read
SIGKILL = 9  # the signal module is slow to load


class ForkedReader:
    """A forked child that reads files on request.

    Synchronization: one thread at a time.
    """

    __slots__ = ("_answers", "_requests", "_waiting", "pid")

    def __init__(self) -> None:
        theirs, self._requests = os.pipe()
        self._answers, ours = os.pipe()
        self._waiting = False
        self.pid = os.fork()
        if self.pid == 0:
            try:
                _serve(theirs, ours)
            finally:
                os._exit(0)
        os.close(theirs)
        os.close(ours)

    def read(self, path: str, seconds: float) -> bytes:
        """Have the child read ``path`` (an absolute path without a newline) whole.

        Raises:
            TimeoutError: no answer within ``seconds``; the child cannot be used any more.
            OSError: the kernel's answer.
        """
        self._waiting = True
        try:
            os.write(self._requests, os.fsencode(path) + b"\n")
        except BrokenPipeError:
            raise TimeoutError(errno.ETIMEDOUT, "the reading child ended") from None
        answer = self._receive(seconds)
        self._waiting = False
        code = int.from_bytes(answer[:4], "little")
        if code:
            raise OSError(code, os.strerror(code), path)
        return answer[HEAD:]

    def _receive(self, seconds: float) -> bytes:
        """Return the answer, which usually comes in one piece."""
        poll = select.poll()
        poll.register(self._answers, select.POLLIN)
        data = b""
        while len(data) < HEAD or len(data) < HEAD + int.from_bytes(data[4:HEAD], "little"):
            if not poll.poll(seconds * 1000):
                raise TimeoutError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))
            chunk = os.read(self._answers, ANSWER)
            if not chunk:
                raise TimeoutError(errno.ETIMEDOUT, "the reading child ended")
            data += chunk
        return data

    def ended(self) -> bool:
        """Whether the child is gone; reaps it."""
        try:
            return os.waitpid(self.pid, os.WNOHANG)[0] != 0
        except ChildProcessError:
            return True

    def leave(self) -> None:
        """Let go of a child that hangs: it ends when the kernel lets it."""
        os.close(self._requests)
        os.close(self._answers)
        os.kill(self.pid, SIGKILL)

    def close(self) -> None:
        """End the child; one that still reads (Ctrl-C came in between) is left behind."""
        if self._waiting:
            self.leave()
            return
        os.close(self._requests)
        os.close(self._answers)
        os.waitpid(self.pid, 0)


def _serve(requests: int, answers: int) -> None:
    """Answer requests until there are no more; the child's whole life."""
    # A child that hangs must keep nothing of its parent open: no pipe that somebody reads, no
    # directory.
    os.dup2(requests, 0)
    os.dup2(answers, 1)
    os.closerange(2, os.sysconf("SC_OPEN_MAX"))
    os.chdir("/")
    while True:
        path = b""
        while not path.endswith(b"\n"):
            # One request at a time is under way, so this is never more than its line.
            chunk = os.read(0, 4096)
            if not chunk:
                return
            path += chunk
        code, data = 0, b""
        try:
            fd = os.open(path[:-1], os.O_RDONLY)
            try:
                data = os.read(fd, ANSWER)
            finally:
                os.close(fd)
        except OSError as err:
            code = err.errno or errno.EIO
        os.write(1, code.to_bytes(4, "little") + len(data).to_bytes(4, "little") + data)


def read_in_thread(call: Callable[[], T], seconds: float) -> T:
    """Have a thread do one read, and leave it behind if it takes longer.

    Raises:
        TimeoutError: no answer within ``seconds``.
    """
    from threading import Thread

    outcome: list[T] = []
    failure: list[BaseException] = []

    def run() -> None:
        try:
            outcome.append(call())
        except BaseException as err:
            failure.append(err)

    thread = Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if failure:
        raise failure[0]
    if not outcome:
        raise TimeoutError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))
    return outcome[0]
