# SPDX-License-Identifier: MIT
"""What `make run` shows: its own zram device as swap for real work, and the device's figures.

The device is added, used and removed again; nothing else on the machine is touched.
"""

from __future__ import annotations

import hashlib
import mmap
import os
import signal
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pyzram
from pyzram.cli import zram_stats

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))
import leftovers  # noqa: E402 # found there

MADV_PAGEOUT = 21  # madvise(2), Linux 5.4; the mmap module has no name for it
DATA_SIZE = 48 << 20
COMPILE_LIMIT = 24 << 20
"""Without a limit it takes 41 MiB; in 16 MiB the kernel kills it every other time."""


def main() -> int:
    """Show everything if there are root and a zram driver, otherwise what is possible."""
    if os.geteuid() != 0:
        return without_device("not root: no device can be added")
    try:
        leftovers.take_away()
        device = pyzram.Zram.add()
    except pyzram.ZramError as err:
        return without_device(str(err))
    # So that the device goes away however this ends.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _frame: sys.exit(128 + number))
    held = leftovers.hold(device.number)
    with device:  # at the end the device is swapped off and removed
        device.configure(disksize="256M")
        device.mkswap(label=device.name)
        device.swapon(priority=32767)
        print(f"{device.node}: added, 256M, {device.read_comp_algorithm()}, swap priority 32767\n")
        compile_with_little_memory(device)
        memory_there_and_back(device)
    leftovers.let_go(held)
    print("\nswapped off and removed: nothing is left behind")
    return 0


def without_device(reason: str) -> int:
    """Say why in one line, then show what needs neither root nor a driver."""
    print(f"{reason}; showing what needs no device", flush=True)
    if pyzram.Sysfs().has_driver():
        zram_stats.main([])
        sys.stdout.flush()
    return subprocess.run(
        [sys.executable, "-Im", "pyzram.cli.pyzram", "estimate", sys.executable], check=False
    ).returncode


# ---- a compile in too little memory --------------------------------------------------------------


def compile_with_little_memory(device: pyzram.Zram) -> None:
    """Compile an extension's glue code in a memory cgroup that is far too small for it."""
    source = next(ROOT.glob("build/temp*/**/*_pages.c"), ROOT / "csrc" / "codec" / "codec.c")
    with tempfile.TemporaryDirectory() as folder:
        built = Path(folder, "out.o")
        command = ["cc", "-O2", "-g", "-D_GNU_SOURCE", "-I", sysconfig.get_paths()["include"]]
        command += ["-Icsrc", "-c", str(source), "-o", str(built)]
        subprocess.run(command, cwd=ROOT, check=True)
        at_ease = built.read_bytes()
        built.unlink()
        try:
            with memory_cgroup(COMPILE_LIMIT) as enter:
                subprocess.run(command, cwd=ROOT, check=True, preexec_fn=enter)
        except OSError as err:
            print(f"compile: no memory cgroup to squeeze it in ({err}), left out")
            return
        squeezed = built.read_bytes()
    if squeezed != at_ease:
        raise SystemExit("compile: the object differs: memory was damaged")
    print(
        f"compile of {source.name} in {COMPILE_LIMIT >> 20} MiB of memory: "
        f"{device.read_stat().write_ios} pages to {device.node}, the object is the same "
        "as without that limit"
    )


@contextmanager
def memory_cgroup(limit: int) -> Iterator[Callable[[], object]]:
    """Make a cgroup with a memory limit; return what a child calls to enter it."""
    unified = Path("/sys/fs/cgroup/cgroup.controllers").exists()
    parent = Path("/sys/fs/cgroup" if unified else "/sys/fs/cgroup/memory")
    group = parent / f"pyzram-demo-{os.getpid()}"
    group.mkdir()
    try:
        (group / ("memory.max" if unified else "memory.limit_in_bytes")).write_text(str(limit))
        yield lambda: (group / "cgroup.procs").write_text(str(os.getpid()))
    finally:
        group.rmdir()


# ---- memory to zram and back ---------------------------------------------------------------------


def memory_there_and_back(device: pyzram.Zram) -> None:
    """Fill memory with real files, page it out to the device, show it, and read it back."""
    memory = mmap.mmap(-1, DATA_SIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    files = fill(memory)
    before = hashlib.sha256(memory).hexdigest()
    memory.madvise(MADV_PAGEOUT)
    print(f"{DATA_SIZE >> 20} MiB of memory with {files} real files in it, paged out:\n")
    zram_stats.main([device.node])
    reads = device.read_stat().read_ios or 0
    after = hashlib.sha256(memory).hexdigest()
    reads = (device.read_stat().read_ios or 0) - reads
    if before != after:
        raise SystemExit("memory: what came back is not what went in")
    print(f"\nread back with {reads} reads from {device.node}, sha256 {after[:16]}... as before")


def fill(memory: mmap.mmap) -> int:
    """Fill it with the interpreter's library, then with programs; return how many files."""
    count = room = 0
    folders = [Path(sysconfig.get_paths()["stdlib"]), Path("/usr/bin")]
    for path in (path for folder in folders for path in sorted(folder.iterdir())):
        if path.is_file() and os.access(path, os.R_OK) and path.stat().st_size < 4 << 20:
            data = path.read_bytes()[: DATA_SIZE - room]
            memory[room : room + len(data)] = data
            room += len(data)
            count += 1
    return count


if __name__ == "__main__":
    sys.exit(main())
