# SPDX-License-Identifier: MIT
"""Pages with any algorithm: buffers, batches, threads, damage."""

from __future__ import annotations

import ctypes
import errno
import gc
import mmap
import os
import re
import signal
import threading
from array import array

import pytest
import vectors
from effort import effort
from hypothesis import given, settings
from hypothesis import strategies as st

import pyzram
from pyzram import _native_codec
from pyzram.algorithm import LEVELS, S32_MAX
from pyzram.limits import PAGE_SIZES
from pyzram.pages.codec import codec as pages_module
from pyzram.pages.codec import parameters as codec_parameters

ALGORITHMS = pyzram.algorithms()
PAGE = vectors.page("half/70")
CORPUS = b"".join(vectors.pages().values()) + bytes(4096) + b"abcd" * 1024

every_algorithm = pytest.mark.parametrize("algorithm", ALGORITHMS)


def errno_of(error):
    return error.value.__cause__.errno


def test_algorithms_are_in_the_kernels_order():
    assert ALGORITHMS == ("lzo-rle", "lzo", "lz4", "lz4hc", "zstd", "deflate", "842")


# ---- one page ----------------------------------------------------------------------------------


@every_algorithm
@pytest.mark.parametrize("page_size", PAGE_SIZES)
def test_pages_of_all_kinds_come_back(algorithm, page_size):
    for page in vectors.pages().values():
        page = (page * 16)[:page_size]
        data = pyzram.compress_page(page, algorithm)
        assert pyzram.decompress_page(data, algorithm, page_size=page_size) == page


@every_algorithm
@given(st.binary(max_size=4096))
def test_any_page_comes_back(algorithm, head):
    page = head.ljust(4096, b"\xff")
    assert pyzram.decompress_page(pyzram.compress_page(page, algorithm), algorithm) == page


def outcome(data, algorithm):
    """Decompress bytes from anywhere: a whole page or EBADMSG, nothing else."""
    try:
        assert len(pyzram.decompress_page(data, algorithm)) == 4096
    except pyzram.InvalidValueError as err:
        assert err.__cause__.errno == errno.EBADMSG
        return False
    return True


@every_algorithm
def test_a_damaged_byte_gives_a_page_or_an_error(algorithm):
    good = pyzram.compress_page(PAGE, algorithm)
    refused = 0
    for at in range(len(good)):
        bad = bytearray(good)
        bad[at] ^= 0xFF
        refused += not outcome(bad, algorithm)
    assert refused


@every_algorithm
def test_a_truncated_page_is_refused(algorithm):
    good = pyzram.compress_page(PAGE, algorithm)
    for length in range(len(good)):
        assert not outcome(good[:length], algorithm), length


@every_algorithm
@given(st.binary(max_size=600))
def test_any_bytes_give_a_page_or_an_error(algorithm, data):
    outcome(data, algorithm)


@every_algorithm
@settings(max_examples=effort(50))
@given(st.data())
def test_spliced_pages_give_a_page_or_an_error(algorithm, data):
    good = pyzram.compress_page(PAGE, algorithm)
    first, second = data.draw(st.integers(0, len(good))), data.draw(st.integers(0, len(good)))
    middle = data.draw(st.binary(max_size=40))
    outcome(good[:first] + middle + good[second:], algorithm)


def refusal(algorithm: str, level: int) -> int:
    """What the codec says of a level: 0, or an errno."""
    try:
        _native_codec.Codec(algorithm, 4096, level)
    except OSError as err:
        return err.errno
    return 0


@every_algorithm
def test_the_levels_that_are_listed_are_those_that_it_takes(algorithm):
    if algorithm not in LEVELS:
        assert refusal(algorithm, 1) == errno.EOPNOTSUPP
        return
    low, high = LEVELS[algorithm]
    assert (refusal(algorithm, low), refusal(algorithm, high)) == (0, 0)
    assert refusal(algorithm, low - 1) == errno.EINVAL
    if high < S32_MAX:
        assert refusal(algorithm, high + 1) == errno.EINVAL


