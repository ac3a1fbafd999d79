# SPDX-License-Identifier: MIT
"""Make the documentation's pictures: pyzram top on a made-up machine, the others on this one.

    python tools/pictures.py [NAME...]

Look at them before you commit them.
"""

from __future__ import annotations

import asyncio
import math
import os
import re
import subprocess
import sys
import tempfile
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from pyzram.cli import device_history
from pyzram.cli.top import app_view
from pyzram.cli.top.look import Looker
from pyzram.cli.top.parts import SORTS

TREE = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TREE / "tests"))
top_machine = import_module("unit.cli.top.top_machine")

STEPS = 70
PAGE = 4096
COLD = "estimate --idle 2s,5s,15s -a lz4 -a zstd"
FRONTIER = (
    "bench -a lzo-rle -a lz4:1 -a lz4:8 -a lz4hc:4 -a zstd:1 -a zstd:3 -a zstd:9 -a deflate:6 "
    "/usr/bin/python3"
)
LICENCE = "<!-- SPDX-License-Identifier: MIT -->\n"
REASONS = ["zram0: 96M not used for 6 h may be written to the backing device, the oldest first"]


def live_through(here: Any, step: int) -> None:
    """What happens to the devices during an afternoon: one fills and empties, one is full."""
    wave = 1 + math.sin(step / 9) * 0.4 + (step % 7) * 0.02
    for device, (data, ratio) in enumerate(((1.3e9 * wave, 3.4), (190e6, 1.05), (6e8, 2.6))):
        memory = int(data / (ratio + math.sin(step / 5) * 0.3))
        for place, value in enumerate((int(data), int(memory * 0.96), memory)):
            top_machine.set_number(here, device, "mm_stat", place, value // PAGE * PAGE)
        reads = int(900 * (1 + math.sin(step / 3)) * (device == 0) * (step % 5 > 1))
        for place, value in ((0, reads), (4, reads // 3 + 40 * device)):
            old = int(here.attribute("stat", device).read_text().split()[place])
            top_machine.set_number(here, device, "stat", place, old + value)


def top(path: Path) -> None:
    """The overview, 80 columns wide."""

    async def run() -> str:
        here = top_machine.make(root)
        for device, size in enumerate((4 << 30, 1 << 30, 2 << 30)):
            here.attribute("disksize", device).write_text(f"{size}\n")
        top_machine.set_number(here, 1, "mm_stat", 3, 200_000_000)
        here.swap("/dev/zram0 partition 4194300 1500000 100")
        (root / "sys/class/block/loop7/size").write_text(f"{2 << 21}\n")
        top_machine.set_number(here, 0, "bd_stat", 0, 60_000)
        top_machine.tend(root, "tight", REASONS)
        live_through(here, 0)
        looker = Looker([], str(root))
        # The clock of the looks, so that a rate is for one second.
        clock = iter(range(1, 10_000))
        device_history.time = SimpleNamespace(monotonic=lambda: next(clock))
        app = app_view.Top(looker, 30.0, SORTS["name"], False)
        async with app.run_test(size=(80, 24)) as pilot:
            for step in range(1, STEPS):
                live_through(here, step)
                app._wake.set()
                await pilot.pause(0.02)
            await pilot.pause(0.1)
            return str(app.export_screenshot())

    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        os.environ["PYZRAM_ROOT"] = folder
        app_view.Top.said = "every 1 s  16:04:12"
        picture = asyncio.run(run())
    write(picture, path)


def drawn(path: Path, *command: str) -> None:
    """What a command plots about this machine; the picture differs each time."""
    with tempfile.TemporaryDirectory() as folder:
        made = Path(folder) / path.name
        words = [sys.executable, "-Im", "pyzram", *command, "--plot", str(made)]
        subprocess.run(words, check=True)
        write(made.read_text(encoding="utf-8"), path)


def write(picture: str, path: Path) -> None:
    """Make it as the tree requires: with a licence, and no line that ends in blanks."""
    # No fonts from elsewhere: reading a page must not tell other sites about it.
    picture = re.sub(r"@font-face \{.*?\}\n", "", picture, flags=re.S)
    picture = picture.replace("Fira Code", "DejaVu Sans Mono").replace(
        "<svg ", LICENCE + "<svg ", 1
    )
    path.write_text(re.sub(r"[ \t]+$", "", picture, flags=re.M).rstrip() + "\n", encoding="utf-8")


PICTURES = {
    "estimate": lambda path: drawn(path, "estimate", "--system"),
    "cold": lambda path: drawn(path, *COLD.split()),
    "frontier": lambda path: drawn(path, *FRONTIER.split()),
    "top": top,
}

if __name__ == "__main__":
    for name in sys.argv[1:] or PICTURES:
        PICTURES[name](TREE / f"docs/{name}.svg")
