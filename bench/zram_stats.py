# SPDX-License-Identifier: MIT
"""How fast zram_stats is, as ratios measured side by side in one run.

* one device, whole process: against the start of the interpreter alone (python3 -I -c pass);
* many devices, whole process: against zramctl --output-all plus that start;
* a watch at one-second steps: processor time as a share of one core.

It needs root, since it adds its own devices and removes them. Runs alternate; figures are medians.
"""

from __future__ import annotations

import argparse
import os
import pty
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import installed

COMMAND = installed.command("zram_stats")
CONTROL = Path("/sys/class/zram-control")


@contextmanager
def devices(count: int) -> Iterator[list[str]]:
    """Add devices of 1 MiB; return their nodes."""
    numbers: list[int] = []
    try:
        for _ in range(count):
            numbers.append(int((CONTROL / "hot_add").read_text()))
            Path(f"/sys/block/zram{numbers[-1]}/disksize").write_text("1M")
        yield [f"/dev/zram{number}" for number in numbers]
    finally:
        for number in numbers:
            if Path(f"/sys/block/zram{number}").exists():
                (CONTROL / "hot_remove").write_text(str(number))


def seconds(command: list[str]) -> float:
    """Wall time of one run."""
    start = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - start


def alternate(commands: dict[str, list[str]], rounds: int) -> dict[str, list[float]]:
    """Run all commands in turn, again and again."""
    for command in commands.values():
        seconds(command)
    times: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            times[name].append(seconds(command))
    return times


def show(times: dict[str, list[float]], base: list[str]) -> None:
    """Print medians, and for all but the bases the ratio to the sum of the bases."""
    floors = [sum(values) for values in zip(*(times[name] for name in base), strict=True)]
    for name, values in times.items():
        line = f"  {name:<38} {statistics.median(values) * 1e3:7.1f} ms"
        if name not in base:
            ratios = [value / floor for value, floor in zip(values, floors, strict=True)]
            line += f"   {statistics.median(ratios):.2f} x  ({' + '.join(base)})"
        print(line)


def watch_share(node: str, steps: int) -> float:
    """Processor time of a watch on a terminal, per second, without its start."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ["TERM"] = "xterm"
        os.execv(COMMAND[0], [*COMMAND, "--watch=1", node])
    try:
        os.set_blocking(terminal, False)
        wait(terminal, 3)
        before = cpu_time(pid)
        started = time.monotonic()
        wait(terminal, steps)
        used = cpu_time(pid) - before
        if not used:
            raise SystemExit("the watch ended by itself")
        return used / (time.monotonic() - started)
    finally:
        os.write(terminal, b"q")
        wait(terminal, 0.5)
        os.waitpid(pid, 0)
        os.close(terminal)


def wait(terminal: int, seconds: float) -> None:
    """Let time pass, and read what is drawn meanwhile."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(0.1)
        try:
            while os.read(terminal, 65536):
                pass
        except BlockingIOError:
            continue
        except OSError:
            return  # the process has ended


def cpu_time(pid: int) -> float:
    """Seconds of processor time that a process has had (/proc/PID/schedstat, nanoseconds)."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


def main() -> int:
    """Print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--devices", type=int, default=300)
    parser.add_argument("--steps", type=int, default=30)
    given = parser.parse_args()
    if os.geteuid() != 0 or not CONTROL.is_dir():
        print("needs root and a zram driver", file=sys.stderr)
        return 1
    with devices(1) as (node,):
        print("one device:")
        commands = {
            "start": installed.NOTHING,
            "zram_stats": [*COMMAND, node],
            "zram_stats --prometheus": [*COMMAND, "--prometheus", node],
        }
        show(alternate(commands, given.rounds), ["start"])
        print(f"watch at one-second steps, {given.steps} s on a terminal:")
        print(f"  {watch_share(node, given.steps) * 100:.3f} % of one core")
    with devices(given.devices) as nodes:
        print(f"{len(nodes)} devices:")
        commands = {
            "start": installed.NOTHING,
            "zramctl": ["zramctl", "--output-all"],
            "zram_stats": [*COMMAND, *nodes],
            "zram_stats --output-all": [*COMMAND, "--output-all", *nodes],
        }
        show(alternate(commands, max(given.rounds // 4, 5)), ["start", "zramctl"])
    return 0


if __name__ == "__main__":
    sys.exit(main())
