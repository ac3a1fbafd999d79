# SPDX-License-Identifier: MIT
"""Memory of children with known contents, scanned in both ways."""

import contextlib
import ctypes
import errno
import gc
import mmap
import os
import platform
import random
import re
import resource
import subprocess
import sys
import warnings
from array import array
from pathlib import Path
from unittest import mock

import pytest

from pyzram import _native_memory
from pyzram.errors import ZramOSError
from pyzram.pages.estimate.estimator import estimate_pages
from pyzram.pages.estimate.sampling import Sample
from pyzram.pages.process import mappings, mount_views, procmem, walk
from pyzram.pages.process.process import Process, ProcessReader
from pyzram.pages.process.process_pages import PageCounts
from pyzram.pages.process.rollup import NOTHING, rollup
from pyzram.pages.shared_memory.shared_object import MappedAt
from pyzram.pages.source import cold
from pyzram.pages.source.process_sources import open_processes
from pyzram.pages.source.sources import NOT_TOLD_CLEAN, PINNED_SOMEWHERE

PAGE = os.sysconf("SC_PAGE_SIZE")


def opened(pid, method="auto"):
    with Process(pid) as process:
        return _native_memory.ProcMem(process.fd, method)


def process_pages(pid, *, method="auto"):
    with procmem.Inspector(method) as inspector:
        return inspector.pages(pid)


def collected(memory, start, pages, kind=mappings.ANON, *, seen=None, slots=None, **options):
    """Addresses of the pages found, and the counts."""
    found = _native_memory.PageSet()
    walk = _native_memory.walk(start, start + pages * PAGE, kind, pages=0, **options)
    counts = PageCounts(*memory.collect([walk], [found], seen=seen, slots=slots)[0])
    numbers = array("Q", bytes(8 * len(found)))
    found.select(array("Q", range(len(found))), numbers)
    assert counts.present == len(found)
    return [number * PAGE for number in numbers], counts


def has_ioctl():
    try:
        opened(os.getpid(), "ioctl").close()
    except OSError as err:
        # An emulator of system calls says ENOSYS.
        assert err.errno in (errno.ENOTTY, errno.ENOSYS)
        return False
    return True


needs_ioctl = pytest.mark.skipif(not has_ioctl(), reason="needs PAGEMAP_SCAN (Linux 6.7)")
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root to see page frames")
METHODS = [pytest.param("ioctl", marks=needs_ioctl), "pagemap"]

CHILD = """
import ctypes, mmap, os, sys
PAGE = os.sysconf("SC_PAGE_SIZE")
libc = ctypes.CDLL(None, use_errno=True)
def address(m):
    return ctypes.addressof(ctypes.c_char.from_buffer(m))
{body}
print(*answer, flush=True)
sys.stdin.read()
"""


