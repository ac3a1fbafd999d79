# SPDX-License-Identifier: MIT
"""What zram makes of pages: compresses them as the kernel does, one by one or many at once."""

from __future__ import annotations

import errno
import os
import sys
from array import array
from typing import TYPE_CHECKING

from ... import _native_codec
from ...algorithm import as_algorithms
from ...errors import InvalidValueError, from_errno
from ...limits import PAGE_SIZE
from ...value import wrong_type
from ..pool.zsmalloc import PoolModel
from .batches import WORD_SIZE, ZERO, sizes_of
from .parameters import check_page_size, codec_of, pinned

if TYPE_CHECKING:
    from collections.abc import Iterable

    # collections.abc has it from Python 3.12 on; every type checker knows it by this name.
    from typing_extensions import Buffer

    from ...algorithm import Algorithm
    from ..pool.zsmalloc import PoolStats

# The kernel's lengths, summed over any pages, are between these multiples of ours: unlike the
# kernel's lz4hc, liblz4 looks for repeated patterns, and it stops later (tests/native/codec).
_LZ4HC_BOUNDS = (0.996, 1.025)
# For a libzstd that no kernel has; Linux 6.1's results are 0.3 to 2 % larger than Linux 7's.
_ZSTD_BOUNDS = (0.98, 1.02)
# Linux 6.12 on s390x: 49 of 69 pages differ at level 3, by 0.016 % in total.
_ZSTD_BIG_ENDIAN_BOUNDS = (0.999, 1.001)
# libzstd 1.5.4 is Linux 6.12's at levels 3, 5, 6 and 9, at every page size. Of the others level 1
# differs on one page of 30 of 64 KiB, level 15 by 0.06 % of 16 KiB, 19 by up to 0.4 % of 4 KiB.
_ZSTD_OLD_LEVELS = range(3, 10)
_ZSTD_OLD_BOUNDS = (0.995, 1.005)
# Other kernels follow a match at the end of a page in smaller steps, not beyond it: up to 8 bytes a
# page of 4 KiB, 0.05 to 0.5 % in total, 0.7 % of pages that are nothing but such matches.
_LZO_BOUNDS = (1.0, 1.01)
_LZO_IN_STEPS_OF_8 = ("x86_64", "aarch64")


def algorithms() -> tuple[str, ...]:
    """Return the algorithms of the page engine, in the kernel's order."""
    return tuple(_native_codec.codec_names())


def wanted_algorithms(
    algorithms: str | Algorithm | Iterable[str | Algorithm],
) -> tuple[Algorithm, ...]:
    """Take a list of algorithms in any form; it must not be empty.

    Raises:
        InvalidValueError: it is empty, or an item is not an algorithm.
    """
    wanted = tuple(as_algorithms(algorithms))
    if not wanted:
        raise InvalidValueError("algorithms: the list is empty")
    return wanted


def zstd_release() -> tuple[str, str | None]:
    """Return libzstd's version, and the kernel whose results it matches to the byte.

    That is ``"6.12"`` or ``"7.x"``, or ``None`` if it matches neither: then single pages differ.
    """
    version = _native_codec.zstd_version()
    kernel = (
        "6.12" if (1, 5, 2) <= version <= (1, 5, 5) else "7.x" if version == (1, 5, 7) else None
    )
    return ".".join(map(str, version)), kernel


def length_bounds(algorithm: str, level: int | None = None) -> tuple[float, float] | None:
    """Return the factors of our lengths, in total, between which the kernel's lie.

    ``None`` means that they are equal to the byte. A level of ``None`` is the kernel's default.
    """
    if algorithm == "lz4hc":
        return _LZ4HC_BOUNDS
    if algorithm == "zstd":
        kernel = zstd_release()[1]
        if kernel is None:
            return _ZSTD_BOUNDS
        if kernel == "6.12" and level is not None and level not in _ZSTD_OLD_LEVELS:
            return _ZSTD_OLD_BOUNDS
        return _ZSTD_BIG_ENDIAN_BOUNDS if sys.byteorder == "big" else None
    if algorithm in ("lzo", "lzo-rle") and os.uname().machine not in _LZO_IN_STEPS_OF_8:
        return _LZO_BOUNDS
    return None


def compress_page(
    page: Buffer,
    algorithm: str | Algorithm,
    *,
    level: int | None = None,
    dictionary: Buffer | None = None,
    winbits: int | None = None,
) -> bytes:
    """Compress one page as zram does.

    The page is 4096, 16384 or 65536 bytes in any object with the buffer protocol. ``algorithm`` may
    have any form (:class:`pyzram.Algorithm`); or pass ``level``, ``dictionary`` (the bytes) and
    ``winbits`` separately. ``None`` is the kernel's default. If the result is longer than the page,
    zram keeps the page itself.

    Raises:
        InvalidValueError: another size, an unknown algorithm, or a parameter that the newest kernel
            refuses; the message names what there is.
        InvalidTypeError: ``page`` is not a buffer.
    """
    with pinned(page, "page") as data:
        codec = codec_of(algorithm, len(data), level, winbits, dictionary)
        try:
            return codec.compress(data)
        except OSError as err:
            raise from_errno(err.errno or 0, f"{algorithm}: compress") from err