@every_algorithm
@pytest.mark.parametrize("cap", [0, 1, 100, 1000])
def test_too_little_room_is_enospc_and_nothing_is_written_behind(algorithm, cap):
    ffi, lib = _native_codec.ffi, _native_codec.lib
    codec = _native_codec.Codec(algorithm, 4096)
    context = codec._take()
    out = ffi.new("uint8_t[]", b"\xa5" * 8192)
    assert lib.pyzram_page_compress(context.handle, PAGE, 4096, out, cap) == -errno.ENOSPC
    assert bytes(ffi.buffer(out))[cap:8192] == b"\xa5" * (8192 - cap)
    good = codec.compress(PAGE)
    assert lib.pyzram_page_compress(context.handle, PAGE, 4096, out, 8192) == len(good)


@every_algorithm
@pytest.mark.parametrize("size", [0, 1, 4095, 4097, 8192, 131072])
def test_pages_of_a_wrong_size_are_refused(algorithm, size):
    with pytest.raises(pyzram.InvalidValueError, match=f"page of {size} bytes"):
        pyzram.compress_page(bytes(size), algorithm)
    with pytest.raises(pyzram.InvalidValueError, match=f"page of {size} bytes"):
        pyzram.decompress_page(b"", algorithm, page_size=size)


def test_an_unknown_algorithm_names_those_there_are():
    with pytest.raises(pyzram.InvalidValueError, match=r"lz5.*lzo-rle lzo lz4 lz4hc zstd"):
        pyzram.compressed_sizes(PAGE, "lz5")


def test_an_empty_dictionary_is_refused():
    with pytest.raises(pyzram.InvalidValueError, match="empty"):
        pyzram.compress_page(PAGE, "zstd", dictionary=b"")


def test_a_dictionary_may_be_any_buffer():
    as_bytes = pyzram.compress_page(PAGE, "zstd", dictionary=PAGE)
    for dictionary in (bytearray(PAGE), memoryview(PAGE), array("I", PAGE)):
        assert pyzram.compress_page(PAGE, "zstd", dictionary=dictionary) == as_bytes


def test_calls_with_the_same_parameters_share_one_context():
    codec_parameters._codec.cache_clear()
    for _ in range(5):
        pyzram.compress_page(PAGE, "zstd", level=2)
        pyzram.compressed_sizes(PAGE, "zstd", level=2)
    codec = codec_parameters._codec("zstd", 4096, 2, None, None)
    assert codec_parameters._codec.cache_info().misses == 1
    assert len(codec._idle) == 1


# ---- buffers -----------------------------------------------------------------------------------


def mapped():
    area = mmap.mmap(-1, 4096)
    area[:] = PAGE
    return area


def test_any_object_with_a_buffer_is_a_page():
    expected = pyzram.compress_page(PAGE, "lzo")
    words = array("Q", PAGE)
    square = memoryview(PAGE).cast("B", (64, 64))
    with mapped() as area:
        for page in (bytearray(PAGE), memoryview(PAGE), words, memoryview(words), square, area):
            assert pyzram.compress_page(page, "lzo") == expected


def closed_mmap():
    area = mapped()
    area.close()
    return area


def released_memoryview():
    view = memoryview(PAGE)
    view.release()
    return view


CALLS = {
    "compress_page": lambda buffer: pyzram.compress_page(buffer, "lzo"),
    "decompress_page": lambda buffer: pyzram.decompress_page(buffer, "lzo"),
    "compressed_sizes": lambda buffer: pyzram.compressed_sizes(buffer, "lzo"),
    "analyse": lambda buffer: pyzram.analyse(buffer, ["lzo"]),
    "dictionary": lambda buffer: pyzram.compress_page(PAGE, "zstd", dictionary=buffer),
}
every_call = pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)


