# SPDX-License-Identifier: MIT
"""What zram makes of pages: compressed as the kernel does it, one by one or many at once."""

from __future__ import annotations

import errno
import os
from array import array
from collections import deque
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from .. import _native
from ..algorithm import as_algorithm, as_algorithms
from ..errors import InvalidValueError, from_errno
from ..limits import PAGE_SIZE
from .zsmalloc import PoolModel, machine_word_size

if TYPE_CHECKING:
    from collections.abc import Iterable

    # collections.abc has it from Python 3.12 on; every type checker knows it by this name.
    from typing_extensions import Buffer

    from ..algorithm import Algorithm
    from .zsmalloc import PoolStats

PAGE_SIZES = (4096, 16384, 65536)

# Between which factors of ours the kernel's lengths are, in the sum of any pages: liblz4 looks for
# repeated patterns, which the kernel's lz4hc does not, and stops later (tests/native/codec).
LENGTH_BOUNDS = {"lz4hc": (0.996, 1.025)}

_WORD_SIZE = machine_word_size()

# Between two chunks Ctrl-C is heard. Threads share out smaller ones, so that none waits long for
# the last of another.
_CHUNK = 1 << 20
_THREAD_BYTES = 256 << 10
_ZERO = array("I", [0])


def algorithms() -> tuple[str, ...]:
    """Return the algorithms of the page engine, in the kernel's order."""
    return tuple(_native.codec_names())


def zstd_release() -> tuple[str, str | None]:
    """Return libzstd's version, and the kernel whose pages it makes to the byte.

    That is ``"6.12"`` or ``"7.x"``, or ``None`` for a library of neither generation: single pages
    then differ.
    """
    version = _native.zstd_version()
    kernel = (
        "6.12" if (1, 5, 2) <= version <= (1, 5, 5) else "7.x" if version == (1, 5, 7) else None
    )
    return ".".join(map(str, version)), kernel