@contextlib.contextmanager
def child(body):
    """A process that does `body`, prints the numbers in `answer`, and waits."""
    process = subprocess.Popen(
        [sys.executable, "-c", CHILD.format(body=body)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        numbers = [int(word) for word in process.stdout.readline().split()]
        while " S " not in Path(f"/proc/{process.pid}/stat").read_text():
            assert process.poll() is None, "the child failed"
            os.sched_yield()  # on its way into read() it still touches memory
        yield process.pid, numbers
    finally:
        process.stdin.close()
        process.wait()
        process.stdout.close()


def touched(memory, start, pages):
    counts = collected(memory, start, pages)[1]
    return counts.present, counts.swapped


def flat(pages):
    """The figures of a process that can be compared between two looks."""
    parts = {part: len(numbers) for part, numbers in pages.parts.items()}
    return parts, pages.swapped, pages.left_out, pages.shared, pages.skipped


SPARSE = """
m = mmap.mmap(-1, 1000 * PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
libc.madvise(ctypes.c_void_p(address(m)), ctypes.c_size_t(1000 * PAGE), 15)  # no huge pages
for i in range(0, 1000, 3):
    m[i * PAGE : i * PAGE + 8] = i.to_bytes(8, "little")
answer = [address(m)]
"""


@pytest.mark.parametrize("method", METHODS)
def test_touched_private_pages_are_found_and_read(method):
    with child(SPARSE) as (pid, [start]):
        memory = opened(pid, method)
        assert memory.method() == method
        assert touched(memory, start, 1000) == (334, 0)
        found, _ = collected(memory, start, 1000)
        assert [(a - start) // PAGE for a in found] == list(range(0, 1000, 3))
        addresses = array("Q", [found[i] for i in (0, 1, 100, 333)])
        pages = bytearray(4 * PAGE)
        assert memory.read(addresses[:4], pages) == (4, b"\1\1\1\1")
        first = [int.from_bytes(pages[i * PAGE : i * PAGE + 8], "little") for i in range(4)]
        assert first == [0, 3, 300, 999]
        memory.close()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("runs", [511, 512, 513, 1000, 1024, 1025, 1500, 3000])
def test_many_runs_of_pages_are_found_once(method, runs):
    body = f"""
m = mmap.mmap(-1, {2 * runs} * PAGE)
for i in range({runs}):
    m[2 * i * PAGE] = 1
answer = [address(m)]
"""
    with child(body) as (pid, [start]):
        memory = opened(pid, method)
        found, _ = collected(memory, start, 2 * runs, mappings.SHMEM)
        assert found == list(range(start, start + 2 * runs * PAGE, 2 * PAGE))
        memory.close()


@needs_ioctl
@needs_root
def test_both_methods_agree_on_a_whole_process():
    body = (
        SPARSE
        + """
b = bytearray(3_000_000)
z = mmap.mmap(-1, 64 * PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
x = [z[i * PAGE] for i in range(64)]
s = mmap.mmap(-1, 40 * PAGE)
for i in range(20):
    s[i * PAGE] = 1
"""
    )
    with child(body) as (pid, _):
        one = process_pages(pid, method="ioctl")
        other = process_pages(pid, method="pagemap")
    assert flat(one) == flat(other)
    assert one.present > 334 + 700
    assert [mapping.path for mapping, _ in one.shared] == ["/dev/zero (deleted)"]
    assert one.skipped >= 2


@pytest.mark.parametrize("method", METHODS)
def test_shared_memory_counts_and_files_do_not(method):
    # Not a file of ours, because temporary folders are often in memory, where files do count.
    maps = Path("/proc/self/maps").read_text().split("\n")
    # Files that another test loaded, or that an upgrade replaced, are gone from their folder.
    mapped = {line.split()[-1] for line in maps if ".so" in line and "(deleted)" not in line}
    name = max(mapped, key=os.path.getsize)
    body = f"""
s = mmap.mmap(-1, 40 * PAGE)
for i in range(20):
    s[i * PAGE] = 1
fd = os.memfd_create("x")
os.ftruncate(fd, 16 * PAGE)
d = mmap.mmap(fd, 16 * PAGE)
d[:] = b"memfd..." * (2 * PAGE)
f = os.open({name!r}, os.O_RDONLY)
r = mmap.mmap(f, 8 * PAGE, flags=mmap.MAP_SHARED, prot=mmap.PROT_READ)
w = mmap.mmap(f, 8 * PAGE, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ | mmap.PROT_WRITE)
x = [r[i * PAGE] + w[i * PAGE] for i in range(8)]
w[0] = 1
w[5 * PAGE] = 1
(shared,) = [line for line in open("/proc/self/maps") if " r--s " in line and {name!r} in line]
answer = [address(s), address(d), int(shared.split("-")[0], 16), address(w)]
"""
    with child(body) as (pid, [s, d, r, w]):
        pages = process_pages(pid, method=method)
        assert {s, d} == {mapping.start for mapping, _ in pages.shared}
        memory = opened(pid, method)
        assert len(collected(memory, s, 40, mappings.SHMEM)[0]) == 20
        assert len(collected(memory, d, 16, mappings.SHMEM)[0]) == 16
        assert collected(memory, w, 8)[0] == [w, w + 5 * PAGE]
        assert collected(memory, r, 8)[0] == []
        memory.close()
        with contextlib.closing(open_processes([pid])) as source:
            shared = sum(x.pages for x in source._segments if x.owner.part == "shared")
            assert shared == 20 + 16


@pytest.mark.parametrize(
    "method", [pytest.param("ioctl", marks=needs_ioctl), pytest.param("pagemap", marks=needs_root)]
)
def test_the_page_of_zeros_is_nobodys(method):
    body = """
m = mmap.mmap(-1, 64 * PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
libc.madvise(ctypes.c_void_p(address(m)), ctypes.c_size_t(64 * PAGE), 15)
x = [m[i * PAGE] for i in range(64)]
m[7 * PAGE] = 1
answer = [address(m)]
"""
    with child(body) as (pid, [start]):
        memory = opened(pid, method)
        assert touched(memory, start, 64) == (1, 0)
        memory.close()


@pytest.mark.parametrize("method", METHODS)
def test_memory_that_its_owner_may_not_read_is_read_nevertheless(method):
    body = """
m = mmap.mmap(-1, 8 * PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
m[:] = b"12345678" * (PAGE)
assert libc.mprotect(ctypes.c_void_p(address(m)), ctypes.c_size_t(8 * PAGE), 0) == 0
answer = [address(m)]
"""
    with child(body) as (pid, [start]):
        memory = opened(pid, method)
        assert touched(memory, start, 8) == (8, 0)
        memory.close()
        pages = process_pages(pid, method=method)
        reader = ProcessReader(method)
        data = bytearray(4 * PAGE)
        gone = array("Q", [start, 1 << 46, start + PAGE, start + 7 * PAGE])
        numbers = array("Q", [address // PAGE for address in gone])
        assert reader.read(pid, pages.start_time, numbers, memoryview(data)) == [
            True,
            False,
            True,
            True,
        ]
        assert data == b"12345678" * (3 * PAGE // 8) + bytes(PAGE)
        reader.close()


# A ring that is not mapped, or that is registered with itself and closed: io_uring_setup,
# io_uring_register (buffers; of the ring with itself, which takes a mapped ring before 6.5).
RINGED = """
import errno, struct, time
m = mmap.mmap(-1, 8 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
libc.madvise(ctypes.c_void_p(address(m)), ctypes.c_size_t(len(m)), 15)  # no huge pages
for i in range(0, len(m), PAGE):
    m[i : i + 8] = i.to_bytes(8, "little")
ring = libc.syscall(425, 4, ctypes.create_string_buffer(120))
answer = [0]
if ring >= 0:
    at = address(m)
    buffers = ctypes.create_string_buffer(struct.pack("PN", at, 4 << 20))
    over = time.monotonic() + 10
    while libc.syscall(427, ring, 0, buffers, 1):
        # What this user's earlier rings had pinned is released late, and counts until then.
        assert ctypes.get_errno() == errno.ENOMEM and time.monotonic() < over, ctypes.get_errno()
        time.sleep(0.01)
    answer = [at]
    if {closed}:
        itself = ctypes.create_string_buffer(struct.pack("IIQ", 0xffffffff, 0, ring))
        answer = [at if libc.syscall(427, ring, 20, itself, 1) == 1 else 0]
        os.close(ring)
"""


def needs_pins(pid: int, start: int, size: int) -> None:
    """Skip where such a child cannot pin that many KiB."""
    if not start:
        pytest.skip("needs io_uring")
    if f"VmPin:\t{size:8} kB" not in Path(f"/proc/{pid}/status").read_text():
        pytest.skip("this caller's pages are not accounted for as pinned")


@pytest.mark.parametrize("frames", [True, False])
@pytest.mark.parametrize("closed", [True, False])
def test_what_a_ring_has_pinned_stays(closed, frames, monkeypatch):
    if not frames:
        monkeypatch.setattr(_native_memory.ProcMem, "shows_frames", lambda memory: False)
    with child(RINGED.replace("{closed}", str(closed))) as (pid, [start]):
        needs_pins(pid, start, 4096)
        with open_processes(pid) as source:
            found = estimate_pages(source, ["lz4"], full=True, timing=False)
        pages = process_pages(pid)
        assert source.left_out["pinned"] == (4 << 20) // PAGE
        kept = sum(map(len, pages.parts.values())) + (4 << 20) // PAGE
        assert abs(kept * PAGE - pages.rollup.pss_anon) <= 2 * PAGE
        assert found.exact is (not closed)


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("closed", [True, False])
def test_what_a_ring_has_pinned_is_not_cold(closed, shared):
    body = RINGED.replace("{closed}", str(closed))
    if shared:
        body = body.replace("MAP_PRIVATE", "MAP_SHARED")
    with child(body) as (pid, [start]):
        needs_pins(pid, start, 4096)
        with open_processes(pid) as source:
            if shared and source.by_page_table:
                pytest.skip("mapped objects cannot be opened here")
            pages = source.pages + (source.left_out["pinned"] if closed else 0)
        with cold.watch({pid: None}, [0.0]) as watch:
            for found in (watch.everything(), watch.ages()[0].source):
                with found:
                    assert found.pages <= pages + 1  # rounded
                    assert found.skipped.get(PINNED_SOMEWHERE, 0) == closed * (4 << 20) // PAGE


# In the second half, everything without a buffer is given up (MADV_FREE).
AND_FREED = """
assert libc.madvise(ctypes.c_void_p(address(m) + (6 << 20)), ctypes.c_size_t(2 << 20), 8) == 0
"""


@pytest.mark.parametrize("frames", [True, False])
@pytest.mark.parametrize("closed", [True, False])
def test_no_more_is_left_out_than_was_taken_out(closed, frames, monkeypatch):
    """In a mapping that was given up in part, nobody can tell which pages are pinned."""
    if not frames:
        monkeypatch.setattr(_native_memory.ProcMem, "shows_frames", lambda memory: False)
    body = RINGED.replace("{closed}", str(closed)) + AND_FREED
    with child(body) as (pid, [start]):
        needs_pins(pid, start, 4096)
        pages = process_pages(pid)
        assert pages.left_out["lazily freed"] > 256
        assert pages.pinned_elsewhere == (4 << 20) // PAGE
        assert 0 < pages.left_out["pinned"] <= pages.pinned_elsewhere
        kept = sum(map(len, pages.parts.values())) + sum(pages.left_out.values())
        assert abs(kept * PAGE - pages.rollup.pss_anon) <= 2 * PAGE


def test_pins_of_shared_memory_are_all_reported():
    """Only their number is known, and it may be larger than the private memory."""
    limit = resource.getrlimit(resource.RLIMIT_MEMLOCK)[0]
    # Root may pin more, but not root of a user name space: this is the first one.
    root = os.geteuid() == 0 and os.readlink("/proc/self/ns/user") == "user:[4026531837]"
    if not root and -1 < limit < 64 << 20:
        pytest.skip(f"this caller may pin {limit} bytes")
    body = RINGED.replace("{closed}", "True").replace("MAP_PRIVATE", "MAP_SHARED")
    body = body.replace("8 << 20", "64 << 20").replace("4 << 20", "64 << 20")
    with child(body) as (pid, [start]):
        needs_pins(pid, start, 65536)
        with open_processes(pid) as source:
            assert source.left_out["pinned"] < source.skipped[PINNED_SOMEWHERE]
            assert source.skipped[PINNED_SOMEWHERE] == (64 << 20) // PAGE


# The first thread ends (pthread_exit); the others live on with its memory.
HEADLESS = """
import threading
m = mmap.mmap(-1, 4 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
libc.madvise(ctypes.c_void_p(address(m)), ctypes.c_size_t(len(m)), 15)  # no huge pages
s = mmap.mmap(-1, 2 << 20)
for part in (m, s):
    for i in range(0, len(part), PAGE):
        part[i : i + 8] = i.to_bytes(8, "little")
def go_on():
    while b" Z " not in open("/proc/self/stat", "rb").read():
        os.sched_yield()
    print(len(m) // PAGE, len(s) // PAGE, flush=True)
    sys.stdin.read()
    os._exit(0)
threading.Thread(target=go_on).start()
libc.pthread_exit(None)
"""


def test_a_process_whose_first_thread_ended_is_looked_at():
    with subprocess.Popen(
        [sys.executable, "-c", CHILD.format(body=HEADLESS)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        own, shared = map(int, process.stdout.readline().split())
        with open_processes(process.pid) as source:
            found = estimate_pages(source, ["lz4"], full=True, timing=False)
            assert found.lost == 0
            assert own + shared < found.pages < own + shared + 8192
            assert not source.skipped.get("kernel threads and exited processes")
        process.stdin.close()


# Untouched pages, marked as protected from writing: struct uffdio_api, uffdio_register and
# uffdio_writeprotect. A mark looks like a page in swap.
MARKED = """
import fcntl, platform, struct, sys
m = mmap.mmap(-1, 64 * PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
libc.madvise(ctypes.c_void_p(address(m)), ctypes.c_size_t(64 * PAGE), 15)  # no huge pages
number = 282 if platform.machine() != "x86_64" else 323 if sys.maxsize > 1 << 32 else 374
uffd = libc.syscall(number, os.O_CLOEXEC | 1)
answer = [0]
try:
    if uffd < 0:  # ENOSYS without CONFIG_USERFAULTFD, and where system calls are emulated
        raise OSError(ctypes.get_errno(), "userfaultfd")
    fcntl.ioctl(uffd, 0xC018AA3F, struct.pack("QQQ", 0xAA, 1 << 0 | 1 << 13, 0))
    fcntl.ioctl(uffd, 0xC020AA00, struct.pack("QQQQ", address(m), 64 * PAGE, 2, 0))
    fcntl.ioctl(uffd, 0xC018AA06, struct.pack("QQQ", address(m), 64 * PAGE, 1))
    answer = [address(m)]
except OSError:
    pass
"""


@pytest.mark.skipif(
    platform.machine() not in ("x86_64", "aarch64", "riscv64"), reason="knows no number of the call"
)
@pytest.mark.parametrize("frames", [True, False])
@pytest.mark.parametrize("method", METHODS)
def test_marks_of_userfaultfd_are_not_in_swap(method, frames, monkeypatch):
    with child(MARKED) as (pid, [start]):
        if not start:
            pytest.skip("needs userfaultfd(2) that marks untouched pages (Linux 6.4)")
        with open(f"/proc/{pid}/pagemap", "rb", buffering=0) as pagemap:
            entries = array("Q", os.pread(pagemap.fileno(), 64 * 8, start // PAGE * 8))
        assert all(entry & 1 << 62 for entry in entries)  # as if in swap
        if not frames:
            monkeypatch.setattr(_native_memory.ProcMem, "shows_frames", lambda memory: False)
        with Process(pid) as process:
            real = rollup(process).swap // PAGE
        found = process_pages(pid, method=method)
        assert sum(found.swapped.values()) <= real


@pytest.mark.parametrize("shared", [True, False])
def test_huge_pages_without_a_mount_do_not_count(shared):
    kind = mmap.MAP_SHARED if shared else mmap.MAP_PRIVATE
    try:
        fd = os.memfd_create("huge", os.MFD_HUGETLB)
    except OSError as err:
        assert err.errno in (errno.ENOSYS, errno.EINVAL, errno.ENODEV, errno.ENOENT)
        pytest.skip("needs huge pages of their own (hugetlb)")
    try:
        size = os.fstat(fd).st_blksize
        os.ftruncate(fd, size)
        reserve_none = 0x40 if platform.machine().startswith("ppc") else 0x4000
        with mmap.mmap(fd, size, flags=kind | reserve_none):
            text = Path("/proc/self/maps").read_text()
    finally:
        os.close(fd)
    lines = [line for line in text.split("\n") if "/memfd:huge" in line]
    assert lines
    kinds = mappings.Kinds(mappings.MemoryDevices.of_this_system())
    for line in lines:
        found = kinds.of(line.partition(" ")[2])
        assert (found.kind, found.private) == (None, False)
    kinds.close()


@pytest.mark.parametrize("method", METHODS)
def test_a_guard_without_memory_is_skipped_and_counted(method):
    body = """
m = mmap.mmap(-1, 64 * PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
answer = [address(m)]
assert libc.mprotect(ctypes.c_void_p(address(m)), ctypes.c_size_t(64 * PAGE), 0) == 0
"""
    with child("answer = [0]") as (pid, _):
        before = process_pages(pid, method=method).skipped
    with child(body) as (pid, _):
        pages = process_pages(pid, method=method)
        assert pages.skipped == before + 1


@pytest.mark.parametrize("method", METHODS)
def test_guard_markers_are_no_pages(method):
    # MADV_GUARD_INSTALL: Linux 6.13; distinguishable from swapped pages since 6.15.
    body = """
m = mmap.mmap(-1, 64 * PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
m[3 * PAGE] = 1
p = ctypes.c_void_p(address(m) + 8 * PAGE)
answer = [address(m), libc.madvise(p, ctypes.c_size_t(16 * PAGE), 102)]
"""
    if tuple(map(int, os.uname().release.split(".")[:2])) < (6, 15):
        pytest.skip("needs Linux 6.15")
    with child(body) as (pid, [start, refused]):
        assert refused == 0
        memory = opened(pid, method)
        assert touched(memory, start, 64)[1] == 0
        memory.close()


@pytest.mark.parametrize("method", METHODS)
def test_terabytes_of_nothing_cost_little(method):
    # 8 TiB of holes: reading entry by entry would take 16 GiB.
    body = """
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t] + [ctypes.c_int] * 3 + [ctypes.c_long]
size = 8 << 40
p = libc.mmap(None, size, 3, 0x4022, -1, 0)  # private, anonymous, no reserve
assert p != 2**64 - 1
libc.madvise(ctypes.c_void_p(p), ctypes.c_size_t(1 << 30), 15)
for i in range(5):
    ctypes.c_long.from_address(p + i * PAGE).value = i + 1
answer = [p]
"""
    if sys.maxsize < 2**32:
        pytest.skip("needs 64 bit")
    with child(body) as (pid, [start]):
        pages = process_pages(pid, method=method)
        assert 5 <= pages.present < 10_000
        memory = opened(pid, method)
        found, _ = collected(memory, start, (8 << 40) // PAGE, seen_max=5)
        assert found == [start + i * PAGE for i in range(5)]
        memory.close()


def test_a_set_finds_its_members_by_their_place():
    numbers = [0, 1, 511, 512, 1 << 40, (1 << 40) + 700, (1 << 52) - 1]
    pages = _native_memory.PageSet()
    for number in numbers:
        pages.add_resident(number, b"\1")
    assert len(pages) == 7
    for ranks in ([0, 1, 2, 3, 4, 5, 6], [6], [2, 4], [0, 5]):
        found = array("Q", bytes(8 * len(ranks)))
        pages.select(array("Q", ranks), found)
        assert list(found) == [numbers[rank] for rank in ranks]
    for ranks in ([1, 1], [2, 1], [7]):
        with pytest.raises(OSError) as caught:
            pages.select(array("Q", ranks), array("Q", [0, 0]))
        assert caught.value.errno == errno.EINVAL
    with pytest.raises(OSError) as caught:
        pages.add_resident(5, b"\1")
    assert caught.value.errno == errno.EINVAL


def test_numbers_seen_before_are_told_from_new_ones():
    chance = random.Random(5)
    seen, judge = _native_memory.Seen(), set()
    for _ in range(20):
        numbers = [
            chance.choice((1, 1 << 20, 1 << 50)) * chance.randrange(4000) for _ in range(999)
        ]
        expected = []
        for number in numbers:
            expected.append(number in judge)
            judge.add(number)
        assert list(map(bool, seen.add(array("Q", numbers)))) == expected


def test_a_walk_over_half_a_page_is_einval():
    memory = opened(os.getpid())
    with pytest.raises(OSError) as caught:
        memory.collect([_native_memory.walk(1, PAGE, mappings.ANON)], [])
    assert caught.value.errno == errno.EINVAL
    memory.close()


SCATTERED = """
parts = []
for i in range(6):
    m = mmap.mmap(-1, 40 * PAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    libc.madvise(ctypes.c_void_p(address(m)), ctypes.c_size_t(40 * PAGE), 15)
    for at in range(i, 40, i + 1):
        m[at * PAGE] = 1
    parts.append(m)
answer = sorted(map(address, parts))
"""


@pytest.mark.parametrize("method", METHODS)
def test_mappings_walked_together_are_as_walked_alone(method):
    with child(SCATTERED) as (pid, starts):
        memory = opened(pid, method)
        # Adjacent mappings, gaps with others' pages, and an order other than theirs.
        rows = [(start, start + 30 * PAGE) for start in starts]
        rows += [(starts[2] + 30 * PAGE, starts[2] + 40 * PAGE), (starts[0], starts[0] + PAGE)]
        walks = [
            _native_memory.walk(low, high, mappings.ANON, pages=i)
            for i, (low, high) in enumerate(rows)
        ]
        sets = [_native_memory.PageSet() for _ in walks]
        together = memory.collect(walks, sets)
        for (low, high), counts, pages in zip(rows, together, sets, strict=True):
            found, alone = collected(memory, low, (high - low) // PAGE)
            assert PageCounts(*counts) == alone
            numbers = array("Q", bytes(8 * len(pages)))
            pages.select(array("Q", range(len(pages))), numbers)
            assert [number * PAGE for number in numbers] == found
        assert sum(counts[0] for counts in together) > 60
        memory.close()


@pytest.mark.parametrize("method", METHODS)
def test_one_reader_turns_from_process_to_process(method):
    with child(SPARSE) as (pid, [start]), child(SPARSE) as (other, [theirs]):
        memory = opened(pid, method)
        gone = os.open("/proc/self/fd", os.O_RDONLY)
        with pytest.raises(OSError) as caught:
            memory.turn(gone)
        os.close(gone)
        assert caught.value.errno == errno.ESRCH
        with pytest.raises(OSError) as caught:
            touched(memory, start, 1000)
        assert caught.value.errno == errno.EBADF
        for number, address in ((other, theirs), (pid, start)):
            with Process(number) as process:
                memory.turn(process.fd)
            assert touched(memory, address, 1000) == (334, 0)
            assert memory.method() == method
        memory.close()


CONTAINED = """
import subprocess
CLONE_NEWNS = 0x20000
assert libc.unshare(CLONE_NEWNS) == 0, os.strerror(ctypes.get_errno())
subprocess.run(["mount", "--make-rprivate", "/"], check=True)
subprocess.run(["mount", "-t", "tmpfs", "pyzram-test", "/mnt"], check=True)
with open("/mnt/file", "w+b") as file:
    file.truncate(64 * PAGE)
    m = mmap.mmap(file.fileno(), 64 * PAGE)
for i in range(48):
    m[i * PAGE] = 1
answer = [os.stat("/mnt").st_dev]
"""


@needs_root
def test_shared_memory_of_a_mount_that_only_a_container_has():
    try:
        with child(CONTAINED) as (pid, numbers):
            assert numbers, "the child could not mount"
            device = mappings.device_text(numbers[0])
            assert device not in mappings.MemoryDevices.of_this_system().shmem
            with open_processes([pid]) as source:
                shared = [s for s in source._segments if s.owner.part == mappings.SHARED]
                assert sum(segment.pages for segment in shared) == 48
                assert not source.by_page_table
    except AssertionError:
        if not can_mount():
            pytest.skip("needs to mount in a name space of its own")
        raise


EXECS = """
import os, sys
x = bytearray(b"x" * (8 << 20))
print("ready", flush=True)
sys.stdin.readline()
os.execv(sys.executable, [sys.executable, "-c", "print('again', flush=True); input()"])
"""


@pytest.mark.parametrize("times", [1, procmem.EXECS + 1])
def test_a_process_that_runs_another_program_meanwhile_is_looked_at_again(monkeypatch, times):
    real = walk.rollup
    before = []
    with subprocess.Popen(
        [sys.executable, "-c", EXECS], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "ready\n"
        whole = process_pages(process.pid).present

        def rollup(which):
            before.append(which.pid)
            if len(before) == 1:
                process.stdin.write("\n")
                process.stdin.flush()
                assert process.stdout.readline() == "again\n"
            elif len(before) <= times:
                raise OSError(errno.ESRCH, os.strerror(errno.ESRCH))
            return real(which)

        monkeypatch.setattr(walk, "rollup", rollup)
        if times > procmem.EXECS:
            with pytest.raises(ZramOSError) as caught:
                process_pages(process.pid)
            assert caught.value.errno == errno.ESRCH
        else:
            found = process_pages(process.pid)
            assert 0 < found.present <= whole - (8 << 20) // PAGE
        process.stdin.write("\n")
    assert len(before) == times + (times <= procmem.EXECS)


ELSEWHERE = """
CLONE_NEWNS = 0x20000
assert libc.unshare(CLONE_NEWNS) == 0, os.strerror(ctypes.get_errno())
answer = [int(os.readlink("/proc/self/ns/mnt")[5:-1])]
"""


@needs_root
def test_the_number_of_a_name_space_that_is_gone_is_not_another():
    devices = mappings.MemoryDevices()
    try:
        with child(ELSEWHERE) as (pid, numbers):
            assert devices.see(f"/proc/{pid}")
            first = numbers
        # The kernel gives out the lowest free number.
        with child(CONTAINED) as (pid, numbers):
            assert numbers, "the child could not mount"
            assert devices.see(f"/proc/{pid}")
            assert mappings.device_text(numbers[0]) in devices.shmem
            assert os.readlink(f"/proc/{pid}/ns/mnt") != f"mnt:[{first[0]}]"
    except AssertionError:
        if not can_mount():
            pytest.skip("needs to mount in a name space of its own")
        raise
    finally:
        devices.close()


@needs_root
def test_more_name_spaces_than_can_be_held_are_looked_at_each_time(monkeypatch):
    monkeypatch.setattr(mount_views, "HELD_MAX", 1)
    devices = mappings.MemoryDevices()
    before = len(os.listdir("/proc/self/fd"))
    try:
        assert devices.see("/proc/self")
        assert not devices.see("/proc/self")
        with child(ELSEWHERE) as (pid, numbers):
            assert numbers
            assert devices.see(f"/proc/{pid}")
            assert devices.see(f"/proc/{pid}")
            assert len(os.listdir("/proc/self/fd")) <= before + 1 + 3  # the child's pipes
    except AssertionError:
        if not can_mount():
            pytest.skip("needs to mount in a name space of its own")
        raise
    finally:
        devices.close()
    assert len(os.listdir("/proc/self/fd")) == before


IN_A_FOLDER = (
    CONTAINED
    + """
read_end, write_end = os.pipe()
inside = os.fork()
if not inside:
    os.chroot("/usr")
    os.write(write_end, b"x")
    os.close(write_end)
    sys.stdin.read()
    os._exit(0)
os.read(read_end, 1)
answer = [inside]
"""
)


@needs_root
def test_what_a_process_in_a_folder_is_not_shown_is_seen_through_others():
    try:
        with child(IN_A_FOLDER) as (pid, numbers):
            assert numbers, "the child could not mount"
            # Both are in one namespace; the first sees only the mounts below its root.
            with open_processes([numbers[0], pid]) as source:
                shared = [s for s in source._segments if s.owner.part == mappings.SHARED]
                assert sum(segment.pages for segment in shared) == 48
    except AssertionError:
        if not can_mount():
            pytest.skip("needs to mount in a name space of its own")
        raise


LOOKS_OUT = """
import os, sys
from pyzram.pages.process.mappings import MemoryDevices
outside, proc = str(os.getppid()), os.open("/proc", os.O_RDONLY)
os.chroot("/usr")
devices = MemoryDevices()
assert devices.see("self", dir_fd=proc)
before = set(devices.shmem)
assert devices.see(outside, dir_fd=proc), "all roots are told as / to one who is in a folder"
assert devices.shmem > before
assert not devices.see(outside, dir_fd=proc)
"""


@needs_root
def test_a_caller_in_a_folder_tells_its_root_from_those_outside():
    if not mappings.MemoryDevices.of_this_system().shmem:
        pytest.skip("no file system in memory is mounted here")
    subprocess.run([sys.executable, "-Ic", LOOKS_OUT], check=True, timeout=60)


def can_mount():
    command = ["unshare", "--mount", "mount", "-t", "tmpfs", "pyzram-test", "/mnt"]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


def test_a_process_that_is_gone_is_esrch():
    with child("answer = [0]") as (pid, _):
        pages = process_pages(pid)
        memory = opened(pid)
    with pytest.raises(ZramOSError) as caught:
        process_pages(pid)
    assert caught.value.errno == errno.ESRCH
    assert str(pid) in str(caught.value)
    with pytest.raises(OSError) as caught:
        ProcessReader().turn(pid, pages.start_time)
    assert caught.value.errno in (errno.ESRCH, errno.ENOENT)
    numbers = array("Q", [0])
    pages.parts["heap"].select(array("Q", [0]), numbers)
    assert memory.read(array("Q", [numbers[0] * PAGE]), bytearray(PAGE)) == (0, b"\0")
    memory.close()


def test_a_kernel_thread_is_esrch():
    kthreadd = 2
    try:
        with Process(kthreadd) as process:
            if not process.is_kernel:
                pytest.skip("no kernel threads to see here")
    except OSError:
        pytest.skip("no kernel threads to see here")
    with pytest.raises(ZramOSError, match="kernel thread") as caught:
        process_pages(kthreadd)
    assert caught.value.errno == errno.ESRCH


def test_another_users_process_is_an_access_error(nobody):
    code = f"""
import os, sys
from pyzram.pages.process import procmem
from pyzram.errors import AccessError
os.setgroups([]); os.setgid({nobody}); os.setuid({nobody})
try:
    procmem.Inspector().pages(int(sys.argv[1]))
except AccessError as err:
    sys.exit(40 if err.errno == 13 and "root" in str(err) else 41)
"""
    command = [sys.executable, "-I", "-c", code, str(os.getpid())]
    status = subprocess.run(command, check=False, capture_output=True, text=True)
    assert status.returncode == 40, status.stderr


def test_own_memory_is_readable_without_privilege():
    data = ctypes.create_string_buffer(4 * PAGE)
    ctypes.memset(data, 0x5A, 4 * PAGE)
    start = -(-ctypes.addressof(data) // PAGE) * PAGE
    memory = opened(os.getpid())
    page = bytearray(PAGE)
    assert memory.read(array("Q", [start]), page) == (1, b"\1")
    assert page == b"\x5a" * PAGE
    memory.close()


def test_batch_after_batch_every_page_of_a_process_is_read_once():
    """Two mappings with holes, each larger than a batch: reading continues where it stopped."""
    body = """
maps = [mmap.mmap(-1, 4000 * PAGE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) for _ in range(2)]
for number, m in enumerate(maps):
    m.madvise(mmap.MADV_NOHUGEPAGE)
    for i in range(4000):
        if i % 7:
            m[i * PAGE : i * PAGE + 16] = b"marker %d" % number + b"%8d" % i
answer = []
"""
    marked = re.compile(rb"marker ([01]) *(\d+)")
    with child(body) as (pid, _), contextlib.closing(open_processes([pid])) as source:
        draw = Sample(source, full=True)
        found = []
        for batch in draw:
            for at in range(0, len(batch.pages), PAGE):
                if match := marked.match(batch.pages[at : at + 16]):
                    found.append((int(match[1]), int(match[2])))
        assert (draw.taken, draw.lost) == (source.pages, 0)
    assert sorted(found) == [(number, i) for number in (0, 1) for i in range(4000) if i % 7]


def test_processes_that_are_gone_are_skipped_and_counted():
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    body = "answer = []\n"
    with child(body) as (pid, _):
        with contextlib.closing(open_processes([ended.pid, pid])) as source:
            assert source.pages > 0
            assert source.skipped["kernel threads and exited processes"] == 1
            assert str(ended.pid) in source.label
        with contextlib.closing(open_processes([pid])) as source:
            assert "kernel threads and exited processes" not in source.skipped
    with pytest.raises(ZramOSError, match=str(ended.pid)) as caught:
        open_processes([ended.pid])
    assert caught.value.errno == errno.ESRCH


@pytest.mark.parametrize(("code", "none"), [(errno.ENOSYS, True), (errno.EMFILE, False)])
def test_only_a_kernel_without_memfd_has_no_device_of_its_own(monkeypatch, code, none):
    def refuse(name, flags):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "memfd_create", refuse)
    if none:
        assert mappings.internal_device() is None
        return
    with pytest.raises(ZramOSError) as caught:
        mappings.internal_device()
    assert caught.value.errno == code


@pytest.mark.parametrize("asked", ["freed", "fails", "none"])
def test_pages_marked_as_given_up_are_read_where_none_is(monkeypatch, asked):
    """And a process that cannot be asked hides none of the others."""

    class Marked:
        def read(self, numbers, out, freed=False):
            done = [1, 2 if not freed else 1] * (len(numbers) // 2)
            return sum(x == 1 for x in done), bytes(done)

        def close(self):
            pass

    def rollup(process):
        if asked == "fails":
            raise OSError(errno.ESRCH, os.strerror(errno.ESRCH))
        return NOTHING._replace(lazily_freed=4096 if asked == "freed" else 0)

    monkeypatch.setattr("pyzram.pages.process.process.rollup", rollup)
    monkeypatch.setattr("pyzram.pages.process.process.turned", lambda *args: Marked())
    with Process(os.getpid()) as process:
        start_time = process.start_time
    reader = ProcessReader()
    numbers = array("Q", range(8))
    there = reader.read(os.getpid(), start_time, numbers, memoryview(bytearray(8 * PAGE)))
    reader.close()
    assert there == ([True] * 8 if asked == "none" else [True, False] * 4)


def test_maps_lines_are_sorted_by_what_can_be_swapped():
    devices = mappings.MemoryDevices(frozenset({"00:01", "00:1f"}), frozenset({"00:0f"}))
    text = """\
55e0c0000000-55e0c0001000 rw-p 00000000 00:00 0                          [heap]
7f0000000000-7f0000001000 rw-p 00000000 00:00 0
7f0000001000-7f0000002000 rw-p 00000000 00:00 0                          [anon:name with blanks]
7f0000002000-7f0000003000 r--p 00001000 fe:00 1234                       /usr/lib/libc.so.6
7f0000003000-7f0000004000 rw-s 00000000 fe:00 1235                       /var/lib/file (deleted)
7f0000004000-7f0000005000 rw-s 00000000 00:01 5                          /memfd:x (deleted)
7f0000005000-7f0000006000 rw-s 00000000 00:01 6                          /SYSV00000000 (deleted)
7f0000006000-7f0000007000 rw-s 00000000 00:01 7                          /dev/zero (deleted)
7f0000007000-7f0000008000 rw-p 00000000 00:05 8                          /dev/zero
7f0000008000-7f0000009000 rw-s 00000000 00:1f 9                          /dev/shm/a
7f0000009000-7f000000a000 r--p 00000000 00:1f 9                          /tmp/a
7f000000a000-7f000000b000 rw-s 00000000 00:05 99                         /dev/dri/card0
7f000000b000-7f000000c000 rw-s 00000000 00:0f 3                          /anon_hugepage (deleted)
7f000000c000-7f000000d000 rw-p 00000000 00:0f 3                          /hugepages/x
7f000000d000-7f000000e000 r--p 00000000 00:00 0                          [vvar]
7f000000e000-7f000000f000 rw-s 00000000 00:0e 3                          anon_inode:[perf_event]
"""
    kinds = [
        mappings.swappable_kind(m.perms, m.dev, m.path, devices) for m in mappings.parse_maps(text)
    ]
    a, s = mappings.ANON, mappings.SHMEM
    assert kinds == [a, a, a, a, None, s, s, s, a, s, s, None, None, None, None, None]
    last = list(mappings.parse_maps(text))[2]
    assert last.path == "[anon:name with blanks]"
    assert (last.start, last.end) == (0x7F0000001000, 0x7F0000002000)


# ---- what a source holds -------------------------------------------------------------------------


OWN = """
own = mmap.mmap(-1, 64 * PAGE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
own[:] = os.urandom(64 * PAGE)
answer = []
"""
SHARED = """
kept = mmap.mmap(-1, 64 * PAGE)
kept[:] = os.urandom(64 * PAGE)
"""


def descriptors():
    """What is open, each with what it leads to: a number may be another's a moment later."""
    found = set()
    for name in os.listdir("/proc/self/fd"):
        with contextlib.suppress(FileNotFoundError):  # that of this listing
            found.add((int(name), os.readlink(f"/proc/self/fd/{name}")))
    return found


@contextlib.contextmanager
def read_source(body):
    """A source of a process that was read, and the descriptors it holds."""
    with child(body) as (pid, _):
        before = descriptors()
        source = open_processes([pid])
        for _ in Sample(source, full=True):
            pass
        held = descriptors() - before
        assert held
        found = [source]
        del source
        try:
            yield found, held
        finally:
            for source in found:
                source.close()


@pytest.mark.parametrize("body", [OWN, SHARED + OWN], ids=["own", "shared"])
def test_a_source_of_processes_that_is_dropped_open_says_so_and_closes(body):
    with read_source(body) as (found, held):
        with pytest.warns(ResourceWarning, match="process .* was never closed"):
            found.clear()
            gc.collect()
        assert not held & descriptors()
    with read_source(body) as (found, held):
        found[0].close()
        assert not held & descriptors()


def test_shared_memory_that_cannot_be_opened_leaves_nothing_open(monkeypatch):
    """As for a user without privileges, page tables are read instead."""
    monkeypatch.setattr(MappedAt, "open", mock.Mock(side_effect=PermissionError))
    gc.collect()
    gc.disable()
    try:
        with read_source(SHARED + OWN) as (found, held):
            assert found[0].by_page_table == 1
            found[0].close()
            assert not held & descriptors()
    finally:
        gc.enable()


READ_ONLY = """
s = mmap.mmap(-1, 64 * PAGE)
answer = [sum(s[at] for at in range(0, len(s), PAGE))]
for at in range(0, 16 * PAGE, PAGE):
    s[at] = 1
"""


def test_clean_pages_of_what_cannot_be_opened_are_reported(monkeypatch):
    """A page table does not show which of its pages the kernel would drop."""
    monkeypatch.setattr(MappedAt, "open", mock.Mock(side_effect=PermissionError))
    with child(READ_ONLY) as (pid, _answer), open_processes(pid) as source:
        assert [row.pages for row in source._segments if row.owner.part == "shared"] == [64]
        assert source.skipped[NOT_TOLD_CLEAN] == 48
        assert not estimate_pages(source, ["lz4"], full=True, timing=False).exact


@pytest.mark.parametrize("how", ["closed", "dropped"])
def test_a_child_of_a_fork_closes_nothing_of_a_source(how):
    with read_source(SHARED + OWN) as (found, held):
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                # As a daemon does; from here on the numbers belong to somebody else.
                null = os.open("/dev/null", os.O_RDONLY)
                taken = {(os.dup2(null, fd), os.devnull) for fd, _ in held}
                with warnings.catch_warnings(record=True) as said:
                    warnings.simplefilter("always")
                    if how == "closed":
                        found[0].close()
                    found.clear()
                    gc.collect()
                status = 0 if taken <= descriptors() and not said else 2
            finally:
                os._exit(status)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        assert held <= descriptors()
