# SPDX-License-Identifier: MIT
# The extension as cffi builds it from csrc/pages_api.h; a test holds the two together.
from typing import Any, final

import _cffi_backend

ffi: _cffi_backend.FFI

_CData = _cffi_backend.FFI.CData

@final
class _Lib:
    PYZRAM_LEVEL_DEFAULT: int
    PYZRAM_SCAN_AUTO: int
    PYZRAM_SCAN_IOCTL: int
    PYZRAM_SCAN_PAGEMAP: int
    PYZRAM_PAGES_ANON: int
    PYZRAM_PAGES_SHMEM: int
    PYZRAM_WALK_LOCKED: int
    PYZRAM_WALK_FRAMES: int
    PYZRAM_WALK_THIN: int
    PYZRAM_WALK_HUGE: int
    PYZRAM_READ_GONE: int
    PYZRAM_READ_DONE: int
    PYZRAM_READ_FREED: int
    PYZRAM_WEIGHT_ONE: int
    PYZRAM_CHAIN_BY_PERCENT: int
    PYZRAM_CHAIN_BY_WASTE: int
    PYZRAM_CLASSES_MAX: int

    # codec
    def pyzram_codec_name(self, index: int, /) -> Any: ...
    def pyzram_zstd_version(self, /) -> int: ...
    def pyzram_params_create(
        self,
        algorithm: bytes,
        page_size: int,
        level: int,
        winbits: int,
        dict: Any,
        dict_len: int,
        ret: _CData,
        /,
    ) -> int: ...
    def pyzram_params_destroy(self, params: _CData, /) -> None: ...
    def pyzram_context_create(self, params: _CData, ret: _CData, /) -> int: ...
    def pyzram_context_destroy(self, context: _CData, /) -> None: ...
    def pyzram_page_compress(
        self, context: _CData, src: Any, src_len: int, dst: _CData, dst_cap: int, /
    ) -> int: ...
    def pyzram_page_decompress(
        self, context: _CData, src: Any, src_len: int, dst: _CData, dst_cap: int, /
    ) -> int: ...
    # pages
    def pyzram_page_same_filled(self, page: _CData, page_size: int, word_size: int, /) -> int: ...
    def pyzram_pages_sizes(
        self, context: _CData, pages: _CData, count: int, word_size: int, ret: _CData, /
    ) -> int: ...
    # timing
    def pyzram_pages_time(
        self,
        context: _CData,
        pages: _CData,
        count: int,
        word_size: int,
        sizes: _CData,
        compress_ns: _CData,
        decompress_ns: _CData,
        /,
    ) -> int: ...
    # zsmalloc
    def pyzram_zsmalloc_create(
        self, page_size: int, word_size: int, chain_size: int, rule: int, ret: _CData, /
    ) -> int: ...
    def pyzram_zsmalloc_destroy(self, zs: _CData, /) -> None: ...
    def pyzram_zsmalloc_huge_size(self, zs: _CData, /) -> int: ...
    def pyzram_zsmalloc_class(self, zs: _CData, at: int, ret: _CData, /) -> int: ...
    def pyzram_zsmalloc_position(self, zs: _CData, length: int, /) -> int: ...
    def pyzram_zsmalloc_store(
        self, zs: _CData, lengths: _CData, count: int, ret: _CData, /
    ) -> None: ...
    def pyzram_zsmalloc_recompress(
        self,
        zs: _CData,
        first: _CData,
        second: _CData,
        count: int,
        threshold: int,
        ret: _CData,
        /,
    ) -> int: ...
    # procmem
    def pyzram_procmem_create(
        self, proc_fd: int, method: int, areas: int, ret: _CData, /
    ) -> int: ...
    def pyzram_procmem_destroy(self, pm: _CData, /) -> None: ...
    def pyzram_procmem_turn(self, pm: _CData, proc_fd: int, /) -> int: ...
    def pyzram_procmem_compare(self, task: int, other: int, /) -> int: ...
    def pyzram_procmem_open_files(
        self, proc_fd: int, first: int, ret: _CData, room: int, /
    ) -> int: ...
    def pyzram_procmem_method(self, pm: _CData, /) -> int: ...
    def pyzram_procmem_shows_frames(self, pm: _CData, /) -> bool: ...
    def pyzram_procmem_collect(
        self,
        pm: _CData,
        walks: _CData,
        count: int,
        seen: _CData,
        slots: _CData,
        sets: _CData,
        set_count: int,
        ret: _CData,
        /,
    ) -> int: ...
    def pyzram_procmem_read(
        self, pm: _CData, addresses: _CData, count: int, freed: bool, dst: _CData, ret: _CData, /
    ) -> int: ...
    # pageset
    def pyzram_pageset_create(self, ret: _CData, /) -> int: ...
    def pyzram_pageset_destroy(self, set: _CData, /) -> None: ...
    def pyzram_pageset_pages(self, set: _CData, /) -> int: ...
    def pyzram_pageset_add_resident(
        self, set: _CData, first: int, resident: _CData, count: int, /
    ) -> int: ...
    def pyzram_pageset_select(
        self, set: _CData, ranks: _CData, count: int, ret: _CData, /
    ) -> int: ...
    def pyzram_seen_create(self, ret: _CData, /) -> int: ...
    def pyzram_seen_destroy(self, seen: _CData, /) -> None: ...
    def pyzram_seen_add(self, seen: _CData, numbers: _CData, count: int, ret: _CData, /) -> int: ...
    # shmem
    def pyzram_shmem_resident(self, fd: int, first: int, count: int, ret: _CData, /) -> int: ...
    def pyzram_shmem_tells(self, fd: int, /) -> int: ...
    def pyzram_shmem_read(
        self, fd: int, pages: _CData, count: int, dst: _CData, ret: _CData, /
    ) -> int: ...
    def pyzram_shm_open(self, id: int, /) -> int: ...

lib: _Lib
