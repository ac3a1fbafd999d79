# SPDX-License-Identifier: MIT
"""Buffers registered with io_uring, as /proc shows them."""

from __future__ import annotations

import os

import pytest

from pyzram.limits import PAGE_SIZE
from pyzram.pages.process.mappings import HEAP
from pyzram.pages.process.pinned import RING, pinned_ranges
from pyzram.pages.process.stretches import Details, Private, split

INFO = """pos:	0
SqMask:	0x3
UserFiles:	1
    0: 0x10/5
UserBufs:	{count}
{buffers}PollList:
  op=1, task_works=0
    9: 0x1000/4096
"""


class Process:
    """The folder of a made-up process."""

    def __init__(self, path, pinned=8):
        self.path, self.fd = path, os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        (path / "status").write_text(f"Name:\tx\nVmLck:\t 4 kB\nVmPin:\t    {pinned} kB\n")
        (path / "fd").mkdir()
        (path / "fdinfo").mkdir()

    def read(self, name):
        return (self.path / name).read_text()

    def ring(self, number, *buffers):
        os.symlink(RING, self.path / "fd" / str(number))
        lines = "".join(f"{i:5}: 0x{at:x}/{size}\n" for i, (at, size) in enumerate(buffers))
        text = INFO.format(count=len(buffers), buffers=lines)
        (self.path / "fdinfo" / str(number)).write_text(text)


@pytest.fixture
def process(tmp_path):
    one = Process(tmp_path)
    yield one
    os.close(one.fd)


@pytest.mark.parametrize(("pinned", "elsewhere"), [(0, 0), (4, 0), (5, 1), (100, 96)])
def test_what_is_pinned_beside_the_buffers_is_counted(tmp_path, pinned, elsewhere):
    one = Process(tmp_path, pinned=pinned * PAGE_SIZE // 1024)
    one.ring(3, (1 << 40, 2 * PAGE_SIZE), (1 << 40, 2 * PAGE_SIZE))  # twice the same
    assert pinned_ranges(one).elsewhere == elsewhere
    os.close(one.fd)


def test_buffers_of_all_rings_are_whole_pages_ascending(process):
    one, two = 0x7F0000000000, 0x7F0000400000
    process.ring(3, (two + 100, 2 * PAGE_SIZE), (one, PAGE_SIZE))
    process.ring(12, (one + PAGE_SIZE, PAGE_SIZE))
    os.symlink("socket:[1]", process.path / "fd/4")
    os.symlink(RING, process.path / "fd/5")  # closed meanwhile: it has no fdinfo
    assert pinned_ranges(process).ranges == [
        (one, one + 2 * PAGE_SIZE),
        (two, two + 3 * PAGE_SIZE),
    ]


def test_without_pinned_memory_nothing_is_searched(tmp_path):
    one = Process(tmp_path, pinned=0)
    one.ring(3, (1 << 40, PAGE_SIZE))
    assert pinned_ranges(one) == ([], 0)
    os.close(one.fd)


def test_what_is_pinned_is_taken_out_of_what_lies_around_it():
    item = Private(100, 200, HEAP, False, 100)
    pinned = [(0, 50), (90, 110), (120, 130), (130, 140), (190, 300)]
    parts = [(part.start, part.end, part.pinned) for part in split([item], pinned, {})]
    assert parts == [
        (100, 110, True),
        (110, 120, False),
        (120, 130, True),
        (130, 140, True),
        (140, 190, False),
        (190, 200, True),
    ]
    assert all(part.mapping == 100 for part in split([item], pinned, {}))
    given_up = {100: Details(1, 1, False)}
    assert split([item], pinned, given_up) == [item]
