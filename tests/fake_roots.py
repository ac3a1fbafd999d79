# SPDX-License-Identifier: MIT
"""Made-up machines: a root folder with the /sys of a kernel and a /proc."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyzram.kernel import blocked_reads, figure_reader

if TYPE_CHECKING:
    import pytest

TREES = Path(__file__).parent / "data/sysfs"
SWAPS = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"
ROOT_MOUNT = "21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"

# A device with some history whose figures all differ, so each must be read from its own place.
HISTORY = {
    "mm_stat": (16846848, 2132626, 2252800, 0, 2260992, 4814, 3, 12, 40),
    "io_stat": (0, 2, 0, 8192),
    "stat": (223, 0, 1784, 1, 8928, 0, 71424, 20, 0, 21, 21),
}
BACKED = ("vm-6.1", "vm-7.x-multi")


def fill(text: str, numbers: tuple[int, ...]) -> str:
    """Put other numbers into a kernel's text, but keep its widths."""
    ahead = iter(numbers)
    return re.sub(r" *\d+", lambda found: f"{next(ahead, 0):>{len(found[0])}}", text)


def unreadable(monkeypatch: pytest.MonkeyPatch, code: int, *ends: str) -> None:
    """Make opening files whose path ends in ``suffix`` fail with an errno, for everybody."""
    real = os.open

    def refuse(path: str, *words: Any, **named: Any) -> int:
        if str(path).endswith(ends):
            raise OSError(code, os.strerror(code), path)
        return real(path, *words, **named)

    monkeypatch.setattr(os, "open", refuse)


class Machine:
    """A root folder; its device is zram0, of a captured kernel."""

    def __init__(self, root: Path, kernel: str, state: str = "used") -> None:
        self.root = root
        shutil.copytree(TREES / kernel / state, root / "sys")
        major = self.attribute("dev").read_text().partition(":")[0]
        self.attribute("dev").write_text(f"{major}:0\n")  # a captured one had its own number
        if state == "used":
            self.give_history(kernel)
        (root / "proc/self").mkdir(parents=True)
        self.swap()
        (root / "proc/self/mountinfo").write_text(ROOT_MOUNT)

    def attribute(self, name: str, device: int = 0) -> Path:
        return self.root / f"sys/block/zram{device}" / name

    def give_history(self, kernel: str) -> None:
        for name, numbers in HISTORY.items():
            file = self.attribute(name)
            file.write_text(fill(file.read_text(), numbers))
        if kernel == "vm-6.1":  # later ones always show 0
            file = self.attribute("io_stat")
            file.write_text(fill(file.read_text(), (0, 2, 5, 8192)))
        if kernel in BACKED:
            file = self.attribute("bd_stat")
            file.write_text(fill(file.read_text(), (12, 34, 56)))
            self.attribute("backing_dev").write_text("/dev/loop7\n")
            self.attribute("writeback_limit").write_text("1000\n")
            self.attribute("writeback_limit_enable").write_text("1\n")
        secondary = self.attribute("recomp_algorithm")
        if secondary.exists():
            first = secondary.read_text()
            second = first.replace("#1", "#2").replace("[zstd] deflate", "zstd [deflate]")
            secondary.write_text(first + second)

    def add(self, device: int) -> None:
        """One more device, like zram0."""
        shutil.copytree(self.root / "sys/block/zram0", self.root / f"sys/block/zram{device}")
        major = self.attribute("dev").read_text().partition(":")[0]
        self.attribute("dev", device).write_text(f"{major}:{device}\n")

    def vanish_while_read(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let zram0 go when its io_stat is asked for."""
        read = figure_reader.read_text

        def vanish(path: str) -> str:
            if path.endswith("zram0/io_stat"):
                self.attribute("").rename(self.root / "gone")
            return read(path)

        monkeypatch.setattr(figure_reader, "read_text", vanish)

    def swap(self, *lines: str) -> None:
        (self.root / "proc/swaps").write_text(SWAPS + "".join(line + "\n" for line in lines))

    def mount(self, point: str, device: int = 0) -> None:
        """``point`` is written as the kernel writes it, blanks as octal numbers."""
        dev = self.attribute("dev", device).read_text().strip()
        with (self.root / "proc/self/mountinfo").open("a") as file:
            file.write(f"30 21 {dev} / {point} rw shared:9 - ext4 /dev/zram{device} rw\n")

    def block(self, name: str, sectors: int) -> None:
        """Another block device, of that many units of 512 bytes."""
        folder = self.root / "sys/class/block" / name
        folder.mkdir(parents=True)
        (folder / "size").write_text(f"{sectors}\n")

    def hold_up(self, name: str, device: int = 0) -> None:
        """Make every reader of this attribute wait for ever, as on 7.x while writeback runs."""
        path = self.attribute(name, device)
        path.unlink()
        os.mkfifo(path)


def wait_only_for_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give up soon on what is held up, and on nothing else, however busy the machine is."""
    receive = blocked_reads.ForkedReader._receive

    def receive_what_comes(reader: blocked_reads.ForkedReader, _seconds: float) -> bytes:
        return receive(reader, 0.2 if Path(reader.asked[0]).is_fifo() else 60)

    monkeypatch.setattr(blocked_reads.ForkedReader, "_receive", receive_what_comes)
