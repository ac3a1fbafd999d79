# SPDX-License-Identifier: MIT
"""Made-up machines for pyzram tend, with clocks and a worker that tests set."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

from fake_roots import Machine

from pyzram.errors import ZramOSError
from pyzram.kernel.sysfs import BOOT_ID, Sysfs
from pyzram.tend.ledger import Ledger
from pyzram.tend.machine import Clocks, read_clock
from pyzram.tend.sleeps import Sleeps
from pyzram.tend.tender import Tender

MIB = 1 << 20
HOUR = 3600.0
PSI = (
    "some avg10={} avg60=0.00 avg300={} total={}\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n"
)


class Watch(Clocks):
    """Clocks that a test sets."""

    def __init__(self) -> None:
        self.now, self.asleep = 1e6, 0.0

    def awake(self) -> float:
        return self.now

    def boottime(self) -> float:
        return self.now + self.asleep

    def wall(self) -> float:
        return 1.7e9 + self.boottime()


class Writer:
    """Writes what it is told into bd_stat, as the kernel would."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.steps: list[tuple[list[tuple[int, int]], int]] = []
        self.error: ZramOSError | None = None

    def restore_limit(self, device):
        pass

    def write_pages(self, device, ranges, limit):
        if self.error:
            raise self.error
        self.steps.append((list(ranges), limit))
        pages = min(limit // 4096, sum(last - first + 1 for first, last in ranges))
        count, reads, writes = map(int, self.machine.attribute("bd_stat").read_text().split())
        self.machine.attribute("bd_stat").write_text(f"{count + pages} {reads} {writes + pages}\n")

    def write_idle(self, device, huge, limit, age):
        raise AssertionError("ages are known here")

    def turns(self, device):
        return contextlib.nullcontext

    def recompression(self, device, huge, pages):
        return Steps()


class Steps:
    """A recompression of the given steps; without one, nothing is left to do."""

    pages = 1024

    def __init__(self, *steps: Callable[[], object]) -> None:
        self.left = list(steps)

    def step(self) -> bool:
        if self.left:
            self.left.pop(0)()
        return bool(self.left)


def of_two_days(root: Path) -> Machine:
    """A device on 7.x with a card behind it, and ten thousand pages, all two days old."""
    found = Machine(root, "vm-7.x-multi")
    disk = root / "sys/devices/mmc0/block/mmcblk0"
    (disk / "mmcblk0p3").mkdir(parents=True)
    (disk / "mmcblk0p3/partition").write_text("3\n")
    (disk / "mmcblk0p3/size").write_text(f"{8 << 21}\n")
    (disk / "device").mkdir()
    (disk / "device/cid").write_text("1b534d30\n")
    for folder, name, target in (
        ("sys/class/block", "mmcblk0p3", disk / "mmcblk0p3"),
        ("sys/class/block", "mmcblk0", disk),
        ("sys/block", "mmcblk0", disk),
    ):
        (root / folder).mkdir(parents=True, exist_ok=True)
        (root / folder / name).symlink_to(target)
    found.attribute("backing_dev").write_text("/dev/mmcblk0p3\n")
    found.attribute("bd_stat").write_text("0 0 0\n")
    found.attribute("writeback_limit_enable").write_text("0\n")
    found.attribute("recomp_algorithm").write_text("")
    old = "".join(f"{place:12} {800000:12}.000000 ......\n" for place in range(10000))
    young = "".join(f"{place:12} {999999:12}.000000 ......\n" for place in range(10000, 12000))
    debug = root / "sys/kernel/debug/zram/zram0"
    debug.mkdir(parents=True, exist_ok=True)
    (debug / "block_state").write_text(old + young)
    (root / "proc/pressure").mkdir(parents=True)
    (root / "proc/vmstat").write_text("pswpin 0\n")
    press(root, 0.0)
    return found


def press(root: Path, some300: float, total: int = 0, available: int = 1 << 20) -> None:
    for name in ("memory", "io", "cpu"):
        (root / "proc/pressure" / name).write_text(PSI.format("0.00", some300, total))
    (root / "proc/meminfo").write_text(
        f"MemTotal:        4194304 kB\nMemFree: 1 kB\nMemAvailable:    {available} kB\n"
    )


def booted(machine: Machine, boot: str = "this-start") -> None:
    """Have the machine say which boot this is."""
    path = machine.root / BOOT_ID
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{boot}\n")


def tender(
    machine: Machine, watch: Watch, at_once: bool = True, handover: str = ""
) -> tuple[Tender, Writer]:
    sysfs = Sysfs(str(machine.root))
    ledger = Ledger(str(machine.root / "var"), read_clock(sysfs, watch))
    writer = Writer(machine)
    made = Tender(
        sysfs,
        lambda: [0],
        writer,
        ledger,
        Sleeps(watch),
        handover=handover,
        at_once=at_once,
        warn=print,
    )
    OPEN.append(made)
    return made, writer


OPEN: list[Tender] = []
