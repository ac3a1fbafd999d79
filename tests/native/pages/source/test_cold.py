# SPDX-License-Identifier: MIT
"""Shared memory that can no longer be opened when it is asked how much of it is cold."""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from pyzram.errors import ZramOSError
from pyzram.pages.shared_memory.closed import CLOSED_BY, CLOSED_OBJECTS
from pyzram.pages.source import cold, process_sources


@pytest.fixture
def watched() -> Iterator[cold.Watch]:
    """A look at this process, which shares memory."""
    memory = mmap.mmap(-1, 16 * mmap.PAGESIZE)
    memory[:] = b"x" * len(memory)
    with process_sources.open_processes(os.getpid()) as source:
        if source.by_page_table:
            pytest.skip("mapped objects cannot be opened here")
    with cold.watch({os.getpid(): None}, [0.0]) as watch:
        yield watch
    memory.close()


def refuse(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    def object_pages(_item: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(process_sources, "object_pages", object_pages)


@pytest.mark.parametrize("code", [errno.EBUSY, errno.ENODATA, errno.ESRCH, errno.EACCES])
def test_what_cannot_be_opened_is_reported(code: int, watched: cold.Watch, monkeypatch) -> None:
    refuse(monkeypatch, code)
    for source in (watched.everything(), watched.ages()[0].source):
        with source:
            assert source.skipped[CLOSED_BY.get(code, CLOSED_OBJECTS)] >= 1


@pytest.mark.parametrize("code", [errno.EMFILE, errno.ENOMEM])
def test_what_is_wrong_here_is_no_memory_that_is_gone(code, watched, monkeypatch) -> None:
    refuse(monkeypatch, code)
    with pytest.raises(ZramOSError, match="open shared memory") as raised:
        watched.everything()
    assert raised.value.errno == code


GIVES_UP = """
import ctypes, mmap, sys
change = getattr(ctypes.CDLL(None, use_errno=True), sys.argv[1])
more = [int(word) for word in sys.argv[2:]]
change.argtypes = ctypes.c_void_p, ctypes.c_size_t, *(ctypes.c_int for _ in more)
m = mmap.mmap(-1, 1024 * mmap.PAGESIZE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
m[:] = b"x" * len(m)
print("ready", flush=True)
sys.stdin.readline()
assert change(ctypes.addressof(ctypes.c_char.from_buffer(m)), len(m), *more) == 0
print("ready", flush=True)
sys.stdin.readline()
"""


@pytest.mark.parametrize("call", [["mlock"], pytest.param(["madvise", "8"], id="MADV_FREE")])
def test_what_a_process_locks_or_gives_up_could_not_go_to_swap(call: list[str]) -> None:
    counts = []
    with subprocess.Popen(
        [sys.executable, "-Ic", GIVES_UP, *call],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdin and child.stdout
        for _ in range(2):
            assert child.stdout.readline() == "ready\n"
            with cold.watch({child.pid: None}, [0.0]) as watch, watch.everything() as found:
                counts.append(found.pages)
            child.stdin.write("\n")
            child.stdin.flush()
    assert child.returncode == 0
    # The kernel gives pages up in batches, some of them late.
    assert 512 < counts[0] - counts[1] <= 1024


LOCKS = """
import ctypes, mmap, sys
libc = ctypes.CDLL(None, use_errno=True)
libc.mlock.argtypes = ctypes.c_void_p, ctypes.c_size_t
m = mmap.mmap(int(sys.argv[1]), 0)
assert libc.mlock(ctypes.addressof(ctypes.c_char.from_buffer(m)), 1024 * mmap.PAGESIZE) == 0
print("ready", flush=True)
sys.stdin.read()
"""


def test_what_another_process_locks_is_not_cold(watched: cold.Watch) -> None:
    fd = os.memfd_create("locked elsewhere")
    os.ftruncate(fd, 1280 * mmap.PAGESIZE)
    with mmap.mmap(fd, 0) as memory:
        memory[:] = b"x" * len(memory)
        with subprocess.Popen(
            [sys.executable, "-Ic", LOCKS, str(fd)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=[fd],
        ) as other:
            assert other.stdout
            assert other.stdout.readline() == b"ready\n"
            with cold.watch({os.getpid(): None}, [0.0]) as watch:
                for source in (watch.everything(), watch.ages()[0].source):
                    with source:
                        pages = [
                            row.pages
                            for row in source._segments
                            if "locked elsewhere" in row.owner.name
                        ]
                        assert pages == [256]
            other.kill()
    os.close(fd)


def test_what_is_cold_stays_so_when_its_mapping_grows() -> None:
    """malloc maps memory just below its last mapping, and the kernel joins the two."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mprotect.argtypes = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int
    page, pages, more = mmap.PAGESIZE, 2048, 33  # the first stays, so that it joins no other
    whole = mmap.mmap(-1, (more + pages) * page, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    start = ctypes.addressof(ctypes.c_char.from_buffer(whole)) + more * page
    assert libc.mprotect(start - more * page, more * page, 0) == 0
    ctypes.memset(start, ord("x"), pages * page)
    sizes: list[int] = []

    def grow(_passed: float) -> None:
        sizes.append(16 * (len(sizes) + 1) * page)
        assert libc.mprotect(start - sizes[-1], 16 * page, mmap.PROT_READ | mmap.PROT_WRITE) == 0
        ctypes.memset(start - sizes[-1], ord("y"), 16 * page)

    with cold.watch({os.getpid(): None}, [0.3, 0.6], progress=grow) as watch:
        if len(sizes) < 2:
            pytest.skip("this machine was late, and had no time to grow before each look")
        for size, look in zip(sizes, watch._watched[0].looks, strict=True):
            assert start - size in {use.start for use in look}, "the kernel joined nothing"
        first, last = watch.ages()
        with first.source, last.source:
            assert first.source.pages >= last.source.pages >= pages
