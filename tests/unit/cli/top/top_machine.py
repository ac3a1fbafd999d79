# SPDX-License-Identifier: MIT
"""A made-up machine for the tests of pyzram top, and its screen as text."""

from __future__ import annotations

import html
import re
from pathlib import Path

from fake_roots import Machine

from pyzram.tend_status import write_status

PRESSURE = (
    "some avg10={0} avg60=0.00 avg300=0.01 total=140943\n"
    "full avg10=0.00 avg60=0.00 avg300=0.00 total=6611\n"
)
REASONS = [
    "zram0: 12M of pages that were not used for 2.3 h are written to the backing device",
    "zram1: no backing device",
]
# As 6.12 writes them: data in three classes, and an empty one.
CLASSES = """\
 class  size       10%       20%       30%       40%       50%       60%       70%       80%       90%       99%      100% obj_allocated   obj_used pages_used pages_per_zspage freeable
     0    32         0         0         0         0         0         0         0         0         0         0         0             0          0          0                1        0
    12   224         0         0         0         0         0         0         0         0         0         0         1           128         64          7                7        0
    36   608         0         0         0         0         0         0         0         0         0         0         1           400        400         60                3        0
   254  4096         0         0         0         0         0         0         0         0         0         0        12            12         12         12                1        0

 Total               0         0         0         0         0         0         0         0         0         0        14           540        476         79                           0
"""  # noqa: E501
WIDTH = 12.2  # of a letter in Rich's pictures


def make(root: Path, devices: int = 3) -> Machine:
    """zram0 is swap with a backing device; zram1 is a file system that is nearly at its limit."""
    here = Machine(root, "vm-7.x-multi")
    for number in range(1, devices):
        here.add(number)
    here.swap("/dev/zram0 partition 65532 32766 100")
    here.block("loop7", 2048)
    if devices > 1:
        here.mount("/tmp", 1)
        set_number(here, 1, "mm_stat", 3, 2_400_000)  # mem_limit
        set_number(here, 1, "mm_stat", 0, 2_300_000)  # orig_data_size
    (root / "proc/meminfo").write_text("MemTotal: 8000000 kB\nMemAvailable: 3000000 kB\n")
    (root / "proc/pressure").mkdir()
    for resource, share in (("memory", "12.34"), ("io", "0.50"), ("cpu", "3.21")):
        (root / "proc/pressure" / resource).write_text(PRESSURE.format(share))
    return here


def set_number(here: Machine, device: int, file: str, place: int, value: int) -> None:
    """One of the numbers of a file."""
    path = here.attribute(file, device)
    words = path.read_text().split()
    words[place] = str(value)
    path.write_text(" ".join(words) + "\n")


def debugfs(root: Path, name: str = "zram0") -> None:
    """What root sees of a device."""
    folder = root / "sys/kernel/debug/zram" / name
    folder.mkdir(parents=True)
    # What was used 0, 1, 5, 700 and 4900 seconds before second 5000.
    ages = [0] * 10 + [1] * 20 + [5] * 5 + [700] * 55 + [4900] * 10
    lines = [
        f"{index:12d} {5000 - age:12d}.000000 {'..h...' if index >= 90 else '......'}\n"
        for index, age in enumerate(ages)
    ]
    (folder / "block_state").write_text("".join(lines))
    folder = root / "sys/kernel/debug/zsmalloc" / name
    folder.mkdir(parents=True)
    (folder / "classes").write_text(CLASSES)


def tend(run: Path, mode: str = "pressed", reasons: list[str] | None = None) -> None:
    """A daemon that runs."""
    status = {"mode": mode, "pressure": 0.43, "reasons": reasons or REASONS}
    write_status(str(run), status)


class Screenshot:
    """A screen, as textual exports it: letters and their colours."""

    def __init__(self, svg: str) -> None:
        fills = dict(re.findall(r"\.([\w-]+-r\d+) \{ fill: (#\w+)", svg))
        self.cells: dict[tuple[int, int], tuple[str, str]] = {}
        for name, x, line, text in re.findall(
            r'<text class="([\w-]+)" x="([\d.]+)"[^>]*line-(\d+)\)">([^<]*)</text>', svg
        ):
            at = round(float(x) / WIDTH)
            for offset, letter in enumerate(html.unescape(text).replace("\xa0", " ")):
                self.cells[int(line), at + offset] = (letter, fills[name])
        height = max(y for y, _ in self.cells) + 1
        self.lines = []
        for y in range(height):
            width = max((x for line, x in self.cells if line == y), default=-1) + 1
            row = (self.cells.get((y, x), (" ", ""))[0] for x in range(width))
            self.lines.append("".join(row).rstrip())
        self.text = "\n".join(self.lines) + "\n"

    def line(self, start: str) -> str:
        """The first line that starts so."""
        return next(line for line in self.lines if line.startswith(start))

    def colour_of(self, text: str, start: str) -> str:
        """The colour of a text in the line that starts so."""
        y = self.lines.index(self.line(start))
        return self.cells[y, self.lines[y].index(text)][1]
