# SPDX-License-Identifier: MIT
# The extension's model of zsmalloc's size classes.
from __future__ import annotations

import errno

from ._native import check, unpacked
from ._pages import ffi, lib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Buffer = Any  # any object with the buffer protocol

CHAIN_BY_PERCENT = lib.PYZRAM_CHAIN_BY_PERCENT
CHAIN_BY_WASTE = lib.PYZRAM_CHAIN_BY_WASTE


class Zsmalloc:
    """The size classes of one kernel. Immutable: any thread may use it."""

    __slots__ = ("_zs",)

    def __init__(self, page_size: int, word_size: int, chain_size: int, rule: int) -> None:
        ret = ffi.new("struct pyzram_zsmalloc **")
        check(lib.pyzram_zsmalloc_create(page_size, word_size, chain_size, rule, ret))
        self._zs = ffi.gc(ret[0], lib.pyzram_zsmalloc_destroy)

    def huge_size(self) -> int:
        return lib.pyzram_zsmalloc_huge_size(self._zs)

    def classes(self) -> list[tuple[int, int, int, int]]:
        # (number, object size, pages of a zspage, objects of a zspage), ascending
        rows: list[tuple[int, int, int, int]] = []
        ret: Any = ffi.new("struct pyzram_size_class *")
        while lib.pyzram_zsmalloc_class(self._zs, len(rows), ret) == 0:
            rows.append((ret.number, ret.size, ret.pages, ret.objects))
        return rows

    def position(self, length: int) -> int:
        return check(lib.pyzram_zsmalloc_position(self._zs, length))

    def store(self, lengths: Buffer) -> tuple[list[int], int, int, int]:
        # objects per class, then compr_data_size, same_pages, huge_pages
        ret: Any = ffi.new("struct pyzram_pool *")
        data = ffi.from_buffer("uint32_t[]", lengths)
        lib.pyzram_zsmalloc_store(self._zs, data, len(data), ret)
        counts = unpacked(ret.objects, lib.PYZRAM_CLASSES_MAX)
        return counts, ret.compr_data_size, ret.same_pages, ret.huge_pages

    def recompress(self, first: Buffer, second: Buffer, threshold: int, ret: Buffer) -> int:
        # ret is filled with the lengths afterwards; all three are of one size
        old = ffi.from_buffer("uint32_t[]", first)
        new = ffi.from_buffer("uint32_t[]", second)
        out = ffi.from_buffer("uint32_t[]", ret, True)
        if not len(old) == len(new) == len(out):
            check(-errno.EINVAL)
        return check(lib.pyzram_zsmalloc_recompress(self._zs, old, new, len(old), threshold, out))
