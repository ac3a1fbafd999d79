# SPDX-License-Identifier: MIT
"""lz4: the kernel's bytes, liblz4 as a second opinion, dictionaries, hostile input."""

from __future__ import annotations

import ctypes
import ctypes.util
import random
from contextlib import suppress
from functools import cache

import pytest
import vectors
from hypothesis import given
from hypothesis import strategies as st

import pyzram

PAGES = vectors.pages()
SIZES = [4096, 16384, 65536]


@cache
def liblz4() -> ctypes.CDLL:
    return ctypes.CDLL(ctypes.util.find_library("lz4"))  # pyzram itself needs it


def theirs(page: bytes, acceleration: int = 1) -> bytes:
    out = ctypes.create_string_buffer(2 * len(page))
    length = liblz4().LZ4_compress_fast(page, out, len(page), len(out), acceleration)
    assert length > 0
    return out.raw[:length]


def their_page(data: bytes, page_size: int) -> bytes:
    out = ctypes.create_string_buffer(page_size)
    assert liblz4().LZ4_decompress_safe(data, out, len(data), page_size) == page_size
    return out.raw


def big_page(size: int, start: int = 0) -> bytes:
    kinds = list(PAGES.values())
    return b"".join(kinds[(start + i) % len(kinds)] for i in range(size // 4096))


ACCELERATIONS = [1, 4, 17]


@vectors.little_endian
@pytest.mark.parametrize("acceleration", ACCELERATIONS)
def test_bytes_are_the_kernels(acceleration):
    def compress(page):
        return pyzram.compress_page(page, "lz4", level=acceleration)

    assert vectors.ours(compress) == vectors.kernel(f"lz4/{acceleration}")


@vectors.big_endian
@pytest.mark.parametrize("acceleration", ACCELERATIONS)
def test_lengths_are_those_of_a_big_endian_kernel(acceleration):
    huge = pyzram.PoolModel(page_size=4096, word_size=8, chain=(8, "waste")).huge_class_size

    def stored(page):
        length = len(pyzram.compress_page(page, "lz4", level=acceleration))
        return 0 if len(set(page)) == 1 else 4096 if length >= huge else length

    found = {name: stored(page) for name, page in PAGES.items()}
    assert found == vectors.kernel_where_big_endian(f"lz4/{acceleration}")


def test_the_default_acceleration_is_1():
    page = vectors.page("words/50")
    assert pyzram.compress_page(page, "lz4") == pyzram.compress_page(page, "lz4", level=1)


@pytest.mark.parametrize("acceleration", [1, 3, 1000, 65537, 2**31 - 1])
@pytest.mark.parametrize("size", SIZES)
def test_liblz4_and_we_read_each_other(size, acceleration):
    for start in range(len(PAGES)):
        page = big_page(size, start)
        data = pyzram.compress_page(page, "lz4", level=acceleration)
        assert their_page(data, size) == page
        other = theirs(page, acceleration)
        assert pyzram.decompress_page(other, "lz4", page_size=size) == page


def test_we_are_liblz4_but_for_the_last_probe():
    """The kernel gives up one position earlier, which costs at most a few bytes."""
    lengths = [(len(pyzram.compress_page(p, "lz4")), len(theirs(p))) for p in PAGES.values()]
    assert all(0 <= ours - other <= 6 for ours, other in lengths)


@given(st.binary(max_size=4096), st.binary(min_size=1, max_size=9), st.integers(1, 40))
def test_any_page_comes_back(head, fill, acceleration):
    page = (head + fill * 4096)[:4096]
    data = pyzram.compress_page(page, "lz4", level=acceleration)
    assert pyzram.decompress_page(data, "lz4") == page
    assert their_page(data, 4096) == page


def sequence(literals: bytes, distance: int = 0, match: int = 0) -> bytes:
    """One sequence of the format; the last one of a page has no match."""

    def rest(length: int) -> bytes:
        more = length - 15
        return b"" if more < 0 else b"\xff" * (more // 255) + bytes([more % 255])

    extra = max(0, match - 4)
    token = bytes([min(15, len(literals)) << 4 | min(15, extra)])
    data = token + rest(len(literals)) + literals
    return data + distance.to_bytes(2, "little") + rest(extra) if match else data


@pytest.mark.parametrize("match", [4, 18, 19, 273, 274])
@pytest.mark.parametrize("literals", [14, 15, 16, 268, 269, 270, 400])
def test_long_literals_near_the_end_of_a_page(literals, match):
    """With enough room, more than their number is copied at once."""
    noise = random.Random(literals * match).randbytes(4096)
    for tail in [*range(8, 60), *range(250, 340)]:
        # What precedes them ends in a match too, so that they are not the page's first.
        head = noise[: 4096 - 4 - literals - match - tail]
        for distance in (1, 7, 9, literals):
            page = bytearray(head + head[:4] + noise[-literals:])
            for _ in range(match):
                page.append(page[-distance])
            begun = sequence(head, len(head), 4) + sequence(noise[-literals:], distance, match)
            data = begun + sequence(noise[:tail])
            page += noise[:tail]
            assert pyzram.decompress_page(data, "lz4") == their_page(data, 4096) == page
        for end in (len(begun) - 1, len(begun), len(data) - 1):
            with pytest.raises(pyzram.ZramError):
                pyzram.decompress_page(data[:end], "lz4")


def test_a_dictionary_helps_and_is_needed_to_read():
    page = vectors.page("words/51")
    dictionary = vectors.page("words/50") + page[:1000]
    data = pyzram.compress_page(page, "lz4", dictionary=dictionary)
    assert len(data) < len(pyzram.compress_page(page, "lz4"))
    assert pyzram.decompress_page(data, "lz4", dictionary=dictionary) == page
    with pytest.raises(pyzram.ZramError):
        pyzram.decompress_page(data, "lz4")


@given(st.binary(min_size=8, max_size=3000), st.binary(min_size=1, max_size=2000))
def test_any_page_comes_back_with_any_dictionary(dictionary, text):
    page = (dictionary[3:] + text * 4096)[:4096]
    data = pyzram.compress_page(page, "lz4", dictionary=dictionary)
    assert pyzram.decompress_page(data, "lz4", dictionary=dictionary) == page


@pytest.mark.parametrize("length", [1, 7, 65537])
def test_dictionaries_of_a_length_the_kernel_refuses(length):
    with pytest.raises(pyzram.InvalidValueError):
        pyzram.compress_page(bytes(4096), "lz4", dictionary=b"x" * length)


@pytest.mark.parametrize("level", [0, -1, 2**31])
def test_levels_below_1_are_refused(level):
    with pytest.raises(pyzram.InvalidValueError):
        pyzram.compress_page(bytes(4096), "lz4", level=level)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00",
        b"\xf0",
        b"\xff" * 5000,
        b"\x10a\x00\x00",
        b"\x10a\x02\x00\x00",
        b"\x1fa\x01\x00" + b"\xff" * 20 + b"\x00\x50aaaaa",
    ],
)
def test_what_is_not_a_page_is_an_error(data):
    with pytest.raises(pyzram.ZramError):
        pyzram.decompress_page(data, "lz4")


def test_no_damage_gives_anything_but_an_error_or_a_page():
    for page in (vectors.page("words/50"), vectors.page("half/70")):
        data = pyzram.compress_page(page, "lz4")
        for at in range(len(data)):
            for change in (0x01, 0x10, 0x80, 0xFF):
                damaged = data[:at] + bytes([data[at] ^ change]) + data[at + 1 :]
                with suppress(pyzram.ZramError):
                    assert len(pyzram.decompress_page(damaged, "lz4")) == 4096
            with pytest.raises(pyzram.ZramError):
                pyzram.decompress_page(data[:at], "lz4")
