# SPDX-License-Identifier: MIT
"""Power cuts while ``pyzram tend`` writes back: over all boots together it stays within its budget.

The disk has the parts of test_powercut.py around the backing partition. The ledger is on a separate
file system, because what a guest changes in this machine's files is gone with it.
"""

from __future__ import annotations

import json
import random
import sys
import time
from pathlib import Path

import pytest
from vm.archive import TREE, kernel_image, results, run
from vm.guest import Guest, load_driver
from vm.kernels import KERNELS
from vm.ring import DEADLINE
from vm.test_powercut import make_disk, outside

M = 1 << 20
CUTS = 4
BUDGET = 24 * M
LEDGER = 32 * M

GUEST = """\
cd {tree}
{driver}
modprobe -a virtio_blk ext4
tries=0
until [ -b /dev/vda2 ] || [ $tries = 100 ]; do sleep 0.1; tries=$((tries + 1)); done
for state in /sys/block/vd*; do
	[ "$(cat $state/size)" != {sectors} ] || break
done
mkdir /run/ledger; mount -t ext4 /dev/${{state##*/}} /run/ledger || exit
PYZRAM_STATE=/run/ledger {python} -I tests/vm/tend_powercut.py {folder} {budget} >{folder}/log 2>&1
"""


@pytest.fixture
def folder() -> Path:
    return results("tend-powercut")


def boot(folder: Path) -> Guest:
    (kernel,) = (kernel for kernel in KERNELS if kernel.name == "7.x")
    script = folder / "guest.sh"
    script.write_text(
        GUEST.format(
            tree=TREE, driver=load_driver(()), sectors=LEDGER // 512,
            python=sys.executable, folder=folder, budget=BUDGET,
        )
    )  # fmt: skip
    disks = (folder / "disk.img", folder / "ledger.img")
    return Guest(kernel_image(kernel), script, folder, disks=disks)


def written(folder: Path) -> int:
    """Bytes to the medium in this boot, as last seen in the guest."""
    try:
        return json.loads((folder / "seen.json").read_text())["writes"]
    except FileNotFoundError:
        return 0


@pytest.mark.long
def test_power_cuts_never_make_it_write_more_than_its_budget(folder):
    disk = folder / "disk.img"
    make_disk(disk)
    with (folder / "ledger.img").open("wb") as file:
        file.truncate(LEDGER)
    run("mke2fs", "-q", "-F", "-t", "ext4", folder / "ledger.img")
    before = outside(disk)
    chance = random.Random(11)
    boots = []
    for number in range(CUTS + 1):
        (folder / "seen.json").unlink(missing_ok=True)
        guest = boot(folder)
        deadline = time.monotonic() + DEADLINE
        # Cut off while writing; the last one runs until it writes no more.
        wanted = chance.randrange(M // 2, 3 * M) if number < CUTS else BUDGET
        while written(folder) < wanted and guest.process.poll() is None:
            assert time.monotonic() < deadline, (folder / "log").read_text() + guest.last_words()
            time.sleep(0.02)
        guest.cut_power()
        boots.append(written(folder))
        assert outside(disk) == before
        said = (folder / "log").read_text()
        assert "Traceback" not in said, said
    found = json.loads((folder / "seen.json").read_text())
    print(f"power cuts: {[f'{size / M:.1f}' for size in boots]} of {BUDGET // M} MiB written")
    assert all(size > 0 for size in boots[:CUTS])
    assert sum(boots) <= BUDGET
    # The ledger knew of everything written before, although it was cut off each time.
    assert found["charged_at_start"] >= sum(boots[:CUTS])
    assert found["over"], "the last boot was to write until nothing was left"
