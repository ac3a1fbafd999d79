# SPDX-License-Identifier: MIT
"""lzo and lzo-rle: the kernel's bytes, liblzo2 as a second opinion, hostile input."""

from __future__ import annotations

import ctypes
import ctypes.util
import errno
from contextlib import suppress
from functools import cache

import pytest
import vectors
from hypothesis import given
from hypothesis import strategies as st

import pyzram

NAMES = ["lzo", "lzo-rle"]
PAGES = vectors.pages()
SIZES = [4096, 16384, 65536]
END = bytes([17, 0, 0])


@cache
def liblzo2() -> ctypes.CDLL:
    name = ctypes.util.find_library("lzo2")
    if name is None:
        pytest.skip("liblzo2 is not installed")
    return ctypes.CDLL(name)


def theirs(page: bytes) -> bytes:
    work = ctypes.create_string_buffer(1 << 18)
    out = ctypes.create_string_buffer(2 * len(page))
    length = ctypes.c_ulong()
    call = liblzo2().lzo1x_1_15_compress
    assert call(page, ctypes.c_ulong(len(page)), out, ctypes.byref(length), work) == 0
    return out.raw[: length.value]


def their_page(data: bytes, page_size: int) -> bytes:
    out = ctypes.create_string_buffer(page_size)
    length = ctypes.c_ulong(page_size)
    call = liblzo2().lzo1x_decompress_safe
    assert call(data, ctypes.c_ulong(len(data)), out, ctypes.byref(length), None) == 0
    return out.raw[: length.value]


def big_page(size: int, start: int = 0) -> bytes:
    """A page of several kinds, so that chunks begin in the middle of matches."""
    kinds = list(PAGES.values())
    return b"".join(kinds[(start + i) % len(kinds)] for i in range(size // 4096))


@pytest.mark.parametrize("name", NAMES)
def test_bytes_are_the_kernels(name):
    assert vectors.ours(lambda page: pyzram.compress_page(page, name)) == vectors.kernel(name)


@pytest.mark.parametrize("size", SIZES)
def test_lzo_is_liblzo2_s_and_each_reads_the_other(size):
    for start in range(0, len(PAGES), max(1, size // 8192)):
        page = big_page(size, start)
        ours = pyzram.compress_page(page, "lzo")
        assert ours == theirs(page)
        assert their_page(ours, size) == page
        assert pyzram.decompress_page(theirs(page), "lzo", page_size=size) == page


@given(st.binary(max_size=4096), st.binary(min_size=1, max_size=9))
def test_lzo_is_liblzo2_s_on_any_page(head, fill):
    page = (head + fill * 4096)[:4096]
    assert pyzram.compress_page(page, "lzo") == theirs(page)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", SIZES)
def test_pages_of_every_size_come_back(name, size):
    for start in range(len(PAGES)):
        page = big_page(size, start)
        data = pyzram.compress_page(page, name)
        assert pyzram.decompress_page(data, name, page_size=size) == page


@pytest.mark.parametrize("name", NAMES)
@given(head=st.binary(max_size=4096), zeros=st.integers(0, 4096), tail=st.binary(max_size=64))
def test_any_page_comes_back(name, head, zeros, tail):
    page = (head + bytes(zeros) + tail).ljust(4096, b"\0")[:4096]
    assert pyzram.decompress_page(pyzram.compress_page(page, name), name) == page


def test_either_decompressor_reads_both():
    # The stream says which of the two it is; the kernel has one decompressor for both.
    page = vectors.page("sparse/42/10")
    assert pyzram.decompress_page(pyzram.compress_page(page, "lzo-rle"), "lzo") == page
    assert pyzram.decompress_page(pyzram.compress_page(page, "lzo"), "lzo-rle") == page


@pytest.mark.parametrize("length", [4, 11, 12, 2050, 2051, 2052, 4000])
def test_runs_of_zeros_of_every_length(length):
    page = (b"\x01" * 40 + bytes(length) + b"\x02" * 4096)[:4096]
    assert pyzram.decompress_page(pyzram.compress_page(page, "lzo-rle"), "lzo-rle") == page


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "data",
    [
        b"",
        END,
        b"\x00",
        b"\x12",
        b"\x11\x01",
        b"\x11\x01" + END,
        b"\x15abcd" + END,
        b"\x00" * 5000,
        b"\xff" * 5000,
        b"\x20" + b"\x00" * 5000 + b"\x01\x00\x00" + END,
        b"\x11\x01\x1f\xfc\xff\xff" * 3,
    ],
)
def test_what_is_not_a_page_is_an_error(name, data):
    with pytest.raises(pyzram.ZramError) as caught:
        pyzram.decompress_page(data, name)
    assert getattr(caught.value, "errno", errno.EBADMSG) == errno.EBADMSG


@pytest.mark.parametrize("name", NAMES)
def test_no_damage_gives_anything_but_an_error_or_a_page(name):
    for page in (vectors.page("words/50"), vectors.page("half/70")):
        data = bytearray(pyzram.compress_page(page, name))
        for at in range(len(data)):
            for change in (0x01, 0x10, 0x80, 0xFF):
                damaged = bytes(data[:at]) + bytes([data[at] ^ change]) + bytes(data[at + 1 :])
                with suppress(pyzram.ZramError):
                    assert len(pyzram.decompress_page(damaged, name)) == 4096
            with pytest.raises(pyzram.ZramError):
                pyzram.decompress_page(bytes(data[:at]), name)


@pytest.mark.parametrize("name", NAMES)
def test_there_are_no_levels_and_no_dictionary(name):
    with pytest.raises(pyzram.InvalidValueError, match=name):
        pyzram.compress_page(bytes(4096), name, level=1)
    with pytest.raises(pyzram.InvalidValueError, match=name):
        pyzram.compress_page(bytes(4096), name, dictionary=b"words")
