# SPDX-License-Identifier: MIT
"""zstd: the kernel's parameters, dictionaries, and what is refused."""

import ctypes
import errno

import pytest
import vectors
from hypothesis import given
from hypothesis import strategies as st

import pyzram
from pyzram.pages.codec.codec import length_bounds, zstd_release

PAGE = vectors.page("half/70")

# The library that the extension for pages is linked to.
library = ctypes.CDLL("libzstd.so.1")
library.ZSTD_createCCtx.restype = ctypes.c_void_p
library.ZSTD_freeCCtx.argtypes = [ctypes.c_void_p]
library.ZSTD_CCtx_setParameter.argtypes = [ctypes.c_void_p, ctypes.c_int, ctypes.c_int]
library.ZSTD_CCtx_setParameter.restype = ctypes.c_size_t
library.ZSTD_compress2.argtypes = [
    *(ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t)
]
library.ZSTD_compress2.restype = ctypes.c_size_t
library.ZDICT_trainFromBuffer.restype = ctypes.c_size_t
VERSION = library.ZSTD_versionNumber()

# What the kernel uses for pages of 4 KiB: chainLog, searchLog, minMatch, targetLength, strategy;
# windowLog is 12 and hashLog 13. Strategies count from fast (1) to btultra2 (9).
PARAMETERS = {
    -5: (12, 1, 5, 5, 1),
    1: (12, 1, 5, 0, 1),
    2: (12, 1, 4, 0, 1),
    3: (12, 2, 4, 0, 2),
    4: (12, 4, 4, 2, 3),
    5: (12, 3, 4, 4, 4),
    6: (12, 4, 4, 8, 5),
    7: (12, 6, 4, 8, 5),
    8: (12, 8, 4, 8, 5),
    9: (13, 5, 4, 8, 6),
    12: (13, 4, 3, 24, 7),
    15: (13, 7, 3, 256, 8),
    19: (13, 8, 3, 256, 9),
    22: (13, 10, 3, 999, 9),
}
# Those of the vectors.
LEVELS = [-5, 1, 3, 6, 9, 12, 19, 22]
# enum ZSTD_cParameter
COMPRESSION_LEVEL, WINDOW_LOG, HASH_LOG = 100, 101, 102
CHAIN_LOG, SEARCH_LOG, MIN_MATCH, TARGET_LENGTH, STRATEGY = 103, 104, 105, 106, 107


def compress_with_parameters(level):
    chain, search, match, target, strategy = PARAMETERS[level]
    context = library.ZSTD_createCCtx()
    for parameter, value in (
        (COMPRESSION_LEVEL, level),
        (WINDOW_LOG, 12),
        (HASH_LOG, 13),
        (CHAIN_LOG, chain),
        (SEARCH_LOG, search),
        (MIN_MATCH, match),
        (TARGET_LENGTH, target),
        (STRATEGY, strategy),
    ):
        assert library.ZSTD_CCtx_setParameter(context, parameter, value) <= value % 2**32
    out = ctypes.create_string_buffer(8192)

    def compress(page):
        length = library.ZSTD_compress2(context, out, 8192, page, len(page))
        assert length <= 8192
        return out.raw[:length]

    made = vectors.ours(compress)
    library.ZSTD_freeCCtx(context)
    return made


@pytest.mark.parametrize("level", PARAMETERS)
def test_bytes_are_those_of_the_kernels_parameters(level):
    def compress(page):
        return pyzram.compress_page(page, "zstd", level=level)

    assert vectors.ours(compress) == compress_with_parameters(level)


@pytest.mark.parametrize("level", LEVELS)
def test_bytes_are_the_kernels_of_the_same_generation(level):
    version, kernel = zstd_release()
    if kernel is None:
        pytest.skip(f"no kernel has libzstd {version}")
    made = vectors.ours(lambda page: pyzram.compress_page(page, "zstd", level=level))
    kernels = vectors.kernel({"6.12": f"zstd-1.5.2/{level}", "7.x": f"zstd-1.5.7/{level}"}[kernel])
    bounds = length_bounds("zstd", level)
    if bounds is None:
        assert made == kernels
    else:
        low, high = bounds
        lengths = [sum(length for length, _ in found.values()) for found in (kernels, made)]
        assert low <= lengths[0] / lengths[1] <= high


@pytest.mark.parametrize("generation", ["1.5.2", "1.5.7"])
@pytest.mark.parametrize("level", LEVELS)
def test_sizes_are_within_2_permille_of_every_generation(generation, level):
    made = vectors.ours(lambda page: pyzram.compress_page(page, "zstd", level=level))
    kernel = vectors.kernel(f"zstd-{generation}/{level}")
    ratio = sum(row[0] for row in made.values()) / sum(row[0] for row in kernel.values())
    assert 0.998 < ratio < 1.002


