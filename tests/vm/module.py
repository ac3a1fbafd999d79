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
        make(headers, sources, compiler(headers))
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
    tools = [
        tool
        for tool in (work / f"usr/lib/linux-kbuild-{base}").rglob("*.real-*")
        if tool.name in ("objtool.real-x86", "modpost.real-lsb-64")
    ]
    if any(needs_newer_libc(tool) for tool in tools):
        lend_libc(archive, tools, work)
    return headers


def needs_newer_libc(tool: Path) -> bool:
    try:
        run(tool, "--help")
    except RuntimeError as err:
        return "GLIBC_" in str(err)
    return False


def lend_libc(archive: Archive, tools: list[Path], work: Path) -> None:
    """Run the kernel's build tools with the C library of the suite they were built for."""
    archive.unpack(["libc6"], work)
    (loader,) = (work / "usr/lib").glob("*/ld-linux-*.so.*")
    for tool in tools:
        program = tool.rename(tool.with_name(f"{tool.name}.elf"))
        tool.write_text(
            f"#!/bin/sh\nexec {loader} --library-path {loader.parent}:/usr/lib/{loader.parent.name}"
            f' {program} "$@"\n'
        )
        tool.chmod(0o755)


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


def compiler(headers: Path) -> list[str]:
    """Settings for make: the compiler at hand where the kernel's own is not there."""
    wanted = re.search(r"gcc-\d+", (headers / ".kernelvariables").read_text())
    if wanted and shutil.which(wanted[0]):
        return []
    # Before gcc 14 there is another option for aligned functions; the kernel knows both.
    return ["CC=gcc", "CONFIG_CC_HAS_MIN_FUNCTION_ALIGNMENT="]


def make(headers: Path, sources: Path, settings: list[str]) -> None:
    run(
        "make",
        *("-C", headers, f"M={sources}", "CONFIG_ZRAM=m", "CONFIG_DEBUG_INFO_BTF_MODULES="),
        *settings,
        *(f"CONFIG_{option}=y" for option in ADDED),
        "KCFLAGS=" + " ".join(f"-DCONFIG_{option}=1" for option in ADDED),
        f"-j{os.cpu_count() or 1}",
        "modules",
    )
