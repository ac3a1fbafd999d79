# SPDX-License-Identifier: MIT
"""Contract: backing devices, idle marks and writeback."""

from __future__ import annotations

import errno
import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from kernel.raw import (
    PAGE,
    block_state,
    flags,
    has,
    load,
    need,
    noise,
    numbers,
    refused,
    same,
    store,
    text,
)

M = 1 << 20


@pytest.fixture
def add_loop(tmp_path) -> Iterator[Callable[[int], str]]:
    """A function that makes a loop device of a given size; all are gone after the test."""
    made: list[str] = []

    def add(size: int) -> str:
        file = tmp_path / f"backing{len(made)}"
        with file.open("wb") as stream:
            stream.truncate(size)
        command = ["losetup", "--find", "--show", str(file)]
        made.append(subprocess.check_output(command, text=True).strip())
        return made[-1]

    yield add
    for loop in made:
        subprocess.run(["losetup", "--detach", loop], check=True)


@pytest.fixture
def bare(add_loop, zram_device):
    """A device that could have a backing device; loops made by the test outlive it."""
    need(zram_device, "backing_dev")
    return zram_device


@pytest.fixture
def backed(add_loop, bare):
    """An initialised device with 2048 pages to write back to."""
    bare.write("backing_dev", add_loop(2048 * PAGE))
    bare.write("disksize", str(4096 * PAGE))
    return bare