def test_default_is_level_3():
    assert pyzram.compress_page(PAGE, "zstd") == pyzram.compress_page(PAGE, "zstd", level=3)


def test_a_random_page_costs_ten_bytes():
    assert len(pyzram.compress_page(vectors.page("random/1"), "zstd")) == 4106


def trained_dictionary():
    samples = b"".join(vectors.words(seed) for seed in range(300, 340))
    sizes = (ctypes.c_size_t * 160)(*[1024] * 160)
    out = ctypes.create_string_buffer(4096)
    length = library.ZDICT_trainFromBuffer(out, ctypes.c_size_t(4096), samples, sizes, 160)
    assert 256 <= length <= 4096
    return out.raw[:length]


RAW = PAGE[:1024] + vectors.page("words/50")
TRAINED = trained_dictionary()


@pytest.mark.parametrize("dictionary", [RAW, TRAINED, b"x", RAW * 20], ids=lambda d: len(d))
@pytest.mark.parametrize("level", [-5, 1, 3, 9, 19])
@pytest.mark.parametrize("page_size", [4096, 65536])
def test_pages_with_a_dictionary_come_back(dictionary, level, page_size):
    page = (PAGE * 16)[:page_size]
    how = {"level": level, "dictionary": dictionary}
    data = pyzram.compress_page(page, "zstd", **how)
    assert pyzram.decompress_page(data, "zstd", page_size=page_size, **how) == page


def test_a_dictionary_of_the_same_content_helps():
    assert len(pyzram.compress_page(PAGE, "zstd", dictionary=RAW)) < len(
        pyzram.compress_page(PAGE, "zstd")
    )


def test_a_trained_dictionary_leaves_its_id_in_the_frame():
    def id_size(data):
        return data[4] & 3

    assert TRAINED.startswith(bytes.fromhex("37a430ec"))
    assert id_size(pyzram.compress_page(PAGE, "zstd", dictionary=TRAINED)) != 0
    assert id_size(pyzram.compress_page(PAGE, "zstd", dictionary=RAW)) == 0


def test_a_page_needs_the_dictionary_it_was_made_with():
    data = pyzram.compress_page(PAGE, "zstd", dictionary=TRAINED)
    with pytest.raises(pyzram.InvalidValueError) as caught:
        pyzram.decompress_page(data, "zstd")
    assert caught.value.__cause__.errno == errno.EBADMSG


def test_a_broken_trained_dictionary_is_refused():
    broken = TRAINED[:8] + bytes(200)
    with pytest.raises(pyzram.InvalidValueError, match="dictionary of 208 bytes") as caught:
        pyzram.compress_page(PAGE, "zstd", dictionary=broken)
    assert caught.value.__cause__.errno == errno.EINVAL


@given(st.binary(max_size=4096), st.integers(-131072, 22))
def test_any_page_comes_back(head, level):
    page = head.ljust(4096, b"\0")
    data = pyzram.compress_page(page, "zstd", level=level)
    assert pyzram.decompress_page(data, "zstd") == page


@pytest.mark.parametrize("level", [-131073, 23, -(2**31), 2**31])
def test_level_out_of_range_names_the_range(level):
    with pytest.raises(pyzram.InvalidValueError, match=r"not in -131072\.\.22"):
        pyzram.compress_page(PAGE, "zstd", level=level)


def test_winbits_are_refused():
    with pytest.raises(pyzram.InvalidValueError, match="winbits 10") as caught:
        pyzram.compress_page(PAGE, "zstd", winbits=10)
    assert caught.value.__cause__.errno == errno.EOPNOTSUPP


FRAME = pyzram.compress_page(PAGE, "zstd")
SKIPPABLE = bytes.fromhex("502a4d18 04000000") + b"abcd"


@pytest.mark.parametrize(
    "data", [b"", b"\0", FRAME + b"\0", FRAME + FRAME, SKIPPABLE, SKIPPABLE + FRAME, FRAME[:-1]]
)
def test_only_one_whole_frame_is_taken(data):
    with pytest.raises(pyzram.InvalidValueError) as caught:
        pyzram.decompress_page(data, "zstd")
    assert caught.value.__cause__.errno == errno.EBADMSG


def test_a_frame_of_another_page_size_is_not_taken():
    with pytest.raises(pyzram.InvalidValueError):
        pyzram.decompress_page(FRAME, "zstd", page_size=16384)


@pytest.mark.parametrize(
    ("version", "kernel"),
    [
        ((1, 5, 1), None),
        ((1, 5, 2), "6.12"),
        ((1, 5, 5), "6.12"),
        ((1, 5, 6), None),
        ((1, 5, 7), "7.x"),
        ((1, 6, 0), None),
    ],
)
def test_a_release_of_libzstd_stands_for_a_kernel(monkeypatch, version, kernel):
    monkeypatch.setattr("pyzram._native_codec.zstd_version", lambda: version)
    assert zstd_release() == (".".join(map(str, version)), kernel)
