# SPDX-License-Identifier: MIT
"""Text of kernel files, in the forms of several kernels."""

from __future__ import annotations

import errno

import pytest

from pyzram.errors import ZramOSError
from pyzram.kernel import parse
from pyzram.kernel.figures import of_file


def test_mm_stat_of_today():
    text = "16846848  2132626  2252800        0  2260992     4814        3       12       40\n"
    told = parse.parse_mm_stat(text)
    assert {name: figure for name, figure in told.items() if figure is not None} == {
        "orig_data_size": 16846848,
        "compr_data_size": 2132626,
        "mem_used_total": 2252800,
        "mem_limit": 0,
        "mem_used_max": 2260992,
        "same_pages": 4814,
        "pages_compacted": 3,
        "huge_pages": 12,
        "huge_pages_since": 40,
    }


def test_fields_an_old_kernel_lacks_are_none_and_unknown_new_ones_are_passed_over():
    assert parse.parse_mm_stat("1 2 3 4 5 6 7\n")["huge_pages"] is None
    assert list(parse.parse_mm_stat("1 2 3 4 5 6 7 8 9 10 11\n")) == list(of_file("mm_stat"))


def test_io_stat_with_the_unpadded_constant_of_6_12():
    text = "       0        2 0     8192\n"
    assert parse.parse_io_stat(text) == dict(zip(of_file("io_stat"), (0, 2, 0, 8192), strict=True))


def test_debug_stat_passes_over_its_version_line():
    text = "version: 1\n0        7\n"
    assert parse.parse_debug_stat(text) == {"writestall": 0, "miss_free": 7}


def test_bd_stat_and_block_stat():
    assert parse.parse_bd_stat("       1        2        3\n")["bd_writes"] == 3
    text = " 223 0 1784 1 8928 0 71424 20 0 21 21 0 0 0 0 0 0\n"
    figures = parse.parse_block_stat(text)
    assert (figures["read_ios"], figures["write_ios"]) == (223, 8928)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("lzo-rle lzo [lz4] zstd \n", ("lz4", ("lzo-rle", "lzo", "lz4", "zstd"))),
        ("[lzo]\n", ("lzo", ("lzo",))),
        ("lzo lz4\n", (None, ("lzo", "lz4"))),
        ("", (None, ())),
    ],
)
def test_algorithms_with_and_without_brackets(text, expected):
    assert parse.parse_algorithms(text) == expected


def test_recompression_algorithms():
    text = "#1: lzo-rle lzo lz4 [zstd] \n#3: lzo-rle [deflate] \n"
    assert parse.parse_recomp_algorithms(text) == {1: "zstd", 3: "deflate"}
    assert parse.parse_recomp_algorithms("") == {}


def test_recompression_algorithms_as_7_3_pads_them_with_nuls():
    text = "#1: lz4 [zstd] \n\0\0\0\0#2: [lz4] zstd \n" + "\0" * 46
    assert parse.parse_recomp_algorithms(text) == {1: "zstd", 2: "lz4"}


def test_swaps():
    text = (
        "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"
        "/dev/zram0                              partition\t65532\t\t1024\t\t666\n"
        "/swap\\040file (deleted)                  file\t\t1048572\t\t0\t\t-2\n"
    )
    zram, file = parse.parse_swaps(text)
    assert (zram.path, zram.size, zram.used, zram.priority) == (
        "/dev/zram0",
        65532 * 1024,
        1024 * 1024,
        666,
    )
    assert (file.path, file.type, file.priority) == ("/swap file (deleted)", "file", -2)


@pytest.mark.parametrize("line", ["x y z", "/a file x 0 -2", "/a file 1 0 -2x"])
def test_a_line_that_is_not_a_swap_area_is_an_error(line):
    with pytest.raises(ZramOSError) as caught:
        parse.parse_swaps(f"Filename Type Size Used Priority\n{line}\n")
    assert caught.value.errno == errno.EBADMSG
    assert line in str(caught.value)


@pytest.mark.parametrize("word", ["\\", "\\04", "\\a40", "\\x", "a\\"])
def test_what_is_not_an_octal_escape_is_kept(word):
    assert parse.unescape(word) == word


def test_pool_classes_without_the_line_of_totals():
    text = " class size 10% 99% obj_used\n 0 32 1 2 30\n\n Total 1 2 30\n"
    assert parse.parse_pool_classes(text) == [
        {"class": 0, "size": 32, "10%": 1, "99%": 2, "obj_used": 30}
    ]


def test_mounts_with_escaped_names():
    text = (
        "36 35 252:1 / /mnt/a\\040b\\134c rw,noatime shared:1 - ext4 /dev/zram1 rw\n"
        "37 35 252:1 / /mnt/again rw - ext4 /dev/zram1 rw\n"
    )
    first, second = parse.parse_mountinfo(text)
    assert (first.number, first.point) == ("252:1", "/mnt/a b\\c")
    assert (first.id, first.parent, first.peers) == (36, 35, ("shared:1",))
    assert (second.point, second.peers, second.super_options) == ("/mnt/again", (), "rw")
    (short,) = parse.parse_mountinfo("36 35 252:1 / /mnt\n36 35 252:2 /\n")
    assert (short.number, short.point, short.peers) == ("252:1", "/mnt", ())
