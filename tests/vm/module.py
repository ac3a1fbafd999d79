# SPDX-License-Identifier: MIT
"""Debian builds zram without recompression: its module is built again with it."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from .archive import Archive, Image, UnavailableError, cache, run
from .kernels import Kernel

ADDED = ("ZRAM_MULTI_COMP", "ZRAM_BACKEND_LZO")


def rebuilt_module(kernel: Kernel, image: Image) -> Path:
    """zram.ko for this kernel with multi-compression and LZO, from the cache or built."""
    built = cache() / "modules" / image.release / "zram.ko"
    if not built.exists():
        work = cache() / "build" / image.release
        shutil.rmtree(work, ignore_errors=True)
        archive = Archive(kernel.suites)
        headers = fetch_headers(archive, image.release, work)
        sources = fetch_sources(archive, image.release, work)
        make(headers, sources)
        built.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(sources / "zram.ko", built)
        shutil.rmtree(work)
    return built


def fetch_headers(archive: Archive, release: str, work: Path) -> Path:
    """The kernel's build tree, moved: its makefiles name the place where packages go."""
    flavour = release.rpartition("-")[2]
    base = release.removesuffix(f"-{flavour}")
    archive.unpack(
        [f"linux-headers-{release}", f"linux-headers-{base}-common", f"linux-kbuild-{base}"], work
    )
    headers = work / f"usr/src/linux-headers-{release}"
    makefile = headers / "Makefile"
    makefile.write_text(makefile.read_text().replace("/usr/src/", f"{work}/usr/src/"))
    return headers


def fetch_sources(archive: Archive, release: str, work: Path) -> Path:
    """The driver's folder of the kernel's source."""
    found = re.match(r"\d+\.\d+", release)
    if not found:
        raise UnavailableError(f"kernel release {release} has no version")
    package = f"linux-source-{found[0]}"
    archive.unpack([package], work)
    driver = f"{package}/drivers/block/zram"
    run("tar", "-xf", work / f"usr/src/{package}.tar.xz", "-C", work, driver)
    return work / driver


def make(headers: Path, sources: Path) -> None:
    run(
        "make",
        *("-C", headers, f"M={sources}", "CONFIG_ZRAM=m", "CONFIG_DEBUG_INFO_BTF_MODULES="),
        *(f"CONFIG_{option}=y" for option in ADDED),
        "KCFLAGS=" + " ".join(f"-DCONFIG_{option}=1" for option in ADDED),
        f"-j{os.cpu_count() or 1}",
        "modules",
    )
