# SPDX-License-Identifier: MIT
"""Which pages of an object of shared memory are in memory is asked without walking its holes."""

from __future__ import annotations

import os

import pytest

from pyzram import _native_memory
from pyzram.limits import PAGE_SIZE
from pyzram.pages.process.mappings import device_text
from pyzram.pages.shared_memory import shared_object
from pyzram.pages.shared_memory.shared_object import FileAt, ObjectPages, SharedObject, object_pages

OPEN: list[int] = []


@pytest.fixture
def asked(monkeypatch):
    """How many pages were asked about, call by call."""
    counts: list[int] = []
    real = _native_memory.shmem_resident

    def count(fd: int, first: int, pages: int) -> bytearray:
        counts.append(pages)
        return real(fd, first, pages)

    monkeypatch.setattr(_native_memory, "shmem_resident", count)
    yield counts
    while OPEN:
        os.close(OPEN.pop())


def an_object(size: int, used: range, locked: tuple[int, int] | None = None) -> SharedObject:
    """An object of ``pages`` pages, some of which are used, and all of which are mapped."""
    fd = os.memfd_create("object")
    OPEN.append(fd)
    os.ftruncate(fd, size * PAGE_SIZE)
    for page in used:
        os.pwrite(fd, b"x", page * PAGE_SIZE)
    status = os.fstat(fd)
    found = SharedObject((device_text(status.st_dev), status.st_ino), "object")

    class Held(FileAt):
        def open(self) -> int:
            return os.dup(fd)

    found.places.append(Held(""))
    found.ranges.append((0, size))
    if locked:
        found.locked.append(locked)
    return found


def numbers(pages: _native_memory.PageSet) -> list[int]:
    """The pages of a set."""
    from array import array

    out = array("Q", bytes(8 * len(pages)))
    pages.select(array("Q", range(len(pages))), out)
    return list(out)


def found_in(shared: SharedObject, used: range, asked: list[int]) -> ObjectPages:
    """What is found, once more if somebody made this machine swap meanwhile."""
    found = object_pages(shared)
    if found.swapped:
        for page in used:
            os.pread(OPEN[-1], 1, page * PAGE_SIZE)
        asked.clear()
        found = object_pages(shared)
    return found


@pytest.mark.parametrize(
    ("size", "used", "most"),
    [
        pytest.param(1 << 30, range(5, 1 << 30, 1 << 22), 64 * 256, id="sparse"),
        pytest.param(1 << 30, range(0), 0, id="empty"),
        pytest.param(3000, range(3000), 3000, id="dense"),
        pytest.param(3000, range(0, 3000, 2), 3000, id="alternating"),
        pytest.param(1 << 24, range((1 << 24) - 3000, 1 << 24), 3000, id="at the end"),
        pytest.param(1 << 32, range(3), 64, id="of more than a word counts"),
    ],
)
def test_the_pages_are_those_that_are_used(asked, size, used, most):
    found = found_in(an_object(size, used), used, asked)
    assert numbers(found.pages) == list(used)
    assert (found.swapped, found.locked, found.reserved) == (0, 0, 0)
    assert sum(asked) <= most
    assert max(asked, default=0) <= shared_object.STEP


def test_many_pages_are_asked_about_in_few_calls(asked):
    object_pages(an_object(9000, range(9000)))
    assert len(asked) < 12


def test_what_nobody_maps_or_may_move_is_left_out(asked):
    used = range(0, 1 << 30, 1 << 20)
    shared = an_object(1 << 30, used, locked=(1 << 20, 3 << 20))
    shared.ranges[:] = [(0, 4 << 20), (8 << 20, 16 << 20)]
    found = found_in(shared, used, asked)
    expected = [0, 3 << 20, *(page << 20 for page in range(8, 16))]
    assert numbers(found.pages) == expected
    assert found.locked == 2


def test_reserved_pages_are_not_data_and_count_as_reserved(asked):
    shared = an_object(3000, range(100))
    fd = shared.places[0].open()
    os.posix_fallocate(fd, 1000 * PAGE_SIZE, 50 * PAGE_SIZE)
    os.close(fd)
    found = found_in(shared, range(100), asked)
    assert numbers(found.pages) == list(range(100))
    assert found.reserved == 50


def test_many_locked_ranges_are_put_in_order_once(asked, monkeypatch):
    shared = an_object(9000, range(9000))
    shared.locked += [(page, page + 1) for page in range(0, 9000, 2)]
    put_in_order: list[int] = []
    real = shared_object.joined

    def count(ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
        put_in_order.append(len(ranges))
        return real(ranges)

    monkeypatch.setattr(shared_object, "joined", count)
    found = found_in(shared, range(9000), asked)
    assert numbers(found.pages) == list(range(1, 9000, 2))
    assert found.locked == 4500
    assert sorted(put_in_order[-2:]) == [1, 4500]
