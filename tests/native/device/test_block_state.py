# SPDX-License-Identifier: MIT
"""The parser of block_state: the kernel's lines, and anything else."""

from __future__ import annotations

import errno
import tracemalloc
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyzram import _native_block_state
from pyzram.device import block_state
from pyzram.errors import InvalidTypeError, UnsupportedError, ZramOSError
from pyzram.kernel.sysfs import Sysfs

LETTERS = "swhirn"
SLOTS = st.lists(
    st.tuples(
        st.integers(0, 2**64 - 1),
        st.integers(0, 2**43),
        st.integers(0, 999_999),
        st.integers(0, 63),
    )
)


def line(index: int, seconds: int, microseconds: int, flags: int, places: int = 6) -> str:
    marks = "".join(LETTERS[i] if flags >> i & 1 else "." for i in range(places))
    return f"{index:12d} {seconds:12d}.{microseconds:06d} {marks}\n"


def standing(tmp_path) -> SimpleNamespace:
    """A stand-in for the handle of an existing device."""
    return SimpleNamespace(
        sysfs=Sysfs(str(tmp_path)),
        name="zram7",
        removed=lambda: False,
        _require_present=lambda _step: None,
    )


def device(tmp_path, text: bytes) -> SimpleNamespace:
    folder = tmp_path / "sys/kernel/debug/zram/zram7"
    folder.mkdir(parents=True)
    (folder / "block_state").write_bytes(text)
    return standing(tmp_path)


def fails(text: bytes) -> int:
    codes = []
    for call in (_native_block_state.block_state_parse, _native_block_state.BlockCounts(0).add):
        with pytest.raises(OSError) as caught:
            call(text)
        codes.append(caught.value.errno)
    assert codes[0] == codes[1]
    return codes[0]


def test_a_line_of_6_12_and_one_of_6_1():
    text = line(300, 75, 33841, 0b010101) + line(4, 5, 6, 0b1010, places=4)
    assert text.splitlines()[0] == "         300           75.033841 s.h.r."
    indexes, times, flags, used = _native_block_state.block_state_parse(text.encode())
    assert (indexes, times) == ([300, 4], [75_033_841, 5_000_006])
    assert flags == bytes([0b010101, 0b1010])
    assert used == len(text)


@given(SLOTS)
def test_what_is_printed_is_parsed(slots):
    text = "".join(line(*slot) for slot in slots).encode()
    indexes, times, flags, used = _native_block_state.block_state_parse(text)
    assert used == len(text)
    assert indexes == [slot[0] for slot in slots]
    assert times == [slot[1] * 1_000_000 + slot[2] for slot in slots]
    assert list(flags) == [slot[3] for slot in slots]
    counts = _native_block_state.BlockCounts(0)
    assert counts.add(text) == len(text)
    assert counts.slots == len(slots)
    assert list(counts.flags().values()) == [sum(s[3] >> i & 1 for s in slots) for i in range(6)]


@given(SLOTS, st.integers(0, 200))
def test_a_cut_line_is_left_for_the_next_read(slots, cut):
    text = "".join(line(*slot) for slot in slots).encode()
    head = text[: max(0, len(text) - cut)]
    whole = head[: head.rfind(b"\n") + 1]
    *_, used = _native_block_state.block_state_parse(head)
    assert used == len(whole) == _native_block_state.BlockCounts(0).add(head)


@given(st.binary())
def test_any_bytes_are_parsed_or_refused(data):
    try:
        used = _native_block_state.block_state_parse(data)[3]
    except OSError as err:
        assert err.errno in (errno.EINVAL, errno.ERANGE)
    else:
        assert used <= len(data)
        assert used == data.rfind(b"\n") + 1


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (b"\n", errno.EINVAL),
        (b"1 2.000000\n", errno.EINVAL),
        (b"1 2.00000 ......\n", errno.EINVAL),
        (b"1 2.0000000 ......\n", errno.EINVAL),
        (b"1 2 ......\n", errno.EINVAL),
        (b"-1 2.000000 ......\n", errno.EINVAL),
        (b"1 2.000000 w.....\n", errno.EINVAL),
        (b"1 2.000000 S.....\n", errno.EINVAL),
        (b"18446744073709551616 2.000000 ......\n", errno.ERANGE),
        (b"1 18446744073709.000000 ......\n", errno.ERANGE),
    ],
)
def test_other_lines_are_refused(text, code):
    assert fails(text) == code


def test_flags_of_a_kernel_to_come_are_passed_over():
    assert _native_block_state.block_state_parse(b"1 2.000000 .....nz.\n")[2] == bytes([32])


