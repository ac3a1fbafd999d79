# SPDX-License-Identifier: MIT
"""Bad days that need a kernel with writeback, or a machine that nobody else uses."""

from __future__ import annotations

import mmap
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from kernel.box import MADV_PAGEOUT, Box, swaps
from kernel.conftest import OwnDevice, write_once
from kernel.raw import PAGE, need

# The real command, for which this machine seems to have unlimited memory.
RICH = """
import sys
from pyzram.service import observe, service
from pyzram.cli import pyzram
observe.mem_available = lambda sysfs: 1 << 50
service.total_memory = lambda: 1 << 50
sys.exit(pyzram.main(sys.argv[1:]))
"""


@pytest.mark.vm_only
def test_no_memory_for_the_table(box: Box) -> None:
    size = (1 << 40) * PAGE // 4096
    box.write(f"ZRAM_SIZE_0={size >> 40}T\nZRAM_PRIORITY_0=1\n")
    done = box.run(sys.executable, "-Ic", RICH, "-c", str(box.conf), "start")
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert line.startswith("pyzram start: device 0: zram")
    assert line.endswith(f": set disksize to {size}: Cannot allocate memory")
    assert box.numbers() == []


@pytest.fixture
def unloaded(tmp_path: Path) -> Iterator[Box]:
    """A machine whose driver is a module that is not loaded; it is loaded again afterwards."""
    module = Path("/sys/module/zram")
    # One that was built outside of its kernel's tree is not what modprobe would find.
    if not (module / "initstate").exists() or (module / "taint").read_text().strip():
        pytest.skip("zram is built in, or not the module that modprobe would load")
    subprocess.run(["rmmod", "zram"], check=True)
    box = Box(tmp_path)
    # A guest that sees the files of a container is not a container itself.
    box.env["PYZRAM_ROOT"] = str(tmp_path)
    for name in ("sys", "proc", "dev"):
        (tmp_path / name).symlink_to(f"/{name}")
    box.write("ZRAM_SIZE_0=64M\nZRAM_PRIORITY_0=1\nUNLOAD_ON_STOP=yes\n")
    try:
        yield box
    finally:
        subprocess.run(["modprobe", "zram", "num_devices=0"], check=True)


@pytest.mark.vm_only
def test_a_module_that_is_loaded_and_unloaded(unloaded: Box) -> None:
    unloaded.fine("start")
    assert unloaded.numbers() == [0], "the module came without devices"
    unloaded.fine("stop")
    assert not Path("/sys/module/zram").exists()
    unloaded.write("ZRAM_SIZE_0=64M\nZRAM_ALGORITHM_0=842x\nUNLOAD_ON_STOP=yes\n")
    assert unloaded.pyzram("start").returncode == 1
    assert not Path("/sys/module/zram").exists(), "what this start loaded is gone again"


@pytest.mark.vm_only
def test_a_module_that_is_missing(unloaded: Box) -> None:
    empty = unloaded.directory / "empty"
    empty.mkdir()
    subprocess.run(["mount", "--bind", empty, "/lib/modules"], check=True)
    try:
        stderr = unloaded.fails("start")
    finally:
        subprocess.run(["umount", "/lib/modules"], check=True)
    assert "no zram in this kernel, neither built in nor as a module (CONFIG_ZRAM): " in stderr
    assert "Module zram not found" in stderr
    assert unloaded.pyzram("status").returncode == 3


@pytest.fixture
def unsettled_clock() -> Iterator[None]:
    """The time of day jumps ten years back and forth, forty times a second."""
    over = threading.Event()
    began, at = time.monotonic(), time.time()

    def jump() -> None:
        forth = True
        while not over.wait(0.025):
            years = 10 if forth else 0
            now = at + time.monotonic() - began
            time.clock_settime(time.CLOCK_REALTIME, now + years * 365 * 86400)
            forth = not forth

    worker = threading.Thread(target=jump)
    worker.start()
    try:
        yield
    finally:
        over.set()
        worker.join()
        time.clock_settime(time.CLOCK_REALTIME, at + time.monotonic() - began)


@pytest.mark.vm_only
def test_a_time_of_day_that_jumps_within_commands(box: Box, unsettled_clock: None) -> None:
    for size in ("64M", "32M"):
        box.write(f"ZRAM_SIZE_0={size}\nZRAM_PRIORITY_0=1\n")
        box.fine("start")
        assert box.pyzram("status").returncode == 0
        box.write(f"ZRAM_SIZE_0={size}\nZRAM_PRIORITY_0=2\nZRAM_MEM_LIMIT_0=16M\n")
        box.fine("reload")
        (number,) = box.numbers()
        stats = [sys.executable, "-Im", "pyzram.cli.zram_stats", "--json"]
        shown = subprocess.run(stats, check=True, capture_output=True, text=True).stdout
        assert f'"zram{number}"' in shown
        box.fine("stop")
        assert box.numbers() == []


