# SPDX-License-Identifier: MIT
"""lz4hc: how close liblz4 comes to the kernel, dictionaries, and what is refused."""

import errno

import pytest
import vectors
from hypothesis import given
from hypothesis import strategies as st

import pyzram
from pyzram.pages.codec.codec import length_bounds

PAGE = vectors.page("half/70")


def compressed(level):
    return vectors.ours(lambda page: pyzram.compress_page(page, "lz4hc", level=level))


@vectors.little_endian
def test_bytes_are_the_kernels_where_liblz4_searches_the_same_way():
    assert compressed(3) == vectors.kernel("lz4hc/3")
    assert compressed(16) == vectors.kernel("lz4hc/16")


@pytest.mark.parametrize("level", [1, 3, 9, 12, 16])
def test_the_sum_of_sizes_is_within_4_permille_of_the_kernels(level):
    ours = sum(length for length, _ in compressed(level).values())
    kernel = sum(length for length, _ in vectors.kernel(f"lz4hc/{level}").values())
    assert 0.996 <= ours / kernel <= 1


@pytest.mark.parametrize("level", [1, 3, 9, 12, 16])
def test_the_bounds_of_an_estimate_hold_the_kernels_lengths(level):
    low, high = length_bounds("lz4hc")
    kernel = vectors.kernel(f"lz4hc/{level}")
    ours = compressed(level)
    # A page that compresses to a few dozen bytes takes the smallest class in either case.
    pages = [name for name in ours if ours[name][0] > 100]
    assert len(pages) > 15
    for name in pages:
        assert low <= kernel[name][0] / ours[name][0] <= high, name
    # Not so wide that anything would be within them.
    if level == 9:
        assert max(kernel[name][0] / ours[name][0] for name in pages) > 1.02


def test_default_is_level_9():
    assert pyzram.compress_page(PAGE, "lz4hc") == pyzram.compress_page(PAGE, "lz4hc", level=9)


def test_pages_before_leave_no_trace():
    pages = list(vectors.pages().values())
    first = [pyzram.compress_page(page, "lz4hc") for page in pages]
    assert [pyzram.compress_page(page, "lz4hc") for page in reversed(pages)] == first[::-1]


@pytest.mark.parametrize("dictionary", [b"x", PAGE[:100], PAGE * 2, PAGE * 16], ids=len)
@pytest.mark.parametrize("level", [1, 9, 16])
@pytest.mark.parametrize("page_size", [4096, 65536])
def test_pages_with_a_dictionary_come_back(dictionary, level, page_size):
    page = (vectors.page("words/50") * 16)[:page_size]
    how = {"level": level, "dictionary": dictionary}
    data = pyzram.compress_page(page, "lz4hc", **how)
    assert pyzram.decompress_page(data, "lz4hc", page_size=page_size, **how) == page


def test_a_dictionary_of_the_same_content_helps():
    plain = pyzram.compress_page(PAGE, "lz4hc")
    helped = pyzram.compress_page(PAGE, "lz4hc", dictionary=PAGE)
    assert len(helped) < 100 < len(plain)
    with pytest.raises(pyzram.InvalidValueError) as caught:
        pyzram.decompress_page(helped, "lz4hc")
    assert caught.value.__cause__.errno == errno.EBADMSG


def test_a_dictionary_over_64_kib_is_refused():
    with pytest.raises(pyzram.InvalidValueError, match="dictionary of 65537 bytes") as caught:
        pyzram.compress_page(PAGE, "lz4hc", dictionary=bytes(65537))
    assert caught.value.__cause__.errno == errno.EINVAL


@given(st.binary(max_size=4096), st.integers(1, 16))
def test_any_page_comes_back(head, level):
    page = head.ljust(4096, b"\0")
    data = pyzram.compress_page(page, "lz4hc", level=level)
    assert pyzram.decompress_page(data, "lz4hc") == page


@pytest.mark.parametrize("level", [0, -1, 17])
def test_level_out_of_range_names_the_range(level):
    with pytest.raises(pyzram.InvalidValueError, match=r"not in 1\.\.16"):
        pyzram.compress_page(PAGE, "lz4hc", level=level)


def test_winbits_are_refused():
    with pytest.raises(pyzram.InvalidValueError, match="winbits 10") as caught:
        pyzram.compress_page(PAGE, "lz4hc", winbits=10)
    assert caught.value.__cause__.errno == errno.EOPNOTSUPP
