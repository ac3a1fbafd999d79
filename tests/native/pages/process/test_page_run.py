# SPDX-License-Identifier: MIT
"""What becomes of pages that are gone when they are read, although they were there before."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from pathlib import Path

import pytest

CSRC = Path(__file__).resolve().parents[4] / "csrc"
SOURCE = """
#include "pages/page_run.h"
size_t run(int fd, bool pad, uint8_t *dst, uint8_t *ret)
{
	return page_run_read(fd, 4096, 4096, 5, pad, dst, ret);
}
"""
GONE, DONE, FREED = 0, 1, 2

pytestmark = pytest.mark.skipif(not shutil.which("cc"), reason="needs a C compiler, cc")


@pytest.mark.parametrize("pad", [True, False])
def test_pages_that_a_file_has_no_more_have_no_place(tmp_path: Path, pad: bool) -> None:
    (tmp_path / "run.c").write_text(SOURCE)
    flags = ["-std=c11", "-D_GNU_SOURCE", "-D_FILE_OFFSET_BITS=64", f"-I{CSRC}", "-shared", "-fPIC"]
    library = tmp_path / "run.so"
    subprocess.run(["cc", *flags, tmp_path / "run.c", "-o", library], check=True)
    first, second, third = b"a" * 4096, b"b" * 4096, b"c" * 4096
    file = tmp_path / "file"
    file.write_bytes(bytes(4096) + first + second + third + b"d" * 100)
    dst = (ctypes.c_uint8 * (5 * 4096))()
    ret = (ctypes.c_uint8 * 5)(DONE, FREED, DONE, DONE, DONE)
    with file.open("rb") as opened:
        count = ctypes.CDLL(str(library)).run(opened.fileno(), ctypes.c_bool(pad), dst, ret)
    last = b"d" * 100 + bytes(3996) if pad else b""
    pages = first + third + last
    assert (count, [*ret]) == (2 + pad, [DONE, FREED, DONE, DONE if pad else GONE, GONE])
    assert bytes(dst)[: len(pages)] == pages