@pytest.fixture
def strict_memory() -> Iterator[None]:
    """A kernel that promises no more memory than it has, which leaves none for a swapoff."""
    files = [Path("/proc/sys/vm") / f"overcommit_{name}" for name in ("kbytes", "memory")]
    before = [file.read_text() for file in files]
    figures = dict(line.split(":") for line in Path("/proc/meminfo").read_text().splitlines())
    committed = int(figures["Committed_AS"].split()[0])
    files[0].write_text(str(max(committed - 65536, 1)))
    files[1].write_text("2")
    try:
        yield
    finally:
        for file, text in zip(reversed(files), reversed(before), strict=True):
            file.write_text(text)


@pytest.mark.vm_only
def test_a_swapoff_that_memory_does_not_allow(box: Box, request: pytest.FixtureRequest) -> None:
    box.write("ZRAM_SIZE_0=512M\nZRAM_PRIORITY_0=1\n")
    box.fine("start")
    (number,) = box.numbers()
    request.getfixturevalue("strict_memory")
    stderr = box.fails("stop")
    assert stderr == (
        f"pyzram stop: device 0: zram{number}: swap off: Cannot allocate memory "
        "(memory cannot take the pages back)"
    )
    assert f"/dev/zram{number}" in swaps()
    assert box.pyzram("status").returncode == 0


@pytest.fixture
def frozen(box: Box, zram_device: OwnDevice) -> Iterator[Path]:
    """A directory on a file system that can be frozen, so that writes there are held up."""
    point = box.directory / "point"
    point.mkdir()
    zram_device.write("disksize", str(64 << 20))
    subprocess.run(["mkfs.ext4", "-q", zram_device.node], check=True)
    subprocess.run(["mount", zram_device.node, point], check=True)
    yield point
    subprocess.run(["fsfreeze", "--unfreeze", point], check=False, stderr=subprocess.DEVNULL)
    for number in box.numbers():
        subprocess.run(box.command("stop"), env=box.env, check=False)
        assert number not in box.numbers()
    subprocess.run(["umount", point], check=True)


def test_a_file_to_write_back_to(box: Box, frozen: Path, zram_device: OwnDevice) -> None:
    need(zram_device, "backing_dev")
    image = frozen / "image"
    image.write_bytes(bytes(8 << 20))
    box.write(f"ZRAM_SIZE_0=16M\nZRAM_PRIORITY_0=1\nZRAM_BACKING_DEV_0={image}\n")
    box.fine("start")
    (number,) = box.numbers()
    loop = Path(f"/sys/block/zram{number}/backing_dev").read_text().strip()
    assert Path(f"/sys/block/{Path(loop).name}/loop/backing_file").read_text().strip() == str(image)
    box.write(f"ZRAM_SIZE_0=32M\nZRAM_PRIORITY_0=1\nZRAM_BACKING_DEV_0={image}\n")
    before = box.known()
    box.fine("reload")
    assert box.known() != before
    (number,) = box.numbers()
    again = Path(f"/sys/block/zram{number}/backing_dev").read_text().strip()
    box.fine("stop")
    for used in (loop, again):
        assert not Path(f"/sys/block/{Path(used).name}/loop").exists()


def test_a_writeback_that_takes_long(box: Box, frozen: Path, zram_device: OwnDevice) -> None:
    need(zram_device, "writeback_batch_size")
    image = frozen / "image"
    image.write_bytes(bytes(8 << 20))
    box.write(f"ZRAM_SIZE_0=16M\nZRAM_PRIORITY_0=32000\nZRAM_BACKING_DEV_0={image}\n")
    box.fine("start")
    (number,) = box.numbers()
    memory = mmap.mmap(-1, 1 << 20)
    memory[:] = random.Random(1).randbytes(len(memory))
    memory.madvise(MADV_PAGEOUT)
    subprocess.run(["sync", "-f", frozen], check=True)
    subprocess.run(["fsfreeze", "--freeze", frozen], check=True)
    attribute = Path(f"/sys/block/zram{number}/writeback")
    worker = threading.Thread(target=write_once, args=(attribute, "huge"))
    worker.start()
    time.sleep(0.5)
    assert worker.is_alive()
    try:
        began = time.monotonic()
        status = box.pyzram("status")
        assert status.returncode == 0
        assert status.stdout.startswith(f"zram{number} running swap size 16M ")
        assert box.fine("start") == ""
        # Meanwhile these kernels let nobody look, let alone remove the device.
        assert "a writeback or recompression holds up its figures\n" in status.stderr
        for command in ("stop", "reload"):
            assert box.fails(command) == (
                f"pyzram {command}: zram{number}: a writeback or recompression is under way "
                "and holds up everything else: try again when it has ended"
            )
        assert time.monotonic() - began < 60, "nothing hangs"
        assert worker.is_alive()
        assert f"/dev/zram{number}" in swaps()
    finally:
        subprocess.run(["fsfreeze", "--unfreeze", frozen], check=True)
        worker.join()
    assert memory[:] == random.Random(1).randbytes(len(memory))
    memory.close()
    box.fine("stop")
