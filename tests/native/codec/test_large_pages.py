# SPDX-License-Identifier: MIT
"""Pages of 16 and 64 KiB, compared with what Debian's 6.12 with such pages stored for them.

For each algorithm/LEVEL/PAGE SIZE, tests/data/large-pages.json has by how much each page of
``vectors.large_pages`` made compr_data_size grow: on arm64 with 16 KiB, on ppc64le with 64 KiB.
"""

import json
from pathlib import Path

import pytest
import vectors

import pyzram
from pyzram.pages.codec.codec import length_bounds, zstd_release

KERNEL = json.loads((Path(__file__).parents[2] / "data/large-pages.json").read_text())


def ours(key):
    """What a device with pages of that size would store."""
    algorithm, level, size = key.split("/")
    page_size = int(size)
    huge = pyzram.PoolModel(page_size=page_size, word_size=8, chain=(8, "waste")).huge_class_size
    data = b"".join(vectors.large_pages(page_size))
    lengths = pyzram.compressed_sizes(data, algorithm, level=int(level), page_size=page_size)
    return [page_size if length >= huge else length for length in lengths]


KEYS = [
    pytest.param(key, marks=vectors.little_endian if key.startswith("lz4/") else ())
    for key in KERNEL
    if key.startswith(("deflate", "lz4/"))
]


@pytest.mark.parametrize("key", KEYS)
def test_every_page_is_the_kernels(key):
    assert ours(key) == KERNEL[key]


@pytest.mark.parametrize("key", [key for key in KERNEL if key.startswith("zstd/")])
def test_zstd_is_the_kernels_where_libzstd_is_of_its_generation(key):
    made = ours(key)
    assert abs(sum(made) / sum(KERNEL[key]) - 1) < 0.003
    if zstd_release()[1] == "6.12":
        bounds = length_bounds("zstd", int(key.split("/")[1]))
        if bounds is None:
            assert made == KERNEL[key]
        else:
            assert bounds[0] <= sum(KERNEL[key]) / sum(made) <= bounds[1]


@vectors.little_endian
@pytest.mark.parametrize("key", [key for key in KERNEL if key.startswith("lz4hc/")])
def test_lz4hc_is_within_1_percent(key):
    assert abs(sum(ours(key)) / sum(KERNEL[key]) - 1) < 0.01
