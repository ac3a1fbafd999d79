# SPDX-License-Identifier: MIT
"""Made-up machines: a root folder with the /sys of a kernel and a /proc."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

TREES = Path(__file__).parent / "data/sysfs"
SWAPS = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"
ROOT_MOUNT = "21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"


class Machine:
    """A root folder; its device is zram0."""

    def __init__(self, root: Path, kernel: str, state: str = "used") -> None:
        self.root = root
        shutil.copytree(TREES / kernel / state, root / "sys")
        major = self.attribute("dev").read_text().partition(":")[0]
        self.attribute("dev").write_text(f"{major}:0\n")  # a captured one had its own number
        (root / "proc/self").mkdir(parents=True)
        self.swap()
        (root / "proc/self/mountinfo").write_text(ROOT_MOUNT)

    def attribute(self, name: str, device: int = 0) -> Path:
        return self.root / f"sys/block/zram{device}" / name

    def add(self, device: int) -> None:
        """One more device, like zram0."""
        shutil.copytree(self.root / "sys/block/zram0", self.root / f"sys/block/zram{device}")
        major = self.attribute("dev").read_text().partition(":")[0]
        self.attribute("dev", device).write_text(f"{major}:{device}\n")

    def swap(self, *lines: str) -> None:
        (self.root / "proc/swaps").write_text(SWAPS + "".join(line + "\n" for line in lines))

    def mount(self, point: str, device: int = 0) -> None:
        """``point`` is written as the kernel writes it, blanks as octal numbers."""
        dev = self.attribute("dev", device).read_text().strip()
        with (self.root / "proc/self/mountinfo").open("a") as file:
            file.write(f"30 21 {dev} / {point} rw shared:9 - ext4 /dev/zram{device} rw\n")

    def hold_up(self, name: str, device: int = 0) -> None:
        """Whoever reads this attribute waits for ever, as on 7.x while writeback runs."""
        path = self.attribute(name, device)
        path.unlink()
        os.mkfifo(path)