@every_call
@pytest.mark.parametrize("make", [closed_mmap, released_memoryview])
def test_closed_buffers_are_refused(call, make):
    with pytest.raises(pyzram.InvalidValueError):
        call(make())


@every_call
def test_buffers_in_pieces_are_refused(call):
    with pytest.raises(pyzram.InvalidValueError, match="contiguous"):
        call(memoryview(PAGE * 2)[::2])


@every_call
@pytest.mark.parametrize("what", [4096, "a" * 4096, [0] * 4096, object()])
def test_what_is_not_a_buffer_is_a_type_error(call, what):
    with pytest.raises(TypeError, match="not a buffer"):
        call(what)


@every_call
def test_buffers_can_be_closed_afterwards(call):
    area = mapped()
    try:
        call(area)
    except pyzram.InvalidValueError:
        area.close()  # while the error still holds the frames
    else:
        area.close()


def test_a_buffer_that_is_not_whole_pages_is_refused():
    with pytest.raises(pyzram.InvalidValueError, match="4097 bytes: not a whole number of pages"):
        pyzram.compressed_sizes(bytes(4097), "lzo")
    with pytest.raises(pyzram.InvalidValueError, match="16384"):
        pyzram.compressed_sizes(bytes(4096), "lzo", page_size=16384)


# ---- same-filled -------------------------------------------------------------------------------


