# SPDX-License-Identifier: MIT
"""Pages at any address: the sanitizer's check stands for processors that cannot load from there."""

import pytest
import vectors

import pyzram

PAGES = b"".join(vectors.page(name) for name in ("words/50", "half/70", "structs/61"))


@pytest.mark.parametrize("offset", [1, 2, 3, 5])
@pytest.mark.parametrize("algorithm", pyzram.algorithms())
def test_a_page_at_an_odd_address_compresses_alike(algorithm, offset):
    moved = memoryview(bytes(offset) + PAGES)[offset:]
    lengths = pyzram.compressed_sizes(PAGES, algorithm, page_size=4096)
    assert pyzram.compressed_sizes(moved, algorithm, page_size=4096) == lengths
    for at in range(0, len(PAGES), 4096):
        data = pyzram.compress_page(moved[at : at + 4096], algorithm)
        assert data == pyzram.compress_page(PAGES[at : at + 4096], algorithm)
        packed = memoryview(bytes(offset) + data)[offset:]
        page = pyzram.decompress_page(packed, algorithm, page_size=4096)
        assert page == PAGES[at : at + 4096]
