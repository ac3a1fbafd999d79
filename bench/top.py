# SPDX-License-Identifier: MIT
"""What pyzram top costs: its share of one processor, on a separate terminal.

    python bench/top.py [--devices 8] [--seconds 20] [--delay 1] [--size 120x40]

The devices of a made-up machine change all their figures before every look, so every line of the
picture changes too. It prints the processor time per second of the whole command after its start,
including the child that reads, and that of a bare textual application that shows as much other text
once a second, which is what the library itself takes on this machine and under its load.
zram_stats -w is there for comparison.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import pty
import random
import select
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from fake_roots import Machine

SETTLED = 5.0  # seconds after which a view has drawn its first pictures
PRESSURE = (
    "some avg10={:.2f} avg60=0.00 avg300=0.01 total=1\n"
    "full avg10={:.2f} avg60=0.00 avg300=0.00 total=1\n"
)

# A screen full of lines, all new once a second, in one widget and nothing else. They are made in
# advance, so that only the library's time is measured.
BARE = """
import random, sys
from textual.app import App
from textual.widgets import Static

class Bare(App):
    def compose(self):
        yield Static(markup=False)

    def on_mount(self):
        width, height = self.size
        words = [str(random.randrange(10**5, 10**6)) for _ in range(width // 7 * (height - 2))]
        self.pictures = []
        for _ in range(8):
            random.shuffle(words)
            lines = zip(*[iter(words)] * (width // 7))
            self.pictures.append("\\n".join(map(" ".join, lines)))
        self.set_interval({delay}, self.show)
        self.show()

    def show(self):
        self.pictures.append(self.pictures.pop(0))
        self.query_one(Static).update(self.pictures[-1])

Bare().run()
"""


def machine(root: Path, devices: int) -> Machine:
    """A machine with ``count`` devices that have done something."""
    made = Machine(root, "vm-7.x-multi")
    for number in range(1, devices):
        made.add(number)
    made.swap(
        *(f"/dev/zram{number} partition 65532 {1000 + number} 100" for number in range(devices))
    )
    (root / "proc/meminfo").write_text("MemTotal: 8000000 kB\nMemAvailable: 3000000 kB\n")
    (root / "proc/pressure").mkdir()
    return made


def stir(root: Path, made: Machine, devices: int) -> None:
    """Change all figures."""
    for number in range(devices):
        for file, places in (("mm_stat", (0, 1, 2)), ("stat", (0, 4)), ("io_stat", (3,))):
            path = made.attribute(file, number)
            words = path.read_text().split()
            for place in places:
                words[place] = str(int(words[place]) + random.randrange(4096, 40960))
            path.write_text(" ".join(words) + "\n")
    for resource in ("memory", "io", "cpu"):
        text = PRESSURE.format(random.uniform(0, 30), random.uniform(0, 9))
        (root / "proc/pressure" / resource).write_text(text)
    available = random.randrange(1_000_000, 7_000_000)
    (root / "proc/meminfo").write_text(f"MemTotal: 8000000 kB\nMemAvailable: {available} kB\n")


def processor_seconds(pid: int) -> float:
    """User and system time of a process and its children, /proc/PID/stat.

    The child that reads, on kernels that may keep readers waiting, is a part of the view.
    """
    ticks = 0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has ended meanwhile
        if pid in (int(folder.name), int(words[1])):
            ticks += int(words[11]) + int(words[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def measure(command: list[str], options: argparse.Namespace, changing: bool) -> tuple[float, int]:
    """Share of a processor in percent, and bytes a second to the terminal."""
    width, height = map(int, options.size.split("x"))
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        made = machine(root, options.devices)
        stir(root, made, options.devices)
        master, slave = pty.openpty()
        fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))
        environment = {
            **os.environ,
            "PYZRAM_ROOT": folder,
            "PYZRAM_RUN": folder,
            "TERM": "xterm-256color",
            "LC_ALL": "C.UTF-8",
        }
        view = subprocess.Popen(
            command, stdin=slave, stdout=slave, stderr=slave, env=environment,
            start_new_session=True,
        )  # fmt: skip
        try:
            pump(master, SETTLED)
            used, began, drawn = processor_seconds(view.pid), time.monotonic(), 0
            while time.monotonic() < began + options.seconds:
                if changing:
                    stir(root, made, options.devices)
                drawn += pump(master, options.delay)
            seconds = time.monotonic() - began
            share = (processor_seconds(view.pid) - used) / seconds
        finally:
            view.send_signal(signal.SIGTERM)
            pump(master, 1.0)
            view.kill()
            view.wait()
            os.close(master)
            os.close(slave)
    return share * 100, round(drawn / seconds)


def pump(master: int, seconds: float) -> int:
    """Read what is drawn for ``seconds``; return how many bytes that was."""
    count, until = 0, time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        if select.select([master], [], [], left)[0]:
            count += len(os.read(master, 1 << 16))
    return count


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--devices", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--delay", type=float, default=1.0)
    parser.add_argument("--size", default="120x40")
    options = parser.parse_args()
    python = [sys.executable, "-Ic"]
    top = "import sys; from pyzram.cli.pyzram import main; sys.exit(main())"
    live = "import sys; from pyzram.cli.zram_stats import main; sys.exit(main())"
    for name, command, changing in (
        ("pyzram top, all changes", [*python, top, "top", "-d", str(options.delay)], True),
        ("pyzram top, nothing changes", [*python, top, "top", "-d", str(options.delay)], False),
        ("a bare textual application", [*python, BARE.format(delay=options.delay)], False),
        ("zram_stats -w, all changes", [*python, live, f"-w{options.delay}"], True),
    ):
        share, drawn = measure(command, options, changing)
        print(
            f"{name}: {share:.2f} % of one processor, {drawn} bytes a second to the terminal "
            f"({options.devices} devices, {options.size}, every {options.delay:g} s)",
            flush=True,
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
