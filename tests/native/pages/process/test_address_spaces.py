# SPDX-License-Identifier: MIT
"""Memory that several processes share as one counts once."""

from __future__ import annotations

import errno
import os
import subprocess
import sys

import pytest

from pyzram import _native_memory
from pyzram.pages.process.address_spaces import AddressSpaces
from pyzram.pages.source.process_sources import open_processes

PAGE = os.sysconf("SC_PAGE_SIZE")

# vfork(2) without stopping the caller: clone(2) with only CLONE_VM. Its child runs in
# memory that nobody else uses.
SHARED = """
import ctypes, mmap, os, signal, sys
libc = ctypes.CDLL(None, use_errno=True)
m = mmap.mmap(-1, 8 << 20, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
at = ctypes.c_void_p(ctypes.addressof(ctypes.c_char.from_buffer(m)))
# No huge pages; and not the other's too, of whose share only who sees frames makes whole pages.
assert libc.madvise(at, len(m), 15) == libc.madvise(at, len(m), 10) == 0
for i in range(0, len(m), mmap.PAGESIZE):
    m[i : i + 8] = i.to_bytes(8, "little")
stack = mmap.mmap(-1, 1 << 16)
top = ctypes.addressof(ctypes.c_char.from_buffer(stack)) + len(stack)
forever = ctypes.cast(libc.sleep, ctypes.c_void_p)
pid = libc.clone(forever, ctypes.c_void_p(top), 0x100 | signal.SIGCHLD, ctypes.c_void_p(1000))
assert pid > 0, os.strerror(ctypes.get_errno())
other = os.fork()
if not other:
    sys.stdin.read()
    os._exit(0)
print(os.getpid(), pid, other, flush=True)
sys.stdin.read()
os.kill(pid, signal.SIGKILL)
"""


def compares() -> bool:
    try:
        return _native_memory.compare_memory(os.getpid(), os.getpid()) == 0
    except OSError as err:
        assert err.errno in (errno.ENOSYS, errno.EPERM)
        return False


@pytest.mark.skipif(not compares(), reason="needs kcmp(2)")
def test_a_memory_counts_once() -> None:
    with subprocess.Popen(
        [sys.executable, "-Ic", SHARED], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        one, same, other = map(int, process.stdout.readline().split())
        assert _native_memory.compare_memory(one, same) == 0
        assert _native_memory.compare_memory(one, other) != 0
        found = {}
        for pids in ([one], [one, same], [same, one], [one, other], [other, one, same]):
            with open_processes(pids) as source:
                found[tuple(pids)] = source.pages, source.processes, source.pss
        process.communicate("")
    alone, processes, pss = found[one,]
    assert alone > (8 << 20) // PAGE
    assert processes == 1
    # Its share of files depends on who else has them just then.
    for pids in (one, same), (same, one):
        both, processes, worth = found[pids]
        # Who sees no frames counts shares, which change with what others have.
        assert abs(both - alone) < 0.01 * alone
        assert processes == 2
        assert worth < 1.5 * pss
    all_three, processes, _ = found[other, one, same]
    assert abs(all_three - found[one, other][0]) < 0.01 * all_three
    assert processes == 3


def test_dead_ones_are_forgotten_and_others_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    memories = {task: task % 50 for task in range(200)}
    asked = []

    def compare(task: int, other: int) -> int:
        asked.append(other)
        if other not in memories:
            raise OSError(errno.ESRCH, os.strerror(errno.ESRCH))
        one, two = memories[task], memories[other]
        return 0 if one == two else 1 if one < two else 2

    monkeypatch.setattr(_native_memory, "compare_memory", compare)
    spaces = AddressSpaces()
    assert [spaces.met(task, "400000-401000") for task in range(100)] == [False] * 50 + [True] * 50
    assert len(asked) < 100 * 7
    assert not spaces.met(101, "500000-501000")
    for task in range(20, 40):
        del memories[task]
    assert [spaces.met(task, "400000-401000") for task in range(100, 200)] == [
        not 20 <= task % 50 < 40 or task >= 150 for task in range(100, 200)
    ]


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.EPERM])
def test_without_kcmp_none_is_the_same(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def compare(task: int, other: int) -> int:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(_native_memory, "compare_memory", compare)
    spaces = AddressSpaces()
    assert [spaces.met(task, "400000-401000") for task in (1, 2)] == [False, False]
