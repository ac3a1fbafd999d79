# SPDX-License-Identifier: MIT
"""Many pages compressed at once, by one thread or several."""

from __future__ import annotations

import os
from array import array
from collections import deque
from typing import TYPE_CHECKING, Any

from ...errors import InvalidValueError, from_errno
from ...threads import start
from ...value import check_count
from ..pool.chain import machine_word_size
from .parameters import pinned

if TYPE_CHECKING:
    # collections.abc has it from Python 3.12 on; every type checker knows it by this name.
    from typing_extensions import Buffer

    from ... import _native_codec

WORD_SIZE = machine_word_size()
ZERO = array("I", [0])
# Ctrl-C is noticed between two chunks. Threads take smaller ones, so that none waits long for the
# last chunk of another.
_CHUNK = 1 << 20
_THREAD_BYTES = 256 << 10
THREADS = 8192
"""More than this is a mistake: no Linux machine has that many processors."""


def sizes_of(buffer: Buffer, codec: _native_codec.Codec, threads: int | None) -> array[int]:
    """What each page of a buffer compresses to; 0 for a same-filled page."""
    with pinned(buffer, "buffer") as data:
        length = len(data)
        pages, rest = divmod(length, codec.page_size)
        if rest:
            raise InvalidValueError(
                f"buffer of {length} bytes: not a whole number of pages of {codec.page_size} bytes"
            )
        ret = ZERO * pages
        threads = _threads(threads, length)
        step = (_THREAD_BYTES if threads > 1 else _CHUNK) // codec.page_size
        if pages <= step:
            _chunk(data, codec, ret, 0, pages)
            return ret
    todo = deque(range(0, pages, step))
    if threads > 1:
        _in_threads(buffer, codec, ret, todo, step, min(threads, len(todo)))
    else:
        _work(buffer, codec, ret, todo, step)
    return ret


def _threads(threads: int | None, length: int) -> int:
    if threads is None:
        # Starting a thread is not worth it for a few chunks.
        return len(os.sched_getaffinity(0)) if length >= 4 * _CHUNK else 1
    return check_threads(threads)


def check_threads(threads: int) -> int:
    """Reject an invalid number of threads."""
    wanted = f"not a positive number up to {THREADS}"
    return check_count("threads", threads, 1, THREADS, wanted)


def _work(
    buffer: Buffer, codec: _native_codec.Codec, ret: array[int], todo: deque[int], step: int
) -> None:
    """Take chunks until none is left, or until another thread has failed and cleared them.

    Each thread holds the buffer itself, which must stay while the thread is in C, whatever becomes
    of the others.
    """
    try:
        with pinned(buffer, "buffer") as data:
            while todo:
                try:
                    first = todo.popleft()
                except IndexError:
                    return
                _chunk(data, codec, ret, first, min(step, len(ret) - first))
    finally:
        todo.clear()


def _chunk(data: Any, codec: _native_codec.Codec, ret: array[int], first: int, count: int) -> None:
    try:
        codec.sizes(data, first, count, WORD_SIZE, ret)
    except OSError as err:
        raise from_errno(err.errno or 0, "compress pages") from err


def _in_threads(
    buffer: Buffer,
    codec: _native_codec.Codec,
    ret: array[int],
    todo: deque[int],
    step: int,
    threads: int,
) -> None:
    """Let threads share the work; the caller's is one of them and notices Ctrl-C between chunks."""
    # Not a ThreadPoolExecutor, because importing it takes as long as thousands of pages.
    from threading import Thread

    failures: list[BaseException] = []

    def work() -> None:
        try:
            _work(buffer, codec, ret, todo, step)
        except BaseException as err:
            failures.append(err)

    others = [Thread(target=work, name="pyzram") for _ in range(threads - 1)]
    started: list[Thread] = []
    try:
        for other in others:
            start(other.start)
            started.append(other)
        _work(buffer, codec, ret, todo, step)
    finally:
        todo.clear()
        for other in started:
            other.join()
    if failures:
        raise failures[0]