def compress_page(
    page: Buffer,
    algorithm: str | Algorithm,
    *,
    level: int | None = None,
    dictionary: Buffer | None = None,
    winbits: int | None = None,
) -> bytes:
    """Compress one page as zram does.

    The page is 4096, 16384 or 65536 bytes in any object with the buffer protocol. ``algorithm`` is
    taken in any form (:class:`pyzram.Algorithm`), or has ``level``, ``dictionary`` (the bytes) and
    ``winbits`` beside it; ``None`` is the kernel's default. The result may be longer than the page:
    zram then keeps the page itself.

    Raises:
        InvalidValueError: another size, no such algorithm, or a parameter that the newest kernel
            refuses; the message names what there is.
        TypeError: ``page`` is no buffer.
    """
    with _pin(page, "page") as data:
        codec = _codec_of(algorithm, len(data), level, winbits, dictionary)
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
    """Restore the page of ``page_size`` bytes that :func:`compress_page` made ``data`` of.

    By default pages have the size that they have on the running kernel.
    The parameters are those it was compressed with. ``data`` may come from anywhere: what is not
    the compressed form of one page is refused.

    Raises:
        InvalidValueError: ``data`` is damaged (errno EBADMSG in ``__cause__``), or as for
            :func:`compress_page`.
        TypeError: ``data`` is no buffer.
    """
    page_size = PAGE_SIZE if page_size is None else page_size
    codec = _codec_of(algorithm, page_size, level, winbits, dictionary)
    with _pin(data, "data") as pinned:
        try:
            return codec.decompress(pinned)
        except OSError as err:
            if err.errno != errno.EBADMSG:
                raise from_errno(err.errno or 0, f"{algorithm}: decompress") from err
            raise InvalidValueError(
                f"{algorithm}: {len(pinned)} bytes are not a compressed page of {page_size} bytes"
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
    """Return what each page of ``buffer`` compresses to: bytes, 0 for a same-filled page.

    Pages have the running kernel's size, or ``page_size`` bytes. These are lengths before the huge
    test; :class:`pyzram.PoolModel` says what a device stores of them. The buffer is read where it
    lies. ``threads`` is by default the usable processors for big buffers. Ctrl-C stops the work
    within about a megabyte of pages.

    Raises:
        InvalidValueError: the buffer is no whole number of pages or closed, or as for
            :func:`compress_page`.
        TypeError: ``buffer`` is no buffer.
    """
    page_size = PAGE_SIZE if page_size is None else page_size
    codec = _codec_of(algorithm, page_size, level, winbits, dictionary)
    return _sizes(buffer, codec, threads)


def timed_sizes(
    buffer: Buffer, algorithm: str, *, level: int | None = None, page_size: int | None = None
) -> tuple[array[int], array[int], array[int]]:
    """As :func:`compressed_sizes`, and how long it took, by one thread, to each page.

    Beside the lengths that is nanoseconds of processor time to compress and to decompress; both are
    0 for a same-filled page.
    """
    codec = _codec_of(algorithm, page_size or PAGE_SIZE, level, None, None)
    with _pin(buffer, "buffer") as data:
        pages = len(data) // codec.page_size
        ret = _ZERO * pages, _ZERO * pages, _ZERO * pages
        try:
            codec.time(data, _WORD_SIZE, ret)
        except OSError as err:
            raise from_errno(err.errno or 0, "compress pages") from err
    return ret


def analyse(
    buffer: Buffer,
    algorithms: str | Algorithm | Iterable[str | Algorithm],
    *,
    page_size: int | None = None,
    threads: int | None = None,
    store: PoolModel | None = None,
) -> dict[str, PoolStats]:
    """Return for each algorithm what ``mm_stat`` would show with ``buffer`` on a fresh device.

    The keys are ``label`` of the algorithms: ``"zstd"``, ``"zstd:3"``. ``store`` is the kernel to
    be: by default the running one, with pages of ``page_size`` bytes if that is given.

    Raises:
        InvalidValueError: as for :func:`compressed_sizes`.
        TypeError: ``buffer`` is no buffer.
    """
    store = store or PoolModel(page_size=page_size)
    if page_size is None:
        page_size = store.page_size
    elif store.page_size != page_size:
        raise InvalidValueError(f"page size {page_size}: the pool model has {store.page_size}")
    wanted = {algorithm.label: algorithm for algorithm in as_algorithms(algorithms)}
    codecs = {
        name: _codec_of(algorithm, page_size, None, None, None)
        for name, algorithm in wanted.items()
    }
    return {name: store.store(_sizes(buffer, codec, threads)) for name, codec in codecs.items()}


# ---- parameters ----------------------------------------------------------------------------------


def _codec_of(
    algorithm: str | Algorithm,
    page_size: int,
    level: int | None,
    winbits: int | None,
    dictionary: Buffer | None,
) -> _native.Codec:
    # Once a page: what is a name alone takes the cheap way.
    if type(algorithm) is str and ":" not in algorithm and "(" not in algorithm:
        return _codec(algorithm, page_size, level, winbits, _dictionary(dictionary))
    wanted = as_algorithm(algorithm)
    beside = {"level": level, "winbits": winbits, "dictionary": dictionary}
    twice = [key for key, value in beside.items() if None not in (value, getattr(wanted, key))]
    if twice:
        raise InvalidValueError(f"{wanted}: {' and '.join(twice)} is given twice")
    if wanted.dictionary is not None:
        dictionary = _read_dictionary(wanted.dictionary)
    return _codec(
        wanted.name,
        page_size,
        wanted.level if level is None else level,
        wanted.winbits if winbits is None else winbits,
        _dictionary(dictionary),
    )


def _read_dictionary(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as err:
        raise from_errno(err.errno or 0, f"dictionary {path}: read", path) from err


def _dictionary(dictionary: Buffer | None) -> bytes | None:
    if dictionary is None or type(dictionary) is bytes:
        return dictionary
    with _pin(dictionary, "dictionary") as pinned:
        return _native.pinned_bytes(pinned)


@lru_cache(maxsize=32, typed=True)
def _codec(
    algorithm: str,
    page_size: int,
    level: int | None,
    winbits: int | None,
    dictionary: bytes | None,
) -> _native.Codec:
    """Make the codec once; its contexts are kept for the next call."""
    names = algorithms()
    if algorithm not in names:
        raise InvalidValueError(f"algorithm {algorithm!r}: not one of {' '.join(names)}")
    if not isinstance(page_size, int) or page_size not in PAGE_SIZES:
        raise InvalidValueError(f"page of {page_size!r} bytes: not one of 4096, 16384, 65536")
    if dictionary is not None and not dictionary:
        raise InvalidValueError(f"{algorithm}: the dictionary is empty")
    _check_level(algorithm, level)
    if winbits is not None and not isinstance(winbits, int):
        raise InvalidValueError(f"{algorithm}: winbits {winbits!r}: not a whole number")
    try:
        return _native.Codec(algorithm, page_size, level, winbits, dictionary)
    except OverflowError as err:
        raise InvalidValueError(f"{algorithm}: {err}") from err
    except OSError as err:
        if err.errno not in (errno.EINVAL, errno.EOPNOTSUPP):
            raise from_errno(err.errno or 0, f"{algorithm}: prepare") from err
        refused = []
        if dictionary is not None:
            refused.append(f"a dictionary of {len(dictionary)} bytes")
        if winbits is not None:
            refused.append(f"winbits {winbits}")
            if err.errno == errno.EINVAL:
                refused[-1] += " (only -15..-9 and 9..15)"
        raise InvalidValueError(f"{algorithm}: does not take {' and '.join(refused)}") from err


def _check_level(algorithm: str, level: int | None) -> None:
    if level is None:
        return
    try:
        low, high = _native.codec_levels(algorithm)
    except OSError as err:
        raise InvalidValueError(f"{algorithm}: level {level}: it has no levels") from err
    if not isinstance(level, int) or not low <= level <= high:
        raise InvalidValueError(f"{algorithm}: level {level!r}: not in {low}..{high}")


# ---- batches -------------------------------------------------------------------------------------


def _pin(buffer: Buffer, what: str) -> Any:
    try:
        return _native.pin(buffer)
    except (ValueError, BufferError) as err:  # closed mmap, released memoryview, not contiguous
        raise InvalidValueError(f"{what}: {err}") from err
    except TypeError as err:
        raise TypeError(f"{what}: {type(buffer).__name__} is no buffer of bytes") from err


def _sizes(buffer: Buffer, codec: _native.Codec, threads: int | None) -> array[int]:
    with _pin(buffer, "buffer") as data:
        length = len(data)
        pages, rest = divmod(length, codec.page_size)
        if rest:
            raise InvalidValueError(
                f"buffer of {length} bytes: no whole number of pages of {codec.page_size} bytes"
            )
        ret = _ZERO * pages
        threads = _threads(threads, length)
        step = (_THREAD_BYTES if threads > 1 else _CHUNK) // codec.page_size
        if pages <= step:
            _chunk(data, codec, ret, 0, pages)
            return ret
    todo = deque(range(0, pages, step))
    if threads > 1:
        _in_threads(buffer, codec, ret, todo, step, min(threads, len(todo)))
    else:
        _work(buffer, codec, ret, todo, step)
    return ret


def _threads(threads: int | None, length: int) -> int:
    if threads is None:
        # Starting a thread is not worth it for a few chunks.
        return len(os.sched_getaffinity(0)) if length >= 4 * _CHUNK else 1
    if not isinstance(threads, int) or threads < 1:
        raise InvalidValueError(f"threads {threads!r}: not a positive number")
    return threads


def _work(
    buffer: Buffer, codec: _native.Codec, ret: array[int], todo: deque[int], step: int
) -> None:
    """Take chunks until none is left, or until another thread failed and cleared them.

    Each thread holds the buffer itself: it must not go while the thread is in C, whatever becomes
    of the others.
    """
    try:
        with _pin(buffer, "buffer") as data:
            while todo:
                try:
                    first = todo.popleft()
                except IndexError:
                    return
                _chunk(data, codec, ret, first, min(step, len(ret) - first))
    finally:
        todo.clear()


def _chunk(data: Any, codec: _native.Codec, ret: array[int], first: int, count: int) -> None:
    try:
        codec.sizes(data, first, count, _WORD_SIZE, ret)
    except OSError as err:
        raise from_errno(err.errno or 0, "compress pages") from err


def _in_threads(
    buffer: Buffer,
    codec: _native.Codec,
    ret: array[int],
    todo: deque[int],
    step: int,
    threads: int,
) -> None:
    """Let threads share the work; the caller's is one of them: it hears Ctrl-C between chunks."""
    # Not a ThreadPoolExecutor: its import takes as long as thousands of pages.
    from threading import Thread

    failures: list[BaseException] = []

    def work() -> None:
        try:
            _work(buffer, codec, ret, todo, step)
        except BaseException as err:
            failures.append(err)

    others = [Thread(target=work, name="pyzram") for _ in range(threads - 1)]
    started: list[Thread] = []
    try:
        for other in others:
            other.start()
            started.append(other)
        _work(buffer, codec, ret, todo, step)
    finally:
        todo.clear()
        for other in started:
            other.join()
    if failures:
        raise failures[0]
