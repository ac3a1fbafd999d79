# SPDX-License-Identifier: MIT
"""What guests run most, as a disk: this Python, its libraries, the tests and the usual commands.

virtme-ng shows a guest this machine's files through 9p, which caches nothing: each start of Python
reads ten megabytes again, page by page. From a disk they are read once.
"""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

from .archive import TREE, cache, run

COMMANDS = (
    "sh dash env cat cp dd head sleep sync true sha256sum strace kmod modprobe losetup mount "
    "umount mkswap swapon swapoff wipefs blkid mke2fs mkfs.ext4 truncate unshare setpriv dmsetup"
)
PACKAGES = (
    "pyzram",
    "pytest",
    "_pytest",
    "pluggy",
    "iniconfig",
    "packaging",
    "cffi",
    "_cffi",
    "pygments",
)
SERIAL = "programs"


def libraries(program: Path) -> set[Path]:
    """What a program or library needs."""
    done = subprocess.run(["ldd", program], capture_output=True, text=True, check=False)
    return {Path(path) for path in re.findall(r"(/\S+) \(0x", done.stdout)}


@functools.cache
def commands() -> tuple[Path, ...]:
    """The usual commands, this Python, and the libraries of both, by their real names."""
    found = [Path(p) for p in map(shutil.which, COMMANDS.split()) if p]
    found.append(Path(sys.executable))
    native = [*Path(sysconfig.get_path("stdlib")).glob("lib-dynload/*.so")]
    native += Path(sysconfig.get_path("platlib")).glob("*.so")
    native += Path(sysconfig.get_path("platlib"), "pyzram").glob("*.so")
    needed = set().union(*map(libraries, (*found, *native)))
    return tuple(sorted({path.resolve() for path in (*found, *needed)}))


def spread() -> dict[str, tuple[str, ...]]:
    """Folders laid over what the guest sees, and which of their other files are copied."""
    site = sysconfig.get_path("platlib")
    standard = sysconfig.get_path("stdlib")
    left_out = {"test", "idlelib", "lib2to3", "ensurepip", "tkinter", "turtledemo", "pydoc_data"}
    parts = tuple(name for name in os.listdir(standard) if name not in left_out and "-" not in name)
    return {
        **{str(path.parent): () for path in commands()},
        sys.prefix: ("bin", "pyvenv.cfg"),
        site: tuple(name for name in os.listdir(site) if name.startswith(PACKAGES)),
        standard: (*parts, "lib-dynload"),
        **{str(TREE / name): tuple(os.listdir(TREE / name)) for name in ("tests", "examples")},
    }


@functools.cache
def disk() -> Path:
    """The image, made again for each run of the tests, because the build may have changed."""
    image = cache() / "programs.img"
    with tempfile.TemporaryDirectory(dir=cache()) as work:
        tree = Path(work)
        for path in commands():
            target = tree / path.relative_to("/")
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, target)
        for folder, parts in spread().items():
            for part in parts:
                source, target = Path(folder, part), tree / folder.removeprefix("/") / part
                if source.is_dir():
                    shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True)
                else:
                    target.parent.mkdir(parents=True, exist_ok=True)
                    shutil.copy2(source, target)
        made = tree.with_suffix(".img")
        try:
            run("mke2fs", "-q", "-F", "-t", "ext4", "-O", "^has_journal", "-d", tree, made, "512M")
            made.rename(image)
        finally:
            made.unlink(missing_ok=True)
    return image


def qemu_options() -> str:
    return (
        f"-drive file={disk()},if=none,id={SERIAL},format=raw,readonly=on "
        f"-device virtio-blk-pci,drive={SERIAL},serial={SERIAL}"
    )


def mount() -> str:
    """Shell lines that lay the disk's files over those of 9p."""
    lines = [
        "modprobe -a virtio_blk ext4 overlay",
        "image=/run/programs; mkdir $image; tries=0",
        f"until disk=$(grep -ls '^{SERIAL}$' /sys/block/vd*/serial) || [ $tries = 50 ]; do",
        "\tsleep 0.1; tries=$((tries + 1))",
        "done",
        "disk=${disk%/serial}; disk=${disk##*/}",
        "[ -b /dev/$disk ] || mknod /dev/$disk b $(tr : ' ' </sys/block/$disk/dev)",
        "mount -t ext4 -o ro,noatime /dev/$disk $image",
    ]
    for name in spread():
        lines.append(f"mount -t overlay -o ro,lowerdir=$image{name}:{name} overlay {name}")
    return "\n".join(lines)
