# SPDX-License-Identifier: MIT
"""Numbers that do not fit 32 bits, which a 32-bit machine has all the same."""

import os
import subprocess
from array import array

import pytest

from pyzram import _native, _native_block_state, _native_codec, _native_memory, _native_zsmalloc

PAGE = os.sysconf("SC_PAGE_SIZE")
GIB = 1 << 30


@pytest.mark.parametrize("offset", [3 * GIB, 5 * GIB, 17 * GIB])
def test_pages_of_an_object_beyond_4_gib(offset):
    fd = os.memfd_create("pyzram-test")
    try:
        os.ftruncate(fd, offset + PAGE)
        os.pwrite(fd, b"far" * (PAGE // 3) + bytes(PAGE % 3), offset)
        number = offset // PAGE
        assert _native_memory.shmem_resident(fd, number, 1)[0] & 1
        pages = bytearray(2 * PAGE)
        done, there = _native_memory.shmem_read(fd, array("Q", [number - 1, number]), pages)
        assert (done, there) == (1, b"\0\1")
        assert pages.startswith(b"farfar")
    finally:
        os.close(fd)


@pytest.mark.parametrize("seconds", [2**31, 2**33])
def test_a_file_of_later_than_2038(seconds):
    """With times of 32 bits, fstat(2) says EOVERFLOW, and nothing of the file would be known."""
    fd = os.memfd_create("pyzram-test")
    try:
        os.ftruncate(fd, PAGE)
        # Python itself may have such times.
        path, passed = f"/proc/self/fd/{fd}", {"pass_fds": [fd], "text": True}
        subprocess.run(["touch", "-d", f"@{seconds}", path], check=True, **passed)
        said = subprocess.check_output(["stat", "-Lc", "%Y", path], **passed)
        assert said == f"{seconds}\n"
        assert _native_memory.shmem_tells(fd)
    finally:
        os.close(fd)


@pytest.mark.parametrize("value", [2**31, 2**32, 2**32 + 1, 2**63, 2**64 - 1])
def test_figures_of_the_kernel(tmp_path, value):
    (tmp_path / "mm_stat").write_text(f"{value} 1 {value}\n")
    file = _native.NumberFile(str(tmp_path / "mm_stat"))
    try:
        assert file.read() == [value, 1, value]
    finally:
        file.close()


def test_slots_and_times_of_block_state():
    text = b"%12d %12d.%06d s.....\n" % (2**32 + 5, 2**32 + 7, 9)
    indexes, times, _, used = _native_block_state.block_state_parse(text)
    assert (indexes, times) == ([2**32 + 5], [(2**32 + 7) * 10**6 + 9])
    assert used == len(text)


def test_a_pool_of_more_than_4_gib():
    zs = _native_zsmalloc.Zsmalloc(4096, 8, 8, _native_zsmalloc.CHAIN_BY_WASTE)
    raw = 2**20 + 3
    counts, compr, same, huge = zs.store(array("I", [4096]) * raw)
    assert (compr, same, huge) == (4096 * raw, 0, raw)
    assert sum(counts) == raw and compr > 2**32


def test_numbers_of_frames_beyond_4_gib_are_told_apart():
    """With PAE, physical addresses have 36 bits and more: frames and slots are wider than words."""
    seen = _native_memory.Seen()
    numbers = array("Q", [5, 5 + 2**32, 5 + 2**40, 5])
    assert seen.add(numbers) == b"\0\0\0\1"


@pytest.mark.parametrize(("page", "by_word"), [(b"aaaabbbb", {4: False, 8: True})], ids=["halves"])
def test_the_machine_word_decides_what_is_same_filled(page, by_word):
    for word_size, same in by_word.items():
        assert _native_codec.same_filled(page * 512, word_size) is same