@pytest.mark.parametrize("page_size", PAGE_SIZES)
@pytest.mark.parametrize("word", [b"abcd", b"abcdefgh", bytes(4), bytes(8), b"\0\0\0\0efgh"])
def test_same_filled_pages_repeat_one_machine_word(page_size, word):
    word_size = len(word)
    page = bytearray(word * (page_size // word_size))
    assert _native_codec.same_filled(page, word_size)
    for at in (*range(256), *range(256, page_size, 509), *range(page_size - 8, page_size)):
        page[at] ^= 1
        assert not _native_codec.same_filled(page, word_size), at
        page[at] ^= 1


def test_words_of_8_bytes_need_not_repeat_words_of_4():
    page = b"abcdefgh" * 512
    assert _native_codec.same_filled(page, 8)
    assert not _native_codec.same_filled(page, 4)
    assert not _native_codec.same_filled(b"abc" * 1365 + b"a", 8)


@pytest.mark.parametrize(
    ("size", "word"), [(4096, 2), (4096, 16), (64, 8), (0, 8), (4098, 4), (131072, 8)]
)
def test_same_filled_of_what_is_not_a_page_is_einval(size, word):
    with pytest.raises(OSError) as caught:
        _native_codec.same_filled(bytes(size), word)
    assert caught.value.errno == errno.EINVAL


# ---- batches -----------------------------------------------------------------------------------


@every_algorithm
@pytest.mark.parametrize("page_size", PAGE_SIZES)
def test_page_sizes_are_those_of_single_pages(algorithm, page_size):
    corpus = CORPUS[: len(CORPUS) // page_size * page_size] + bytes(page_size)
    single = [
        len(pyzram.compress_page(corpus[at : at + page_size], algorithm))
        for at in range(0, len(corpus), page_size)
    ]
    single[-1] = 0
    if page_size == 4096:
        single[-2] = single[-3] = 0  # and the two of CORPUS
        single[list(vectors.pages()).index("zerotail/10/0")] = 0
    assert pyzram.compressed_sizes(corpus, algorithm, page_size=page_size).tolist() == single


@every_algorithm
def test_pages_that_are_timed_have_the_same_sizes(algorithm):
    sizes, compress, decompress = pages_module.timed_sizes(CORPUS, algorithm, page_size=4096)
    assert sizes == pyzram.compressed_sizes(CORPUS, algorithm, page_size=4096)
    assert 0 in sizes
    same = [at for at, size in enumerate(sizes) if not size]
    assert [compress[at] for at in same] == [decompress[at] for at in same] == [0] * len(same)
    # A clock may be coarse, but not so coarse that nothing seems to take time.
    assert sum(compress) > 0 < sum(decompress)


def test_times_need_room_for_each_page():
    codec = _native_codec.Codec("lz4", 4096)
    for ret in ((1, 1, 2), (2, 1, 1), (2, 2, 2)):
        with pytest.raises(OSError) as failed:
            codec.time(bytes(4096), 8, tuple(array("I", bytes(4 * n)) for n in ret))
        assert failed.value.errno == errno.EINVAL


def test_no_pages_have_no_sizes():
    assert pyzram.compressed_sizes(b"", "lzo") == array("I")


@every_algorithm
@pytest.mark.parametrize("threads", [None, 2, 7])
def test_threads_change_nothing(algorithm, threads):
    corpus = CORPUS * 60
    one = pyzram.compressed_sizes(corpus, algorithm, threads=1)
    assert pyzram.compressed_sizes(corpus, algorithm, threads=threads) == one


@pytest.mark.parametrize("threads", [0, -1, 1.5, "2"])
def test_threads_must_be_a_positive_number(threads):
    with pytest.raises(pyzram.InvalidValueError, match="threads"):
        pyzram.compressed_sizes(CORPUS, "lzo", threads=threads)


def test_callers_in_many_threads_do_not_disturb_each_other():
    expected = {name: pyzram.compressed_sizes(CORPUS, name) for name in ALGORITHMS}
    wrong = []

    def call():
        for _ in range(20):
            for name in ALGORITHMS:
                if pyzram.compressed_sizes(CORPUS, name) != expected[name]:
                    wrong.append(name)

    callers = [threading.Thread(target=call) for _ in range(4)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert wrong == []


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_ctrl_c_stops_all_threads_between_chunks(threads, monkeypatch):
    done = []
    sizes = _native_codec.Codec.sizes

    def interrupted(self, pages, first, count, word_size, ret):
        sizes(self, pages, first, count, word_size, ret)
        done.append(first)
        if threading.current_thread() is threading.main_thread():
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(_native_codec.Codec, "sizes", interrupted)
    buffer = bytearray(PAGE * 256 * 64)
    with pytest.raises(KeyboardInterrupt):
        pyzram.compressed_sizes(buffer, "deflate", threads=threads)
    assert 1 <= len(done) < 64
    assert [thread for thread in threading.enumerate() if thread.name == "pyzram"] == []
    gc.collect()
    del buffer[:]  # nobody holds it


@pytest.mark.parametrize("here", [True, False])
def test_an_error_in_one_thread_reaches_the_caller(here, monkeypatch):
    failed = threading.Event()

    def fail(self, pages, first, count, word_size, ret):
        if (threading.current_thread() is threading.main_thread()) == here:
            failed.set()
            raise OSError(errno.ENOMEM, "no memory")
        assert failed.wait(60)

    monkeypatch.setattr(_native_codec.Codec, "sizes", fail)
    with pytest.raises(pyzram.ZramOSError, match="compress") as caught:
        pyzram.compressed_sizes(PAGE * 256 * 8, "lzo", threads=2)
    assert caught.value.errno == errno.ENOMEM
    assert [thread for thread in threading.enumerate() if thread.name == "pyzram"] == []


def test_chunks_outside_of_the_buffer_are_einval():
    codec = _native_codec.Codec("lzo", 4096)
    lengths = array("I", [0, 0])
    with _native_codec.pin(PAGE * 2) as data, _native_codec.pin(lengths) as ret:
        for first, count in ((-1, 1), (0, 3), (2, 1), (1, -1)):
            with pytest.raises(OSError) as caught:
                codec.sizes(data, first, count, 8, ret)
            assert caught.value.errno == errno.EINVAL


# ---- figures -----------------------------------------------------------------------------------


def test_analyse_gives_the_kernels_figures():
    figures = pyzram.analyse(CORPUS, ["lzo", "zstd"], pool=pyzram.PoolModel(chain=(8, "waste")))
    assert list(figures) == ["lzo", "zstd"]
    for name, row in figures.items():
        lengths = pyzram.compressed_sizes(CORPUS, name)
        assert row.pages == len(lengths)
        assert row.orig_data_size == len(CORPUS)
        assert row.same_pages == 3
        assert row.huge_pages == sum(length >= 3625 for length in lengths)
        assert row.compr_data_size == sum(n if n < 3625 else 4096 for n in lengths)
        assert row.mem_used_total >= row.compr_data_size


def test_analyse_takes_one_name_and_other_page_sizes():
    corpus = PAGE * 16
    assert pyzram.analyse(corpus, "lzo", page_size=16384)["lzo"].pages == 4
    with pytest.raises(pyzram.InvalidValueError, match="16384"):
        pyzram.analyse(corpus, "lzo", page_size=16384, pool=pyzram.PoolModel(page_size=4096))


# ---- memory ------------------------------------------------------------------------------------


class MallocInfo(ctypes.Structure):
    """glibc's struct mallinfo2: ten numbers."""

    _fields_ = [(f"field{i}", ctypes.c_size_t) for i in range(10)]

    @property
    def used(self):
        return self.field4 + self.field7  # hblkhd + uordblks


def allocated():
    """Return the bytes that malloc has given out, or on musl the resident set."""
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallinfo2"):
        libc.mallinfo2.restype = MallocInfo
        return libc.mallinfo2().used
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@every_algorithm
def test_nothing_leaks(algorithm):
    good = pyzram.compress_page(PAGE, algorithm)
    dictionaries = {"lz4", "lz4hc", "zstd"}

    def churn():
        codec_parameters._codec.cache_clear()
        how = {"dictionary": PAGE * 8} if algorithm in dictionaries else {}
        for _ in range(10):
            pyzram.compress_page(PAGE, algorithm, **how)
            pyzram.decompress_page(good, algorithm)
            pyzram.compressed_sizes(CORPUS, algorithm)
            with pytest.raises(pyzram.InvalidValueError):
                pyzram.decompress_page(b"", algorithm)
            with pytest.raises(pyzram.InvalidValueError):
                pyzram.compress_page(PAGE, algorithm, winbits=99)

    for _ in range(5):
        churn()
    gc.collect()
    before = allocated()
    for _ in range(40):
        churn()
    gc.collect()
    # The smallest context has 24 KiB, and forty were made: Python's own noise is far below.
    assert allocated() - before < 256 << 10


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"algorithm": "deflate", "winbits": "9"}, "winbits '9'"),
        ({"algorithm": "deflate", "winbits": 9.0}, "winbits 9.0"),
        ({"algorithm": "lz4", "page_size": "4096"}, "'4096'"),
        ({"algorithm": "lz4", "page_size": 4096.0}, "4096.0"),
    ],
)
def test_a_parameter_of_another_type_is_named(arguments, named):
    with pytest.raises(pyzram.InvalidValueError, match=re.escape(named)):
        pyzram.compressed_sizes(bytes(4096), **arguments)


@pytest.mark.parametrize("size", [4096, 16384, 65536])
def test_pages_have_the_running_kernels_size_wherever_none_is_given(monkeypatch, size):
    for module in ("codec.codec", "pool.zsmalloc"):
        monkeypatch.setattr(f"pyzram.pages.{module}.PAGE_SIZE", size)
    data = vectors.page("half/70") * 32
    assert len(pyzram.compressed_sizes(data, "lzo", threads=1)) == len(data) // size
    assert pyzram.analyse(data, "lzo", threads=1)["lzo"].page_size == size
    assert pyzram.PoolModel().page_size == size
    packed = pyzram.compress_page(data[:size], "lzo")
    assert pyzram.decompress_page(packed, "lzo") == data[:size]
