# SPDX-License-Identifier: MIT
"""Power cuts: a guest is killed at work and booted again on the same disk.

Around the part that zram was given, the disk has three others (the partition table, a data
partition, and a tail). Those must keep the same bytes to the end.
"""

from __future__ import annotations

import hashlib
import random
import struct
import time
from pathlib import Path

import pytest
from vm.archive import TREE, kernel_image, results
from vm.guest import Guest, load_driver, program
from vm.kernels import KERNELS

M = 1 << 20
DISK, DATA, BACKING, BACKING_END = 64 * M, 1 * M, 17 * M, 49 * M
BOOT_SECONDS = 300.0

PREPARE = f"""\
cd {TREE}
{load_driver(())}
modprobe virtio_blk
tries=0
until [ -b /dev/vda2 ] || [ $tries = 100 ]; do sleep 0.1; tries=$((tries + 1)); done
"""
WRITE_BACK = """\
cd /sys/block/zram$(cat /sys/class/zram-control/hot_add)
echo /dev/vda2 >backing_dev
echo 64M >disksize
while :; do
	dd if=/dev/urandom of=/dev/${PWD##*/} bs=1M count=24 oflag=direct
	echo all >idle
	touch $OUT/started
	echo idle >writeback
done
"""
RELOAD = """\
printf 'ZRAM_SIZE_0=64M\\nZRAM_BACKING_DEV_0=/dev/vda2\\n' >/tmp/small
printf 'ZRAM_SIZE_0=96M\\nZRAM_BACKING_DEV_0=/dev/vda2\\n' >/tmp/large
cp /tmp/small /tmp/zram
$PYZRAM start -c /tmp/zram || exit
touch $OUT/started
while :; do
	cp /tmp/large /tmp/zram; $PYZRAM reload -c /tmp/zram
	cp /tmp/small /tmp/zram; $PYZRAM reload -c /tmp/zram
done
"""
AFTER = """\
printf 'ZRAM_SIZE_0=64M\\nZRAM_BACKING_DEV_0=/dev/vda2\\n' >/tmp/zram
wipefs -q -a /dev/vda2
$PYZRAM start -c /tmp/zram && $PYZRAM status -c /tmp/zram && $PYZRAM stop -c /tmp/zram
echo $? >$OUT/status
sha256sum </dev/vda1 >$OUT/data.sha256
"""


def make_disk(path: Path) -> None:
    """Noise everywhere but in the backing partition; two partitions in a DOS table."""
    content = bytearray(random.Random(1).randbytes(DISK))
    content[BACKING:BACKING_END] = bytes(BACKING_END - BACKING)
    for slot, (start, end) in enumerate(((DATA, BACKING), (BACKING, BACKING_END))):
        entry = struct.pack("<8xII", start // 512, (end - start) // 512)
        content[446 + 16 * slot : 462 + 16 * slot] = entry[:4] + b"\x83" + entry[5:]
    content[478:510] = bytes(32)
    content[510:512] = b"\x55\xaa"
    path.write_bytes(content)


def digest(disk: Path, *parts: tuple[int, int]) -> str:
    content = disk.read_bytes()
    return hashlib.sha256(b"".join(content[start:end] for start, end in parts)).hexdigest()


def outside(disk: Path) -> str:
    return digest(disk, (0, BACKING), (BACKING_END, DISK))


@pytest.fixture
def folder(request: pytest.FixtureRequest) -> Path:
    return results(request.node.name)


def boot(folder: Path, kernel_name: str, work: str) -> Guest:
    (kernel,) = (kernel for kernel in KERNELS if kernel.name == kernel_name)
    script = folder / "guest.sh"
    script.write_text(f"OUT={folder} PYZRAM={program('pyzram')}\n{PREPARE}{work}")
    return Guest(kernel_image(kernel), script, folder, disks=(folder / "disk.img",))


def reboot_and_look(folder: Path, kernel_name: str) -> None:
    """The disk's data is whole for the next boot, and pyzram can use its partition again."""
    guest = boot(folder, kernel_name, AFTER)
    assert guest.wait(BOOT_SECONDS), guest.last_words()
    assert (folder / "status").read_text() == "0\n", guest.last_words()
    data = digest(folder / "disk.img", (DATA, BACKING))
    assert (folder / "data.sha256").read_text().split()[0] == data


def test_power_lost_during_writeback_changes_nothing_outside_the_backing_partition(folder):
    disk = folder / "disk.img"
    make_disk(disk)
    before, empty = outside(disk), digest(disk, (BACKING, BACKING_END))
    guest = boot(folder, "7.x", WRITE_BACK)
    assert guest.wait_for(folder / "started", BOOT_SECONDS), guest.last_words()
    deadline = time.monotonic() + BOOT_SECONDS
    while digest(disk, (BACKING, BACKING_END)) == empty:
        assert time.monotonic() < deadline, "nothing was ever written back"
        time.sleep(0.1)
    guest.cut_power()
    assert outside(disk) == before
    reboot_and_look(folder, "7.x")
    assert outside(disk) == before


def test_power_lost_during_reload_changes_nothing_outside_the_backing_partition(folder):
    disk = folder / "disk.img"
    make_disk(disk)
    before = outside(disk)
    guest = boot(folder, "6.12", RELOAD)
    assert guest.wait_for(folder / "started", BOOT_SECONDS), guest.last_words()
    time.sleep(5)
    guest.cut_power()
    assert outside(disk) == before
    reboot_and_look(folder, "6.12")
    assert outside(disk) == before