def counted(device) -> tuple[int, int, int]:
    """Pages now on the backing device, reads, writes."""
    now, reads, writes = (count * 4096 // PAGE for count in numbers(device, "bd_stat"))
    return now, reads, writes


# ---- the backing device --------------------------------------------------------------------------


def test_without_a_backing_device_its_file_says_none(bare):
    assert bare.read("backing_dev") == "none\n"


def test_the_backing_device_is_named_by_its_path(bare, add_loop):
    loop = add_loop(M)
    bare.write("backing_dev", f"{loop}\n")
    assert bare.read("backing_dev") == f"{loop}\n"


def test_a_second_backing_device_replaces_the_first(bare, add_loop):
    first, second = add_loop(M), add_loop(M)
    bare.write("backing_dev", first)
    bare.write("backing_dev", second)
    assert bare.read("backing_dev") == f"{second}\n"
    os.close(os.open(first, os.O_RDWR | os.O_EXCL))


def test_a_missing_backing_device_is_enoent(bare):
    refused(errno.ENOENT, bare.write, "backing_dev", "/dev/no-such-device")


def test_a_file_cannot_be_a_backing_device(bare, tmp_path):
    (tmp_path / "file").write_bytes(bytes(M))
    refused(errno.ENOTBLK, bare.write, "backing_dev", str(tmp_path / "file"))


def test_a_folder_cannot_be_a_backing_device(bare, tmp_path):
    refused((errno.EISDIR, errno.ENOTBLK), bare.write, "backing_dev", str(tmp_path))


def test_a_backing_device_below_one_page_is_refused(bare, add_loop):
    refused(errno.EINVAL, bare.write, "backing_dev", add_loop(2048))


def test_a_device_cannot_back_itself(bare):
    refused((errno.EINVAL, errno.EBUSY), bare.write, "backing_dev", bare.node)


def test_a_backing_device_belongs_to_one_zram_alone(bare, add_loop, add_zram):
    loop = add_loop(M)
    bare.write("backing_dev", loop)
    refused(errno.EBUSY, add_zram().write, "backing_dev", loop)
    refused(errno.EBUSY, os.open, loop, os.O_RDWR | os.O_EXCL)


def test_the_backing_device_is_fixed_after_disksize(backed, add_loop):
    refused(errno.EBUSY, backed.write, "backing_dev", add_loop(M))


def test_reset_lets_go_of_the_backing_device(backed):
    loop = backed.read("backing_dev").strip()
    backed.write("reset", "1")
    assert backed.read("backing_dev") == "none\n"
    os.close(os.open(loop, os.O_RDWR | os.O_EXCL))


def test_attaching_changes_nothing_on_the_backing_device(bare, add_loop):
    loop = add_loop(M)
    before = os.urandom(M)
    Path(loop).write_bytes(before)
    bare.write("backing_dev", loop)
    bare.write("disksize", "4M")
    store(bare, [text(1), noise(1)])
    bare.write("reset", "1")
    assert Path(loop).read_bytes() == before


def test_the_batch_and_compressed_settings_obey_their_order(backed):
    need(backed, "compressed_writeback")
    refused(errno.EBUSY, backed.write, "compressed_writeback", "1")
    backed.write("writeback_batch_size", "8")


# ---- writeback -----------------------------------------------------------------------------------


def test_writeback_wants_an_initialised_device(bare):
    refused(errno.EINVAL, bare.write, "writeback", "huge")


def test_writeback_wants_a_backing_device(bare):
    bare.write("disksize", "1M")
    refused(errno.ENODEV, bare.write, "writeback", "huge")


@pytest.mark.parametrize("written", ["all", "HUGE", "page_index=x", "page_index=", "type=nothing"])
def test_writeback_refuses_impossible_arguments(backed, written):
    store(backed, [noise(1)])
    refused(errno.EINVAL, backed.write, "writeback", written)


def test_a_page_index_beyond_the_end_is_refused(backed):
    refused((errno.EINVAL, errno.ERANGE), backed.write, "writeback", "page_index=999999")


@pytest.mark.parametrize("what", ["huge", "idle", "huge_idle"])
def test_writeback_of_nothing_succeeds(backed, what):
    store(backed, [text(1)])
    backed.write("writeback", what)
    assert counted(backed) == (0, 0, 0)


def test_huge_pages_leave_memory_and_are_read_back_from_the_device(backed):
    pages = [noise(1), text(1), noise(2), same(1)]
    store(backed, pages)
    before = numbers(backed, "mm_stat")
    backed.write("writeback", "huge")
    after = numbers(backed, "mm_stat")
    assert counted(backed) == (2, 0, 2)
    assert after[0] == before[0], "the original size counts written-back pages too"
    assert before[1] - after[1] == 2 * PAGE
    assert before[2] - after[2] == 2 * PAGE
    assert (before[7], after[7]) == (2, 0)
    assert load(backed, 4) == pages
    assert counted(backed) == (2, 2, 2)
    assert load(backed, 1) == pages[:1], "a read does not bring the page back"
    assert counted(backed) == (2, 3, 2)


def test_idle_pages_alone_are_written_back(backed):
    store(backed, [text(number) for number in range(4)])
    backed.write("idle", "all")
    store(backed, [text(9)])
    load(backed, 1, first=1)
    backed.write("writeback", "idle")
    assert counted(backed)[0] == 2


def test_huge_idle_wants_both(backed):
    store(backed, [text(1), noise(1)])
    backed.write("idle", "all")
    store(backed, [noise(2)], first=2)
    backed.write("writeback", "huge_idle")
    assert counted(backed)[0] == 1


def test_one_page_is_written_back_by_its_index(backed):
    store(backed, [text(number) for number in range(4)])
    backed.write("writeback", "page_index=2")
    assert counted(backed)[0] == 1
    assert load(backed, 4) == [text(number) for number in range(4)]


def test_ranges_of_pages_are_written_back_where_the_kernel_knows_them(backed):
    if not has(backed, "writeback_batch_size"):
        pytest.skip("this kernel has no page_indexes")
    store(backed, [text(number) for number in range(10)])
    backed.write("writeback", "page_indexes=1-3 page_index=5 page_indexes=7-8")
    assert counted(backed)[0] == 6
    assert load(backed, 10) == [text(number) for number in range(10)]


def test_same_filled_pages_never_go_to_the_device(backed):
    store(backed, [same(1), same(2)])
    backed.write("idle", "all")
    backed.write("writeback", "idle")
    assert counted(backed)[0] == 0


def test_overwriting_a_written_back_page_frees_its_block(backed):
    store(backed, [noise(1), noise(2)])
    backed.write("writeback", "huge")
    store(backed, [text(1)])
    assert counted(backed)[0] == 1
    assert load(backed, 2) == [text(1), noise(2)]


def test_a_full_backing_device_is_enospc_and_loses_nothing(add_loop, bare):
    bare.write("backing_dev", add_loop(4 * PAGE))
    bare.write("disksize", "1M")
    pages = [noise(number) for number in range(8)]
    store(bare, pages)
    refused(errno.ENOSPC, bare.write, "writeback", "huge")
    assert counted(bare)[0] in (3, 4), "all blocks, or all but the first"
    assert load(bare, 8) == pages


def test_an_exhausted_budget_is_eio_at_once(backed):
    store(backed, [noise(1)])
    backed.write("writeback_limit", "0")
    backed.write("writeback_limit_enable", "1")
    refused(errno.EIO, backed.write, "writeback", "huge")
    assert counted(backed) == (0, 0, 0)


def test_the_budget_counts_down_by_4_kib_for_each_page_and_stops(backed):
    store(backed, [noise(number) for number in range(5)])
    backed.write("writeback_limit", str(3 * PAGE // 4096))
    backed.write("writeback_limit_enable", "1")
    refused(errno.EIO, backed.write, "writeback", "huge")
    assert backed.read("writeback_limit") == "0\n"
    assert counted(backed)[0] == 3


def test_a_budget_that_is_not_enabled_limits_nothing(backed):
    store(backed, [noise(number) for number in range(3)])
    backed.write("writeback_limit", "0")
    backed.write("writeback_limit_enable", "0")
    backed.write("writeback", "huge")
    assert counted(backed)[0] == 3


def test_compressed_writeback_still_takes_a_block_for_each_page(add_loop, bare):
    need(bare, "compressed_writeback")
    bare.write("compressed_writeback", "1")
    bare.write("backing_dev", add_loop(8 * M))
    bare.write("disksize", "4M")
    pages = [text(number) for number in range(6)]
    store(bare, pages)
    bare.write("idle", "all")
    bare.write("writeback", "idle")
    assert counted(bare) == (6, 0, 6)
    assert load(bare, 6) == pages


# ---- idle marks ----------------------------------------------------------------------------------


def test_idle_wants_an_initialised_device(zram_device):
    need(zram_device, "idle")
    refused(errno.EINVAL, zram_device.write, "idle", "all")


@pytest.mark.parametrize("written", ["none", "ALL", "-1", "all "])
def test_idle_refuses_other_words(zram_device, written):
    need(zram_device, "idle")
    zram_device.write("disksize", "1M")
    refused(errno.EINVAL, zram_device.write, "idle", written)


def test_an_age_in_seconds_is_taken_where_the_kernel_tracks_it(zram_device):
    need(zram_device, "idle")
    block_state(zram_device)
    zram_device.write("disksize", "1M")
    store(zram_device, [text(1)])
    zram_device.write("idle", "3600")
    assert "i" not in flags(zram_device)[0], "a page just written is not an hour old"


def test_the_idle_mark_vanishes_on_reading_writing_and_freeing(zram_device):
    need(zram_device, "idle")
    block_state(zram_device)
    zram_device.write("disksize", "1M")
    store(zram_device, [text(number) for number in range(4)])
    zram_device.write("idle", "all")
    assert all("i" in marks for marks in flags(zram_device).values())
    load(zram_device, 1, first=1)
    store(zram_device, [text(9)], first=2)
    assert [slot for slot, marks in flags(zram_device).items() if "i" in marks] == [0, 3]


# ---- reading statistics meanwhile ----------------------------------------------------------------


def test_statistics_wait_for_the_writeback_or_not_but_disksize_never(add_loop, bare):
    """What a reader is told shows whether all had been written by then; clocks do not."""
    loop = Path("/sys/block", Path(add_loop(64 * M)).name)
    bare.write("backing_dev", f"/dev/{loop.name}")
    bare.write("disksize", "64M")

    def written() -> int:
        return int((loop / "stat").read_text().split()[4])

    def look() -> tuple[bool, int]:
        """Whether disksize could be read meanwhile, and the bytes that mm_stat then tells of."""
        store(bare, [noise(1)] * min(4000, 60 * M // PAGE))
        before = written()
        worker = threading.Thread(target=bare.write, args=("writeback", "huge"))
        worker.start()
        while written() == before and worker.is_alive():
            pass
        bare.read("disksize")
        meanwhile = written()
        left = numbers(bare, "mm_stat")[1]
        worker.join()
        return meanwhile < written(), left

    # It may end by itself between two reads, but not each time.
    found = [left for meanwhile, left in (look() for _ in range(5)) if meanwhile]
    if not found:
        pytest.skip("writeback ended before anything could be read")
    if has(bare, "writeback_batch_size"):
        assert not any(found), "mm_stat waits until writeback is done"
    else:
        assert any(found), "mm_stat is readable while writeback runs"
