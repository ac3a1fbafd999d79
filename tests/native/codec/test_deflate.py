# SPDX-License-Identifier: MIT
"""deflate: the kernel's bytes, and what is refused."""

import errno
import platform
import zlib

import pytest
import vectors
from hypothesis import given
from hypothesis import strategies as st

import pyzram

CASES = [(-1, -11), (1, -11), (9, -11), (-1, -15), (-1, 15)]
PAGE = vectors.page("half/70")


@pytest.mark.parametrize(("level", "winbits"), CASES)
def test_bytes_are_the_kernels(level, winbits):
    def compress(page):
        return pyzram.compress_page(page, "deflate", level=level, winbits=winbits)

    assert vectors.ours(compress) == vectors.kernel(f"deflate/{level}/{winbits}")


# Other compressors come under the name of zlib, and Z mainframes have one in the processor.
zlib_itself = pytest.mark.skipif(
    not zlib.ZLIB_RUNTIME_VERSION.replace(".", "").isdigit() or platform.machine() == "s390x",
    reason=f"zlib {zlib.ZLIB_RUNTIME_VERSION} on {platform.machine()} is another compressor",
)


def by_zlib(page, level, winbits):
    return zlib.compress(page, level, wbits=winbits)


@zlib_itself
@pytest.mark.parametrize("winbits", [-15, -12, -11, -9, 9, 15])
@pytest.mark.parametrize("level", range(-1, 10))
def test_pages_of_4_kib_are_what_zlib_makes_of_them(level, winbits):
    for name, page in vectors.pages().items():
        made = pyzram.compress_page(page, "deflate", level=level, winbits=winbits)
        assert made == by_zlib(page, level, winbits), name


@zlib_itself
@pytest.mark.parametrize("page_size", [16384, 65536])
@pytest.mark.parametrize("winbits", [-15, -11, -9])
@pytest.mark.parametrize("level", [1, 2])
def test_larger_pages_are_what_zlib_makes_of_them_where_no_block_ends_early(
    level, winbits, page_size
):
    for page in vectors.large_pages(page_size):
        made = pyzram.compress_page(page, "deflate", level=level, winbits=winbits)
        assert made == by_zlib(page, level, winbits)


@pytest.mark.parametrize(("page_size", "blocks"), [(4096, 1), (16384, 1), (65536, 2)])
def test_level_0_stores_the_page_as_it_is(page_size, blocks):
    page = (PAGE * 16)[:page_size]
    data = pyzram.compress_page(page, "deflate", level=0)
    assert len(data) == page_size + 5 * blocks
    assert zlib.decompress(data, -11) == page


@zlib_itself
@given(st.binary(max_size=4096), st.integers(1, 9), st.sampled_from([-9, -11, -15]))
def test_any_page_is_what_zlib_makes_of_it(head, level, winbits):
    page = ((head or b"ab") * 4096)[:4096]
    made = pyzram.compress_page(page, "deflate", level=level, winbits=winbits)
    assert made == by_zlib(page, level, winbits)


def test_default_is_level_6_in_a_raw_window_of_2_kib():
    data = pyzram.compress_page(PAGE, "deflate")
    assert data == pyzram.compress_page(PAGE, "deflate", level=6, winbits=-11)
    assert zlib.decompress(data, -11) == PAGE


@pytest.mark.parametrize("page_size", [4096, 16384, 65536])
@pytest.mark.parametrize("winbits", [-15, -9, 9, 15])
@pytest.mark.parametrize("level", [-1, 0, 1, 3, 4, 9])
def test_pages_of_every_size_come_back(page_size, winbits, level):
    page = (PAGE * 16)[:page_size]
    how = {"level": level, "winbits": winbits}
    data = pyzram.compress_page(page, "deflate", **how)
    assert pyzram.decompress_page(data, "deflate", page_size=page_size, **how) == page


@given(st.binary(max_size=4096), st.integers(-1, 9))
def test_any_page_comes_back(head, level):
    page = head.ljust(4096, b"\0")
    data = pyzram.compress_page(page, "deflate", level=level)
    assert pyzram.decompress_page(data, "deflate", level=level) == page


@pytest.mark.parametrize("level", [-2, 10, 2**40])
def test_level_out_of_range_names_the_range(level):
    with pytest.raises(pyzram.InvalidValueError, match=r"deflate: level .*: not in -1\.\.9"):
        pyzram.compress_page(PAGE, "deflate", level=level)


@pytest.mark.parametrize("winbits", [-16, -8, 0, 8, 16, 31, 2**31])
def test_window_out_of_range_is_refused(winbits):
    with pytest.raises(pyzram.InvalidValueError, match=r"deflate: .*-15\.\.-9|32-bit"):
        pyzram.compress_page(PAGE, "deflate", winbits=winbits)


def test_dictionary_is_refused_as_the_kernel_does():
    with pytest.raises(pyzram.InvalidValueError, match="dictionary") as caught:
        pyzram.compress_page(PAGE, "deflate", dictionary=b"abc")
    assert caught.value.__cause__.errno == errno.EOPNOTSUPP


@pytest.mark.parametrize("page_size", [4096, 16384])
def test_a_page_of_another_size_is_not_taken(page_size):
    data = zlib.compress((PAGE * 4)[: 20480 - page_size])
    with pytest.raises(pyzram.InvalidValueError) as caught:
        pyzram.decompress_page(data, "deflate", page_size=page_size, winbits=15)
    assert caught.value.__cause__.errno == errno.EBADMSG


def test_bytes_after_the_end_are_not_taken():
    data = pyzram.compress_page(PAGE, "deflate")
    with pytest.raises(pyzram.InvalidValueError):
        pyzram.decompress_page(data + b"\0", "deflate")
