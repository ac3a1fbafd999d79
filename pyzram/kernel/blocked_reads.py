# SPDX-License-Identifier: MIT
"""The one rule for reads that the kernel may hold up.

From 7.x on, reading mm_stat and other files waits in the kernel until a running writeback or
recompression ends (:func:`pyzram.kernel.sysfs.readers_wait` says on which kernels). No signal
interrupts that wait. So the caller never waits itself: a child or a thread does, for a fixed time,
and is left behind when that is over. Which of them depends on whose process this is:

* a command has a forked child read (:class:`ForkedReader`), because no process can end while one of
  its threads is blocked, and a command has to end. It prints what it has and says what is missing.
* the library must not fork the program that uses it, so it has a thread read
  (:func:`read_in_thread`). It raises BlockedError, which costs the caller more than a missing
  figure, so it waits longer.

A different wait is the one for the memory map of a process, which a call of that process may have
locked for good. :mod:`pyzram.kernel.mount_holders` has a thread look, in commands too; ``estimate``
and ``bench`` look themselves while a thread watches (:mod:`pyzram.cli.stalled_command`). That wait
heeds the signals that kill, so the process can end whichever of its threads is blocked.
"""

from __future__ import annotations

import errno
import os
import select

from .. import threads

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TypeVar

    T = TypeVar("T")

COMMAND_SECONDS = 2.0
LIBRARY_SECONDS = 10.0
WHY = "the kernel keeps readers waiting while writeback or recompression runs"
"""Why a read was abandoned, for messages."""
HEAD = 8  # errno and length of an answer, four bytes each
ANSWER = 65536  # the most bytes of one read
REQUESTS = 4096  # bytes that a pipe of any size accepts without blocking
SIGKILL = 9  # the signal module is slow to load


class ForkedReader:
    """A forked child that reads files on request.

    Synchronization: one thread at a time.
    """

    __slots__ = ("_answers", "_asked", "_received", "_requests", "pid")

    def __init__(self) -> None:
        theirs, self._requests = os.pipe()
        self._answers, ours = os.pipe()
        self._asked: list[str] = []
        self._received = b""
        self.pid = os.fork()
        if self.pid == 0:
            try:
                _serve(theirs, ours)
            finally:
                os._exit(0)
        os.close(theirs)
        os.close(ours)

    @property
    def asked(self) -> list[str]:
        """What is being read, in order."""
        return self._asked

    def read(self, path: str, seconds: float, then: Sequence[str] = ()) -> bytes:
        """Have the child read the whole of ``path``, an absolute path without a newline.

        ``then`` are the paths that will probably be wanted next, which the child reads meanwhile.
        What it has read in vain is dropped.

        Raises:
            TimeoutError: no answer within ``seconds``; the child is no longer usable, and
                ``asked[0]`` is the request that it did not answer.
            OSError: the kernel's error.
        """
        if path not in self._asked:
            self.drop(seconds)
            self._ask([path, *then])
        while True:
            answer = self._receive(seconds)
            if self._asked.pop(0) == path:
                break
        code = int.from_bytes(answer[:4], "little")
        if code:
            raise OSError(code, os.strerror(code), path)
        return answer[HEAD:]

    def drop(self, seconds: float) -> None:
        """Discard all requests under way.

        Raises:
            TimeoutError: as :meth:`read`.
        """
        while self._asked:
            self._receive(seconds)
            del self._asked[0]

    def _ask(self, paths: Sequence[str]) -> None:
        """Send as many requests as the pipe accepts."""
        request = b""
        for path in paths:
            line = os.fsencode(path) + b"\n"
            if request and len(request) + len(line) > REQUESTS:
                break
            request += line
            self._asked.append(path)
        try:
            os.write(self._requests, request)
        except BrokenPipeError:
            raise TimeoutError(errno.ETIMEDOUT, "the reading child ended") from None

    def _receive(self, seconds: float) -> bytes:
        """Return the next answer."""
        poll = select.poll()
        poll.register(self._answers, select.POLLIN)
        while len(self._received) < (end := _end_of(self._received)):
            if not poll.poll(seconds * 1000):
                raise TimeoutError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))
            chunk = os.read(self._answers, ANSWER)
            if not chunk:
                raise TimeoutError(errno.ETIMEDOUT, "the reading child ended")
            self._received += chunk
        answer, self._received = self._received[:end], self._received[end:]
        return answer

    def ended(self) -> bool:
        """Whether the child is gone; if so, reap it."""
        try:
            return os.waitpid(self.pid, os.WNOHANG)[0] != 0
        except ChildProcessError:
            return True

    def leave(self) -> None:
        """Abandon a child that hangs; it ends when the kernel lets it."""
        os.close(self._requests)
        os.close(self._answers)
        os.kill(self.pid, SIGKILL)

    def close(self) -> None:
        """End the child; if it is still reading (after Ctrl-C), leave it behind."""
        if self._asked:
            self.leave()
            return
        os.close(self._requests)
        os.close(self._answers)
        os.waitpid(self.pid, 0)


def _end_of(answer: bytes) -> int:
    """The length of an answer, or the least that it can be, judged by its beginning."""
    return HEAD + int.from_bytes(answer[4:HEAD], "little")


def _serve(requests: int, answers: int) -> None:
    """Answer requests until there are no more, which is all that the child does."""
    # A child that hangs must keep nothing of its parent's open: no pipe that somebody reads, and no
    # directory.
    os.dup2(requests, 0)
    os.dup2(answers, 1)
    os.closerange(2, os.sysconf("SC_OPEN_MAX"))
    os.chdir("/")
    requests_read = b""
    while True:
        while b"\n" not in requests_read:
            chunk = os.read(0, REQUESTS)
            if not chunk:
                return
            requests_read += chunk
        path, _, requests_read = requests_read.partition(b"\n")
        code, data = 0, b""
        try:
            fd = os.open(path, os.O_RDONLY)
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
        ZramOSError: there can be no more threads.
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
    threads.start(thread.start)
    thread.join(seconds)
    if failure:
        raise failure[0]
    if not outcome:
        raise TimeoutError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))
    return outcome[0]
