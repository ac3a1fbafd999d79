# SPDX-License-Identifier: MIT
# The extension's codecs, and what it says about a page.
from __future__ import annotations

import errno

from ._native import check
from ._pages import ffi, lib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from array import array
    from collections.abc import Callable
    from typing import Any

    Buffer = Any  # any object with the buffer protocol

LEVEL_DEFAULT = lib.PYZRAM_LEVEL_DEFAULT

# Pins the bytes of a buffer in place: a context manager with a length.
pin = ffi.from_buffer


def pinned_bytes(data: Buffer) -> bytes:
    return bytes(ffi.buffer(data))


def codec_names() -> list[str]:
    names: list[str] = []
    while name := lib.pyzram_codec_name(len(names)):
        names.append(bytes(ffi.string(name)).decode("ascii"))  # type: ignore[arg-type]
    return names


def zstd_version() -> tuple[int, int, int]:
    number = lib.pyzram_zstd_version()
    return number // 10000, number // 100 % 100, number % 100


def same_filled(page: Buffer, word_size: int) -> bool:
    with pin(page) as data:
        return bool(check(lib.pyzram_page_same_filled(data, len(data), word_size)))


class Codec:
    """An algorithm with its parameters, and idle contexts for whoever needs one.

    Synchronization: any thread may use it; each call takes its own context.
    """

    __slots__ = ("_idle", "_params", "page_size")

    def __init__(
        self,
        algorithm: str,
        page_size: int,
        level: int | None = None,
        winbits: int | None = None,
        dictionary: bytes | None = None,
    ) -> None:
        ret = ffi.new("struct pyzram_params **")
        check(
            lib.pyzram_params_create(
                algorithm.encode("ascii"),
                page_size,
                LEVEL_DEFAULT if level is None else level,
                LEVEL_DEFAULT if winbits is None else winbits,
                dictionary or ffi.NULL,
                len(dictionary or b""),
                ret,
            )
        )
        self.page_size = page_size
        self._params = ffi.gc(ret[0], lib.pyzram_params_destroy)
        self._idle: list[_Context] = []

    def _take(self) -> _Context:
        # pop and append are atomic, so no two threads ever hold the same context.
        try:
            return self._idle.pop()
        except IndexError:
            return _Context(self._params, self.page_size)

    def compress(self, page: Buffer) -> bytes:
        return self._converted(lib.pyzram_page_compress, page)

    def decompress(self, data: Buffer) -> bytes:
        return self._converted(lib.pyzram_page_decompress, data)

    def _converted(self, call: Callable[..., int], data: Buffer) -> bytes:
        context = self._take()
        out = context.out
        length = call(context.handle, data, len(data), out, len(out))
        result: bytes = ffi.unpack(out, length) if length > 0 else b""  # type: ignore[assignment]
        self._idle.append(context)
        check(length)
        return result

    def sizes(self, pages: Buffer, first: int, count: int, word_size: int, ret: array[int]) -> None:
        # pages: pinned bytes; ret: a uint32_t for each page
        if not 0 <= first <= first + count <= len(ret) <= len(pages) // self.page_size:
            check(-errno.EINVAL)
        context = self._take()
        lengths = ffi.from_buffer("uint32_t[]", ret, True)
        error = lib.pyzram_pages_sizes(
            context.handle, pages + first * self.page_size, count, word_size, lengths + first
        )
        self._idle.append(context)
        check(error)

    def time(self, pages: Buffer, word_size: int, ret: tuple[array[int], ...]) -> None:
        # ret: uint32_t of each page: the length, nanoseconds to compress, and to decompress it
        lengths, compress, decompress = (ffi.from_buffer("uint32_t[]", n, True) for n in ret)
        count = len(lengths)
        if not len(compress) == len(decompress) == count <= len(pages) // self.page_size:
            check(-errno.EINVAL)
        context = self._take()
        error = lib.pyzram_pages_time(
            context.handle, pages, count, word_size, lengths, compress, decompress
        )
        self._idle.append(context)
        check(error)


class _Context:
    # Scratch memory for one thread at a time, and room for its output.
    __slots__ = ("_params", "handle", "out")

    def __init__(self, params: Buffer, page_size: int) -> None:
        ret = ffi.new("struct pyzram_context **")
        check(lib.pyzram_context_create(params, ret))
        self._params = params  # held for as long as the context exists
        self.handle = ffi.gc(ret[0], lib.pyzram_context_destroy)
        self.out = ffi.new("char[]", 2 * page_size)
