# SPDX-License-Identifier: MIT
"""The cffi build script: what Python sees of the C library, and how it becomes two extensions."""

from __future__ import annotations

import os
import shlex
import subprocess
import sysconfig
from pathlib import Path

import cffi

HERE = Path(__file__).resolve().parent if "__file__" in globals() else Path("csrc").resolve()
ROOT = HERE.parent

# From pkg-config's name to the package with the header on each distribution.
LIBRARIES = {
    "liblz4": ("app-arch/lz4", "liblz4-dev", "lz4-devel", "lz4-dev"),
    "libzstd": ("app-arch/zstd", "libzstd-dev", "libzstd-devel", "zstd-dev"),
    "zlib": ("virtual/zlib", "zlib1g-dev", "zlib-devel", "zlib-dev"),
}
PKG_CONFIG = ("virtual/pkgconfig", "pkg-config", "pkgconf-pkg-config", "pkgconf")
DISTRIBUTIONS = ("Gentoo", "Debian", "Fedora", "Alpine")


def stop(missing: str, packages: tuple[str, ...]) -> SystemExit:
    """The message of a build that cannot go on."""
    where = ", ".join(f"{d}: {p}" for d, p in zip(DISTRIBUTIONS, packages, strict=True))
    return SystemExit(f"pyzram: cannot build: {missing} is missing; install it ({where})")


def pkg_config(option: str) -> list[str]:
    """Ask pkg-config about all libraries; as usual, PKG_CONFIG may name another program."""
    command = shlex.split(os.environ.get("PKG_CONFIG", "pkg-config"))
    words: list[str] = []
    for name, packages in LIBRARIES.items():
        try:
            done = subprocess.run(
                [*command, option, name], capture_output=True, text=True, check=False
            )
        except FileNotFoundError as err:
            raise stop(command[0], PKG_CONFIG) from err
        if done.returncode != 0:
            raise stop(f"the C library {name}", packages)
        words += shlex.split(done.stdout)
    return words


def extension(name: str, folders: list[str], cflags: list[str], libs: list[str]) -> cffi.FFI:
    """One extension: the header that Python sees, and the C files of its folders."""
    ffi = cffi.FFI()
    # The header itself, so that the cdef cannot drift apart from what C is compiled with.
    ffi.cdef((HERE / f"{name}_api.h").read_text(encoding="utf-8"))
    sources = [path for folder in folders for path in (HERE / folder).glob("*.c")]
    ffi.set_source(
        f"pyzram._{name}",
        '#include "pyzram.h"',
        sources=sorted(str(path.relative_to(ROOT)) for path in sources),
        depends=sorted(str(path.relative_to(ROOT)) for path in HERE.rglob("*.h")),
        include_dirs=["csrc"],
        # Hidden: a function of ours is never taken for another library's of the same name.
        extra_compile_args=[
            "-std=c11",
            "-D_GNU_SOURCE",
            "-D_FILE_OFFSET_BITS=64",
            "-D_TIME_BITS=64",  # with 32 bits, fstat(2) fails for a file of later than 2038
            "-fvisibility=hidden",
            *cflags,
        ],
        extra_link_args=libs,
        py_limited_api=not sysconfig.get_config_var("Py_GIL_DISABLED"),
    )
    return ffi


def device() -> cffi.FFI:
    """What setting up and looking at a device needs: no library, so that it works without any."""
    return extension("device", ["device"], cflags=[], libs=[])


def pages() -> cffi.FFI:
    """What becomes of pages, and where they come from."""
    return extension("pages", ["pages", "codec"], pkg_config("--cflags"), pkg_config("--libs"))