def decompress_page(
    data: Buffer,
    algorithm: str | Algorithm,
    *,
    page_size: int | None = None,
    level: int | None = None,
    dictionary: Buffer | None = None,
    winbits: int | None = None,
) -> bytes:
    """Restore the page of ``page_size`` bytes from which :func:`compress_page` made ``data``.

    By default pages have the running kernel's size. Pass the parameters with which the page was
    compressed. ``data`` may come from anywhere: anything but one compressed page is rejected.

    Raises:
        InvalidValueError: ``data`` is damaged (errno EBADMSG in ``__cause__``), or as for
            :func:`compress_page`.
        InvalidTypeError: ``data`` is not a buffer.
    """
    page_size = PAGE_SIZE if page_size is None else page_size
    codec = codec_of(algorithm, page_size, level, winbits, dictionary)
    with pinned(data, "data") as held:
        try:
            return codec.decompress(held)
        except OSError as err:
            if err.errno != errno.EBADMSG:
                raise from_errno(err.errno or 0, f"{algorithm}: decompress") from err
            raise InvalidValueError(
                f"{algorithm}: {len(held)} bytes are not a compressed page of {page_size} bytes"
            ) from err


def compressed_sizes(
    buffer: Buffer,
    algorithm: str | Algorithm,
    *,
    level: int | None = None,
    dictionary: Buffer | None = None,
    winbits: int | None = None,
    page_size: int | None = None,
    threads: int | None = None,
) -> array[int]:
    """Return how many bytes each page of ``buffer`` compresses to; 0 for a same-filled page.

    Pages have the running kernel's size, or ``page_size`` bytes. These are lengths before the huge
    test; :class:`pyzram.PoolModel` computes what a device stores. The buffer is read in place.
    ``threads`` defaults to the number of usable processors for big buffers. Ctrl-C stops the work
    within about a megabyte of pages.

    Raises:
        InvalidValueError: the buffer is closed or not a whole number of pages, or as for
            :func:`compress_page`.
        InvalidTypeError: ``buffer`` is not a buffer.
    """
    page_size = PAGE_SIZE if page_size is None else page_size
    codec = codec_of(algorithm, page_size, level, winbits, dictionary)
    return sizes_of(buffer, codec, threads)


def timed_sizes(
    buffer: Buffer, algorithm: str, *, level: int | None = None, page_size: int | None = None
) -> tuple[array[int], array[int], array[int]]:
    """As :func:`compressed_sizes`, and how long each page took in one thread.

    Besides the lengths, these are nanoseconds of processor time to compress and to decompress; both
    are 0 for a same-filled page.
    """
    page_size = PAGE_SIZE if page_size is None else page_size
    codec = codec_of(algorithm, page_size, level, None, None)
    with pinned(buffer, "buffer") as data:
        pages = len(data) // codec.page_size
        ret = ZERO * pages, ZERO * pages, ZERO * pages
        try:
            codec.time(data, WORD_SIZE, ret)
        except OSError as err:
            raise from_errno(err.errno or 0, "compress pages") from err
    return ret


def analyse(
    buffer: Buffer,
    algorithms: str | Algorithm | Iterable[str | Algorithm],
    *,
    page_size: int | None = None,
    threads: int | None = None,
    pool: PoolModel | None = None,
) -> dict[str, PoolStats]:
    """Return for each algorithm what ``mm_stat`` would show with ``buffer`` on a fresh device.

    The keys are the algorithms' labels: ``"zstd"``, ``"zstd:3"``. ``pool`` models the target
    kernel, by default the running one, with pages of ``page_size`` bytes if that is given.

    Raises:
        InvalidValueError: as for :func:`compressed_sizes`.
        InvalidTypeError: ``buffer`` is not a buffer.
    """
    if page_size is not None:
        page_size = check_page_size(page_size)
    if pool is None:
        pool = PoolModel(page_size=page_size)
    elif not isinstance(pool, PoolModel):
        raise wrong_type("pool", pool, "not a PoolModel")
    if page_size is None:
        page_size = pool.page_size
    elif pool.page_size != page_size:
        raise InvalidValueError(f"page size {page_size}: the pool model has {pool.page_size}")
    wanted = {algorithm.label: algorithm for algorithm in wanted_algorithms(algorithms)}
    codecs = {
        name: codec_of(algorithm, page_size, None, None, None) for name, algorithm in wanted.items()
    }
    return {name: pool.store(sizes_of(buffer, codec, threads)) for name, codec in codecs.items()}