def test_ages_double_from_bucket_to_bucket():
    now = 1 << 40
    ages = (0, 999_999, 1_000_000, 1_999_999, 2_000_000, 4_000_000, 7_999_999, 8_000_000)
    text = "".join(line(i, *divmod(now - age, 1_000_000), 0) for i, age in enumerate(ages))
    counts = _native_block_state.BlockCounts(now)
    counts.add(text.encode())
    counts.add(line(9, now // 1_000_000 + 5, 0, 0).encode())  # used since the clock was read
    assert counts.ages()[:6] == [3, 2, 1, 2, 1, 0]
    assert sum(counts.ages()) == 9
    summary = block_state.BlockState(9, counts.flags(), tuple(counts.ages()))
    assert [summary.older_than(age) for age in (0, 1, 2, 4, 8, 16)] == [9, 6, 4, 3, 1, 0]


@pytest.mark.parametrize("size", [50, 64, 4096])
def test_reads_join_wherever_they_were_cut(tmp_path, monkeypatch, size):
    monkeypatch.setattr(block_state, "READ_SIZE", size)
    wanted = [(i, i * 3, i * 7, i % 64) for i in range(500)]
    handle = device(tmp_path, "".join(line(*slot) for slot in wanted).encode())
    with pytest.raises(InvalidTypeError, match="device 'zram3'"):
        block_state.slots("zram3")  # before anybody asks for a page
    found = list(block_state.slots(handle))
    assert [slot[0] for slot in found] == [slot[0] for slot in wanted]
    assert found[9] == (9, 27_000_063, 9)
    assert block_state.summary(handle).slots == 500


@pytest.mark.parametrize(
    "walk", [block_state.summary, lambda device: sum(1 for _ in block_state.slots(device))]
)
def test_memory_does_not_grow_with_the_device(tmp_path, monkeypatch, walk):
    monkeypatch.setattr(block_state, "READ_SIZE", 1 << 14)

    def peak(count: int) -> int:
        text = "".join(line(i, 1, 0, 0) for i in range(count))
        handle = device(tmp_path / str(count), text.encode())
        tracemalloc.start()
        try:
            walk(handle)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    peak(1000)  # what is made once
    assert peak(32_000) < 1.2 * peak(2000)


def test_a_file_that_ends_within_a_line_is_an_error(tmp_path):
    handle = device(tmp_path, line(1, 2, 3, 4).encode()[:-2])
    with pytest.raises(ZramOSError, match=r"zram7.*within a line") as caught:
        block_state.summary(handle)
    assert caught.value.errno == errno.EINVAL


def test_a_kernel_without_it_is_reported(tmp_path):
    handle = standing(tmp_path)
    with pytest.raises(UnsupportedError, match="CONFIG_ZRAM_MEMORY_TRACKING"):
        block_state.summary(handle)


class Parts:
    """Reads of a made-up file whose offsets are places, as the kernel's are."""

    def __init__(self, places: set[int]) -> None:
        self.places = sorted(places)
        self.reads = 0

    def text_at(self, _fd: int, size: int, place: int) -> bytes:
        self.reads += 1
        left = [other for other in self.places if other >= place]
        return "".join(line(other, other, 0, 0) for other in left[: size // 40]).encode()


RANGES = st.lists(
    st.tuples(st.integers(0, 9000), st.integers(-1, 5000)).map(lambda r: (r[0], r[0] + r[1])),
    max_size=6,
)


@given(st.sets(st.integers(0, 9000), max_size=300), RANGES)
def test_parts_give_what_is_stored_of_each_range_in_the_order_asked(tmp_path_factory, stored, ask):
    parts = Parts(stored)
    made = device(tmp_path_factory.mktemp("parts"), b"")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(block_state, "_text_at", parts.text_at)
        found = [slot[0] for slot in block_state.slots_within(made, ask)]
    assert found == [
        place for first, last in ask for place in parts.places if first <= place <= last
    ]


def test_neighbours_are_one_read(tmp_path, monkeypatch):
    parts = Parts(set(range(20_000)))
    monkeypatch.setattr(block_state, "_text_at", parts.text_at)
    made = device(tmp_path, b"")
    every_second = [(place, place) for place in range(0, 1000, 2)]
    found = [slot[0] for slot in block_state.slots_within(made, every_second)]
    assert (found, parts.reads) == (list(range(0, 1000, 2)), 1)
    parts.reads = 0
    far = [(0, 0), (5000, 5000), (10_000, 10_000)]
    assert [slot[0] for slot in block_state.slots_within(made, far)] == [0, 5000, 10_000]
    assert parts.reads == 3
