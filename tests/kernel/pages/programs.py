# SPDX-License-Identifier: MIT
"""Small programs, each with one kind of memory that servers have, in separate cgroups."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator

from kernel.memory_cgroup import MemoryCgroup

HEAD = """
import ctypes, mmap, os, random, sys
PAGE = os.sysconf("SC_PAGE_SIZE")
libc = ctypes.CDLL(None, use_errno=True)
def address(m):
    return ctypes.addressof(ctypes.c_char.from_buffer(m))
def advise(m, advice, size=None):
    size = len(m) if size is None else size
    assert libc.madvise(ctypes.c_void_p(address(m)), ctypes.c_size_t(size), advice) == 0
def private(size, advice=15):  # no huge pages
    m = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    advise(m, advice)
    return m
def text(i, seed):
    r = random.Random(i * 1000 + seed)
    return r.randbytes(PAGE // 4 if i % 8 else PAGE) * (4 if i % 8 else 1)
filled = []
def fill(m, pages, seed=1):
    for i in pages:
        m[i * PAGE : (i + 1) * PAGE] = text(i, seed)
    filled.append((m, pages, seed))
def right():
    return all(m[i * PAGE : (i + 1) * PAGE] == text(i, s) for m, pages, s in filled for i in pages)
def fork(work=lambda: None):
    if os.fork() == 0:
        work()
        os.write(1, b"+")
        sys.stdin.read()
        if right():
            os.write(1, b"!")
        os._exit(0)
def ready():
    os.write(1, b"\\n")
    sys.stdin.read()
    if right():
        os.write(1, b"!")
"""

FORKS = """
m = private(32 << 20)
fill(m, range(8192))
def worker():
    own = private(1 << 20)
    fill(own, range(256), 2)
for _ in range(6):
    fork(worker)
ready()
"""

# Each worker has the first 4 KiB of every huge page, and others of them, for itself.
HUGE_FORKS = """
m = private(34 << 20, 14)  # huge pages
fill(m, range(8192))
everything = filled.pop()[1]
before = -(address(m) // PAGE) % 512
def worker():
    own = sorted({*range(0, 2000, 3), *range(before, 8192, 512)})
    fill(m, own, 2)
    filled.append((m, set(everything).difference(own), 1))
for _ in range(3):
    fork(worker)
filled.append((m, everything, 1))
ready()
"""

SHARED = """
s = mmap.mmap(-1, 32 << 20)
fill(s, range(0, 8192, 2))
def worker():
    fill(s, range(1, 4000, 2), 2)
fork(worker)
ready()
"""

LOCKED = """
m = private(16 << 20)
fill(m, range(4096))
assert libc.mlock(ctypes.c_void_p(address(m)), ctypes.c_size_t(len(m))) == 0
ready()
"""

# One of two processes locks half of what they share.
LOCKED_BY_ONE = """
s = mmap.mmap(-1, 16 << 20)
fill(s, range(4096))
def worker():
    assert libc.mlock(ctypes.c_void_p(address(s)), ctypes.c_size_t(len(s) // 2)) == 0
fork(worker)
ready()
"""

GIVEN_UP = """
m = private(16 << 20)
fill(m, range(2048, 4096))
for i in range(2048):
    m[i * PAGE : (i + 1) * PAGE] = text(i, 3)
# Each processor keeps what it filled or gave up in batches until MADV_FREE empties them: once to
# give up all that was in them, and once to have that counted.
processors = os.sched_getaffinity(0)
for processor in 2 * list(processors):
    os.sched_setaffinity(0, {processor})
    advise(m, 8, 8 << 20)  # MADV_FREE
os.sched_setaffinity(0, processors)
ready()
"""
# Written to again after that: all of it, and half of it.
USED_AGAIN = GIVEN_UP.replace("ready()", "fill(m, range(2048), 2)\nready()")
HALF_AGAIN = GIVEN_UP.replace("ready()", "fill(m, range(0, 2048, 2), 2)\nready()")

ZEROS = """
m = private(16 << 20)
fill(m, range(0, 4096, 2))
for i in range(1, 4096, 2):
    m[i * PAGE] = 1
    m[i * PAGE] = 0
ready()
"""

RESERVED = """
fd = os.memfd_create("reserved")
os.posix_fallocate(fd, 0, 16 << 20)
s = mmap.mmap(fd, 16 << 20)
fill(s, range(0, 2048))
ready()
"""

# Pages that were read, but never written to, among others.
NEVER_WRITTEN = """
fd = os.memfd_create("read")
os.ftruncate(fd, 32 << 20)
s = mmap.mmap(fd, 32 << 20)
fill(s, range(0, 2048))
assert sum(s[i * PAGE] for i in range(2048, 8192, 2)) == 0
ready()
"""

# Memory held only by descriptors: nobody maps it, and it has no name.
HELD = """
held = os.memfd_create("held"), os.open("/dev/shm", os.O_RDWR | os.O_TMPFILE)
for fd in held:
    for i in range(2048):
        os.pwrite(fd, text(i, 1), i * PAGE)
def right():
    return all(os.pread(fd, PAGE, i * PAGE) == text(i, 1) for fd in held for i in range(2048))
ready()
"""

MERGED = """
m = private(16 << 20, 12)  # MADV_MERGEABLE
def text(i, seed):
    return bytes([1 + i % 4]) * (PAGE // 2) + bytes([9]) * (PAGE // 2)
fill(m, range(4096))
ready()
"""

HOLES = """
m = private(64 << 20)
fill(m, range(0, 16384, 4))
s = mmap.mmap(-1, 64 << 20)
fill(s, range(0, 16384, 8))
ready()
"""

SPARSE = """
def reserved(size, flags, fd):
    at = libc.mmap(None, size, 3, flags | 0x4000, fd, 0)  # MAP_NORESERVE
    assert at not in (None, 2**64 - 1), os.strerror(ctypes.get_errno())
    assert libc.madvise(ctypes.c_void_p(at), ctypes.c_size_t(size), 15) == 0
    return at
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
fd = os.memfd_create("sparse")
os.ftruncate(fd, 1 << 40)
starts = reserved(1 << 40, 0x22, -1), reserved(1 << 40, 1, fd)
places = [start + i * (1 << 30) for start in starts for i in range(1024)]
for i, at in enumerate(places):
    ctypes.memmove(at, text(i, 1), PAGE)
def right():
    return all(ctypes.string_at(at, PAGE) == text(i, 1) for i, at in enumerate(places))
ready()
"""

# Half of it is registered with io_uring (io_uring_setup and io_uring_register, buffers).
PINNED = """
import struct
m = private(16 << 20)
fill(m, range(4096))
ring = libc.syscall(425, 4, ctypes.create_string_buffer(120))
assert ring >= 0, os.strerror(ctypes.get_errno())
queue = mmap.mmap(ring, PAGE)
buffers = struct.pack("PNPN", address(m) + PAGE, 4 << 20, address(m) + (8 << 20), 4 << 20)
assert libc.syscall(427, ring, 0, ctypes.create_string_buffer(buffers), 2) == 0
ready()
"""

# The same in memory that two processes share.
PINNED_SHARED = PINNED.replace("private(16 << 20)", "mmap.mmap(-1, 16 << 20)").replace(
    "ready()", "fork()\nready()"
)


@contextlib.contextmanager
def group(body: str, name: str, children: int = 0) -> Iterator[MemoryCgroup]:
    """A process that does ``body`` in its own cgroup, waits, and then says that all is right.

    Its ``children`` say ``+`` when they are ready. In the end ``right()`` decides in each of them
    what is right.
    """
    cgroup = MemoryCgroup(name)
    process = None
    try:
        process = subprocess.Popen(
            [sys.executable, "-c", HEAD + body],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            preexec_fn=cgroup.enter,
        )
        assert process.stdin
        assert process.stdout
        said = b""
        while b"\n" not in said or said.count(b"+") < children:
            more = os.read(process.stdout.fileno(), 100)
            assert more, "the process failed"
            said += more
        yield cgroup
        process.stdin.close()
        process.stdin = None
        assert process.wait() == 0, "its memory is not what it was"
        while more := process.stdout.read(100):
            said += more
        assert said.count(b"!") == children + 1, "not all have their memory as it was"
    finally:
        cgroup.end()
        if process and process.stdin:
            process.stdin.close()
        if process:
            process.wait()
            if process.stdout:
                process.stdout.close()
