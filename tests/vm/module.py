# SPDX-License-Identifier: MIT
"""Debian builds zram without recompression, so its module is built again with it."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from .archive import Archive, Image, UnavailableError, cache, run
from .kernels import Kernel

# Folders of the kernel's source in order of dependency, their settings, and what they give.
PARTS = (
    ("lib/842", ("842_COMPRESS=m", "842_DECOMPRESS=m"), ("842_compress.ko", "842_decompress.ko")),
    (
        "drivers/block/zram",
        ("ZRAM=m", "ZRAM_MULTI_COMP=y", "ZRAM_BACKEND_LZO=y", "ZRAM_BACKEND_842=y"),
        ("zram.ko",),
    ),
)


def rebuilt_modules(kernel: Kernel, image: Image) -> tuple[Path, ...]:
    """Modules of zram with every back end and multi-compression, in the order of loading.

    From the cache, or built.
    """
    folder = cache() / "modules" / image.release
    if not folder.exists():
        work = cache() / "build" / image.release
        shutil.rmtree(work, ignore_errors=True)
        archive = Archive(kernel.suites)
        headers = fetch_headers(archive, image.release, work)
        source = fetch_source(archive, image.release, work)
        built = work / "built"
        built.mkdir()
        symbols: list[Path] = []
        for part, options, names in PARTS:
            make(headers, source / part, options, symbols)
            symbols.append(source / part / "Module.symvers")
            for name in names:
                shutil.move(source / part / name, built)
        folder.parent.mkdir(parents=True, exist_ok=True)
        built.rename(folder)
        shutil.rmtree(work)
    return tuple(folder / name for _, _, names in PARTS for name in names)


def fetch_headers(archive: Archive, release: str, work: Path) -> Path:
    """The kernel's build tree, moved, because its makefiles name the place where packages go."""
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
        bring_libc(archive, tools, work)
    return headers


def needs_newer_libc(tool: Path) -> bool:
    try:
        run(tool, "--help")
    except RuntimeError as err:
        return "GLIBC_" in str(err)
    return False


def bring_libc(archive: Archive, tools: list[Path], work: Path) -> None:
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


def fetch_source(archive: Archive, release: str, work: Path) -> Path:
    """The part of the kernel's source that is built."""
    found = re.match(r"\d+\.\d+", release)
    if not found:
        raise UnavailableError(f"kernel release {release} has no version")
    package = f"linux-source-{found[0]}"
    archive.unpack([package], work)
    parts = [f"{package}/{part}" for part, _, _ in PARTS]
    run("tar", "-xf", work / f"usr/src/{package}.tar.xz", "-C", work, *parts)
    return work / package


def compiler(headers: Path) -> list[str]:
    """Settings for make: the available compiler if the kernel's own is missing."""
    wanted = re.search(r"gcc-\d+", (headers / ".kernelvariables").read_text())
    if wanted and shutil.which(wanted[0]):
        return []
    # Before gcc 14 there is another option for aligned functions; the kernel knows both.
    return ["CC=gcc", "CONFIG_CC_HAS_MIN_FUNCTION_ALIGNMENT="]


def make(headers: Path, source: Path, options: tuple[str, ...], symbols: list[Path]) -> None:
    defined = (option.partition("=")[0] for option in options if option.endswith("=y"))
    run(
        "make",
        *("-C", headers, f"M={source}", "CONFIG_DEBUG_INFO_BTF_MODULES="),
        *compiler(headers),
        *(f"CONFIG_{option}" for option in options),
        "KCFLAGS=" + " ".join(f"-DCONFIG_{name}=1" for name in defined),
        "KBUILD_EXTRA_SYMBOLS=" + " ".join(map(str, symbols)),
        f"-j{os.cpu_count() or 1}",
        "modules",
    )
