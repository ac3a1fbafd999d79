# SPDX-License-Identifier: MIT
"""Size classes: csrc/pages/zsmalloc.c as Python sees it."""

import errno
from array import array

import pytest

from pyzram import _native_zsmalloc


def make(page_size=4096, word=8, chain=8, rule=_native_zsmalloc.CHAIN_BY_WASTE):
    return _native_zsmalloc.Zsmalloc(page_size, word, chain, rule)


@pytest.mark.parametrize(
    "arguments",
    [
        (4095, 8, 8, 1),
        (8192, 8, 8, 1),
        (4096, 2, 8, 1),
        (4096, 8, 3, 1),
        (4096, 8, 17, 1),
        (4096, 8, 8, 2),
        (4096, 8, 8, -1),
    ],
)
def test_impossible_kernels_are_refused(arguments):
    with pytest.raises(OSError) as caught:
        _native_zsmalloc.Zsmalloc(*arguments)
    assert caught.value.errno == errno.EINVAL


@pytest.mark.parametrize("length", [0, 4097, 2**32 - 1])
def test_position_of_no_object_is_einval(length):
    with pytest.raises(OSError) as caught:
        make().position(length)
    assert caught.value.errno == errno.EINVAL


@pytest.mark.parametrize("page_size", [4096, 16384, 65536])
@pytest.mark.parametrize("word", [4, 8])
@pytest.mark.parametrize("chain", range(4, 17))
@pytest.mark.parametrize("rule", [0, 1])
def test_every_length_fits_its_class_and_no_smaller_one(page_size, word, chain, rule):
    zs = make(page_size, word, chain, rule)
    classes = zs.classes()
    assert classes[-1][1:] == (page_size, 1, 1)
    for number, size, pages, objects in classes:
        assert objects == pages * page_size // size
        assert pages <= chain
        assert size == min(32 + number * page_size // 256, page_size)
    sizes = [size for _, size, _, _ in classes]
    assert sizes == sorted(set(sizes))
    last = len(classes) - 1
    for length in range(1, page_size + 1, 1 if page_size == 4096 else 61):
        at = zs.position(length)
        assert length + word <= sizes[at] or at == last
        assert at == 0 or length + word > sizes[at - 1]
    # The huge size is the shortest length that would get a page of its own.
    huge = zs.huge_size()
    assert classes[zs.position(huge)][2:] == (1, 1)
    assert classes[zs.position(huge - 1)][3] > 1


def test_store_adds_to_sums_per_page():
    zs = make()
    counts, compr, same, huge = zs.store(array("I", [0, 0, 24, 25, 3624, 3625, 4096, 4200]))
    assert (compr, same, huge) == (24 + 25 + 3624 + 3 * 4096, 2, 3)
    classes = zs.classes()
    used = {classes[i][0]: n for i, n in enumerate(counts) if n}
    assert used == {0: 1, 1: 1, 225: 1, 254: 3}


def test_recompress_arrays_of_different_length_are_einval():
    with pytest.raises(OSError) as caught:
        make().recompress(array("I", [1]), array("I", [1, 2]), 0, array("I", [0]))
    assert caught.value.errno == errno.EINVAL


def test_recompress_threshold_at_the_huge_size_is_einval():
    zs = make()
    one = array("I", [4000])
    assert zs.recompress(one, array("I", [3000]), 3624, array("I", [0])) == 1
    with pytest.raises(OSError) as caught:
        zs.recompress(one, one, 3625, array("I", [0]))
    assert caught.value.errno == errno.EINVAL
