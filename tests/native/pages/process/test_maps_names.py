# SPDX-License-Identifier: MIT
"""Mapped files may have any name; names add no memory and hide none."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("hypothesis")

from hypothesis import example, given
from hypothesis import strategies as st

from pyzram.pages.process.mappings import parse_maps

# What Python, but not the kernel, takes for the end of a line.
ODD = "\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029\r"
FORGED = "7f0000000000-7f4000000000 rw-p 00000000 00:00 0"
NAMES = st.text(
    st.one_of(st.sampled_from(ODD + " \t\\-:"), st.characters().filter(lambda c: c not in "\0/")),
    min_size=1,
    max_size=20,
).filter(lambda name: not name.startswith(" "))
CHILD = """
import mmap, sys
file = open(sys.argv[1], 'r+b')
mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)
held = mmap.mmap(-1, 300 * mmap.PAGESIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
for at in range(0, len(held), mmap.PAGESIZE):
    held[at:at + 64] = bytes(range(64))
print(flush=True)
sys.stdin.read()
"""


@given(st.lists(NAMES, max_size=4))
@example(["a\x0b" + FORGED, "\x85" + FORGED, "x\u2028y\u2029" + FORGED, "b (deleted)"])
def test_a_line_is_what_the_kernel_ends(names: list[str]) -> None:
    text = "".join(
        f"{at + 1:08x}000-{at + 1:08x}800 rw-p {at:08x} fd:01 {at + 7}{'':26}/"
        + name.replace("\n", "\\012")
        + "\n"
        for at, name in enumerate(names)
    )
    found = parse_maps(text)
    assert [(m.start >> 12, m.inode, m.path) for m in found] == [
        (at + 1, at + 7, "/" + name.replace("\n", "\\012")) for at, name in enumerate(names)
    ]


def pages_of(path: Path) -> int:
    """How many pages a process has that maps a file of this name."""
    path.write_bytes(bytes(8192))
    command = [sys.executable, "-Ic", CHILD, path]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert child.stdout
        child.stdout.readline()
        done = subprocess.run(
            [
                *(sys.executable, "-Im", "pyzram.cli.pyzram", "estimate", "--json", "--full"),
                *("-a", "lz4", "--no-timing", "--pid", str(child.pid)),
            ],
            capture_output=True,
            text=True,
            check=True,
        )
        pages: int = json.loads(done.stdout)["pages"]
        return pages
    finally:
        child.communicate()


@pytest.mark.parametrize("odd", ODD)
def test_memory_is_what_it_is_whatever_a_mapped_file_is_called(tmp_path: Path, odd: str) -> None:
    plain = pages_of(tmp_path / "plain")
    assert plain >= 300
    # Two runs of one program differ by a few pages; the forged mapping has 64 million.
    assert abs(pages_of(tmp_path / f"x{odd}{FORGED}{odd}") - plain) <= plain // 4
