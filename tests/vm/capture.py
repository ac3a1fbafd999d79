# SPDX-License-Identifier: MIT
"""Capture what a kernel's zram shows in sysfs: ``python tests/vm/capture.py FOLDER``, as root.

It makes two trees, ``fresh`` and ``used`` (with data), each a root for :class:`pyzram.Sysfs`, and
kernel.json: the release, algorithms and features by which the matrix knows that it booted the right
kernel. The matrix made those in tests/data/sysfs (results/KERNEL/sysfs in its cache).
"""

from __future__ import annotations

import json
import mmap
import os
import sys
from pathlib import Path

SYSFS = Path("/sys")
CONTROL = SYSFS / "class/zram-control"
SIZE = 64 << 20
PAGE = mmap.PAGESIZE


def write(path: Path, text: str) -> None:
    fd = os.open(path, os.O_WRONLY)
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)


def copy(source: Path, target: Path) -> None:
    """Copy one attribute; an unreadable one becomes an empty file."""
    target.parent.mkdir(parents=True, exist_ok=True)
    text = ""
    if source.stat().st_mode & 0o444:
        text = source.read_text()
    target.write_text(text)


def copy_device(name: str, folder: Path) -> None:
    """Copy the device's own attributes and its queue's limits.

    The control class's files are made, not read: reading hot_add would add a device.
    """
    device = SYSFS / "block" / name
    for source in sorted(device.iterdir()):
        if source.is_file() and not source.is_symlink():
            copy(source, folder / "block/zram0" / source.name)
    for attribute in ("logical_block_size", "physical_block_size", "rotational"):
        copy(device / "queue" / attribute, folder / "block/zram0/queue" / attribute)
    control = folder / "class/zram-control"
    control.mkdir(parents=True, exist_ok=True)
    for source in CONTROL.iterdir():
        if source.name.startswith("hot_"):
            (control / source.name).write_text("")


def pages() -> list[bytes]:
    """A hundred same-filled pages, two hundred that compress, fifty that do not."""
    same = [bytes([number]) * PAGE for number in range(100)]
    text = [(f"captured page {number}\n" * 400).encode()[:PAGE] for number in range(200)]
    return same + text + [os.urandom(PAGE) for _ in range(50)]


def store(node: str) -> None:
    buffer = mmap.mmap(-1, PAGE)
    fd = os.open(node, os.O_RDWR | os.O_DIRECT)
    try:
        for number, page in enumerate(pages()):
            buffer[:] = page
            os.pwrite(fd, buffer, number * PAGE)
    finally:
        os.close(fd)


def capture(folder: Path) -> None:
    number = int((CONTROL / "hot_add").read_text())
    name = f"zram{number}"
    device = SYSFS / "block" / name
    try:
        copy_device(name, folder / "fresh")
        algorithms = (device / "comp_algorithm").read_text()
        if (device / "recomp_algorithm").exists():
            write(device / "recomp_algorithm", "algo=zstd priority=1")
        write(device / "disksize", str(SIZE))
        store(f"/dev/{name}")
        copy_device(name, folder / "used")
        block_state = SYSFS / f"kernel/debug/zram/{name}/block_state"
        features = [
            feature
            for feature in ("writeback", "algorithm_params", "recompress", "compressed_writeback")
            if (device / feature).exists()
        ]
        if block_state.exists():
            features.append("block_state")
        kernel = {
            "release": os.uname().release,
            "algorithms": algorithms.replace("[", "").replace("]", "").split(),
            "features": features,
        }
        (folder / "kernel.json").write_text(json.dumps(kernel, indent=1) + "\n")
    finally:
        write(device / "reset", "1")
        write(CONTROL / "hot_remove", str(number))


if __name__ == "__main__":
    os.umask(0o022)
    capture(Path(sys.argv[1]))
