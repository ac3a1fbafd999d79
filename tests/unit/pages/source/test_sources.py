# SPDX-License-Identifier: MIT
"""Files and core dumps as sources of pages."""

import os
import struct

import pytest

from pyzram.errors import ZramOSError
from pyzram.pages.estimate.sampling import Sample
from pyzram.pages.source.core_dump import core_segments
from pyzram.pages.source.file_sources import open_files, open_stream

PAGE = 4096


def test_the_last_page_of_a_file_is_filled_with_zeros(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"a" * PAGE + b"b" * 10)
    with open_files([str(path)], page_size=PAGE) as source:
        [batch] = Sample(source)
        assert bytes(batch.pages) == b"a" * PAGE + b"b" * 10 + bytes(PAGE - 10)
        assert source.pages == 2


def test_several_files_are_one_source(tmp_path):
    for name in "ab":
        (tmp_path / name).write_bytes(name.encode() * 3 * PAGE)
    (tmp_path / "empty").touch()
    paths = [str(tmp_path / name) for name in ("a", "empty", "b")]
    with open_files(paths, page_size=PAGE) as source:
        assert b"".join(bytes(b.pages) for b in Sample(source)) == b"a" * 3 * PAGE + b"b" * 3 * PAGE


def test_what_is_not_a_file_is_an_error_that_names_it(tmp_path):
    with pytest.raises(ZramOSError, match="missing") as caught:
        open_files([str(tmp_path / "missing")])
    assert isinstance(caught.value, FileNotFoundError)
    with pytest.raises(ZramOSError, match="directory"):
        open_files([str(tmp_path)])
    with pytest.raises(ZramOSError, match="standard input"):
        open_files(["/dev/zero"])
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ZramOSError, match="standard input"):
        open_files([str(tmp_path / "pipe")])


def core(order, wide, segments, *, many=False):
    """A core dump with these memory segments, and a note, which is not one."""
    kinds = [(4, b"note" * 9), *((1, data) for data in segments)]
    count = 0xFFFF if many else len(kinds)
    head = 64 if wide else 52
    entry = 56 if wide else 32
    sections = head + entry * len(kinds)
    offset = sections + 64
    ident = b"\x7fELF" + bytes([1 + wide, 1 + (order == ">"), 1]) + bytes(9)
    if wide:
        out = ident + struct.pack(
            order + "HHIQQQIHHHHHH", 4, 62, 1, 0, head, sections, 0, head, entry, count, 64, 1, 0
        )
    else:
        out = ident + struct.pack(
            order + "HHIIIIIHHHHHH", 4, 3, 1, 0, head, sections, 0, head, entry, count, 40, 1, 0
        )
    body = b""
    for kind, data in kinds:
        at, n = offset + len(body), len(data)
        if wide:
            out += struct.pack(order + "IIQQQQQQ", kind, 6, at, 0, 0, n, n + 99, 1)
        else:
            out += struct.pack(order + "IIIIIIII", kind, at, 0, 0, n, n + 99, 6, 1)
        body += data
    section = bytearray(64)
    struct.pack_into(order + "I", section, 44 if wide else 28, len(kinds))
    return out + bytes(section) + body


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("many", [False, True])
def test_only_the_memory_of_a_core_dump_counts(tmp_path, order, wide, many):
    path = tmp_path / "core"
    path.write_bytes(core(order, wide, [b"x" * 2 * PAGE, b"", b"y" * PAGE], many=many))
    with open_files([str(path)], page_size=PAGE) as source:
        data = b"".join(bytes(b.pages) for b in Sample(source))
        assert data == b"x" * 2 * PAGE + b"y" * PAGE


def test_other_elf_files_and_short_ones_are_plain_files(tmp_path):
    path = tmp_path / "elf"
    program = bytearray(core("<", True, [b"x"]))
    program[16] = 2
    for data in (bytes(program), b"\x7fELF", b"", os.urandom(100)):
        path.write_bytes(data)
        fd = os.open(path, os.O_RDONLY)
        assert core_segments(fd) is None
        os.close(fd)


def test_a_truncated_core_dump_gives_what_is_left(tmp_path):
    path = tmp_path / "core"
    path.write_bytes(core("<", True, [b"x" * 2 * PAGE])[:-PAGE])
    with open_files([str(path)], page_size=PAGE) as source:
        assert source.pages == 1


@pytest.mark.parametrize("word", [0, 1, 2**31, 2**32 - 1, 2**63 - 1, 2**64 - 1])
def test_a_forged_core_dump_is_no_crash(tmp_path, word):
    path = tmp_path / "core"
    true = core("<", True, [b"x" * 2 * PAGE, b"y" * PAGE])
    for at in range(16, 64 + 2 * 56 - 8, 2):
        path.write_bytes(true[:at] + word.to_bytes(8, "little") + true[at + 8 :])
        for source in (open_files([str(path)], page_size=PAGE), open_from(path)):
            with source:
                assert source.pages <= len(true) // PAGE + 2
                assert sum(len(batch.blocks) for batch in Sample(source)) == source.pages


def open_from(path):
    """The file on a descriptor, which the source closes with itself."""
    fd = os.open(path, os.O_RDONLY)
    source = open_stream(fd, page_size=PAGE)
    source._keep_open(fd)
    return source


def test_too_many_segments_are_not_read(tmp_path):
    path = tmp_path / "core"
    data = bytearray(core("<", True, [b"x" * PAGE], many=True))
    sections = int.from_bytes(data[40:48], "little")
    data[sections + 44 : sections + 48] = (2**32 - 1).to_bytes(4, "little")
    path.write_bytes(data)
    with open_files([str(path)], page_size=PAGE) as source:
        assert source.pages == -(-len(data) // PAGE)  # a plain file


def test_a_truncated_core_dump_on_standard_input_gives_what_is_left(tmp_path):
    path = tmp_path / "core"
    path.write_bytes(core("<", True, [b"x" * 2 * PAGE])[:-PAGE])
    with open_from(path) as source:
        assert source.pages == 1
