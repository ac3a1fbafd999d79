# SPDX-License-Identifier: MIT
"""The extensions' C code against musl, the C library of Alpine and OpenWrt: no glibc-only calls."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from vm.archive import TREE, UnavailableError

# What musl-gcc leaves out of its path: the kernel's headers, and those of the three libraries.
HEADERS = (
    *("linux", "asm-generic", "asm"),
    *("lz4.h", "lz4hc.h", "zstd.h", "zdict.h", "zstd_errors.h", "zlib.h", "zconf.h"),
)
STRICT = "-std=c11 -D_GNU_SOURCE -D_FILE_OFFSET_BITS=64 -D_TIME_BITS=64 -Wall -Wextra -Werror -O2"
SOURCES = sorted((TREE / "csrc").rglob("*.c"))


@pytest.fixture(scope="module")
def headers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("headers")
    for name in HEADERS:
        for place in (Path("/usr/include"), *Path("/usr/include").glob("*-linux-gnu")):
            if (place / name).exists():
                (folder / name).symlink_to(place / name)
                break
    return folder


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_it_compiles_without_a_warning(source: Path, headers: Path) -> None:
    if not shutil.which("musl-gcc"):
        raise UnavailableError("needs musl-gcc (Debian: musl-tools)")
    done = subprocess.run(
        ["musl-gcc", *STRICT.split(), f"-I{TREE}/csrc", "-idirafter", headers]
        + ["-c", source, "-o", "/dev/null"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
