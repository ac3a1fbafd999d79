# SPDX-License-Identifier: MIT
"""`pyzram estimate` and a look of `estimate --idle` at many small processes: time and memory.

    python bench/processes.py [--processes 1000] [--rounds 5]

It starts that many `sleep`s and inspects them. It prints processor time and peak memory of the
whole command, and the time of its parts in this process: inspecting all processes, the sample, and
for --idle clearing the referenced bits and one pass over all mappings. As this machine's yardstick,
it measures in turn with them how long the kernel takes to give smaps_rollup and smaps of these
processes to a program that does nothing with them.
"""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import subprocess
import sys
import time
from typing import TYPE_CHECKING

from pyzram.pages.estimate.estimator import estimate_pages
from pyzram.pages.source.cold import Watch
from pyzram.pages.source.process_sources import open_processes

if TYPE_CHECKING:
    from collections.abc import Callable

# The peak from wait4 is at least that of this program, which forks; so the child reports its own.
COMMAND = """
import re, sys
from pyzram.cli.pyzram import main
status = main(["estimate", *sys.argv[1:]])
print(re.search(r"VmHWM:\\s*(\\d+)", open("/proc/self/status").read())[1], file=sys.stderr)
sys.exit(status)
"""


def command(*options: str) -> tuple[float, float]:
    """Processor seconds and peak memory in MiB of one estimate."""
    with subprocess.Popen(
        [sys.executable, "-Ic", COMMAND, *options],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    ) as child:
        assert child.stderr
        peak = child.stderr.read().split()
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode:
        raise SystemExit(f"estimate failed: {child.returncode}")
    return usage.ru_utime + usage.ru_stime, int(peak[-1]) / 1024


def handed_over(pids: list[int], name: str) -> None:
    """Read a file of every process."""
    for pid in pids:
        with open(f"/proc/{pid}/{name}", "rb", buffering=0) as file:
            while file.read(1 << 16):
                pass


def seconds(what: Callable[[], object]) -> float:
    """Processor seconds of this process."""
    start = time.process_time()
    what()
    return time.process_time() - start


def look_and_sample(pids: list[int]) -> tuple[float, float]:
    """Both parts of an estimate."""
    start = time.process_time()
    with open_processes(pids) as source:
        looked = time.process_time() - start
        return looked, seconds(lambda: estimate_pages(source))


def passes(pids: list[int]) -> tuple[float, float]:
    """For --idle: clearing the bits, and one look."""
    start = time.process_time()
    with Watch(dict.fromkeys(pids)) as watch:
        cleared = time.process_time() - start
        return cleared, seconds(watch.look)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--processes", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the sleepers end too
    sleepers: list[subprocess.Popen[bytes]] = []
    rows: dict[str, list[float]] = {}
    peaks: list[float] = []
    try:
        for _ in range(options.processes):
            sleepers.append(subprocess.Popen(["sleep", "3600"]))
        pids = [sleeper.pid for sleeper in sleepers]
        words = ["--pid", *map(str, pids)]
        time.sleep(1)
        for _ in range(options.rounds):
            whole, peak = command(*words)
            peaks.append(peak)
            one, _ = command("-a", "lz4", "--no-timing", *words)
            looked, sampled = look_and_sample(pids)
            cleared, passed = passes(pids)
            rollups, smaps = (
                seconds(lambda name=name: handed_over(pids, name))
                for name in ("smaps_rollup", "smaps")
            )
            for name, value in (
                ("estimate, all algorithms, timed", whole),
                ("estimate -a lz4 --no-timing", one),
                ("  looking at all processes", looked),
                ("  the sample, all algorithms, timed", sampled),
                ("--idle: clearing the bits", cleared),
                ("--idle: a look", passed),
                ("the kernel hands over smaps_rollup", rollups),
                ("the kernel hands over smaps", smaps),
            ):
                rows.setdefault(name, []).append(value)
    finally:
        for sleeper in sleepers:
            sleeper.kill()
        for sleeper in sleepers:
            sleeper.wait()
    print(f"{len(sleepers)} sleeping processes; processor seconds, median of {options.rounds}:")
    for name, values in rows.items():
        print(f"{name:42} {statistics.median(values):6.2f} (best {min(values):.2f})")
    print(f"peak memory of the whole command: {max(peaks):.1f} MiB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
