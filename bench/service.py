# SPDX-License-Identifier: MIT
"""How long `pyzram start` takes compared with the same steps by hand, and what a reload costs.

It needs root and zram, and uses only devices that it makes. Run it with the interpreter that has
pyzram installed: python bench/service.py [start] [reload] [--before ENVIRONMENT]

``--before`` names another environment, with another revision, whose start takes its turn too.
"""

from __future__ import annotations

import argparse
import mmap
import os
import random
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import NamedTuple

from installed import NOTHING, PYTHON, command

PYZRAM = command("pyzram")
PAIRS = 25
SIZE = "256M"
ALGORITHMS = "lzo-rle", "lz4"
RELOAD_BYTES = 1 << 30
MADV_PAGEOUT = 21
PAGE = os.sysconf("SC_PAGE_SIZE")

# What an administrator types, with the number that hot_add gave.
BY_HAND = f"""
set -e
number=$(cat /sys/class/zram-control/hot_add)
zramctl --algorithm {ALGORITHMS[1]} --size {SIZE} /dev/zram$number
mkswap --quiet --label zram$number /dev/zram$number
swapon --priority 1 /dev/zram$number
echo $number > "$1"
"""


class Cost(NamedTuple):
    """Seconds that passed, and seconds of processors, the programs that it ran included."""

    passed: float
    used: float


def timed(command: list[str], env: dict[str, str] | None = None) -> Cost:
    before = time.perf_counter()
    pid = os.posix_spawnp(command[0], command, env or os.environ)
    _, status, usage = os.wait4(pid, 0)
    passed = time.perf_counter() - before
    if status:
        raise SystemExit(f"{command[0]}: {os.waitstatus_to_exitcode(status)}")
    return Cost(passed, usage.ru_utime + usage.ru_stime)


# The same steps in a script that does nothing else, the best that Python can do. Only ctypes could
# call the kernel's swapon(), so util-linux's program does that.
BY_PYTHON = f"""
import os, sys
def spawn(*command):
    os.waitpid(os.posix_spawnp(command[0], command, os.environ), 0)
def write(name, value):
    with open(f"/sys/block/zram{{number}}/{{name}}", "w") as file:
        file.write(value)
number = int(open("/sys/class/zram-control/hot_add").read())
node = f"/dev/zram{{number}}"
write("comp_algorithm", "{ALGORITHMS[1]}")
write("disksize", "{SIZE}")
spawn("mkswap", "--quiet", "--label", f"zram{{number}}", node)
spawn("swapon", "--priority", "1", node)
open(sys.argv[1], "w").write(str(number))
"""


def bench_start(directory: Path, before: Path | None) -> None:
    conf, number = directory / "zram", directory / "number"
    conf.write_text(f"ZRAM_SIZE_0={SIZE}\nZRAM_ALGORITHM_0={ALGORITHMS[1]}\nZRAM_PRIORITY_0=1\n")
    env = {**os.environ, "PYZRAM_RUN": str(directory / "run")}
    programs = {"ours": PYZRAM}
    names = {"hand": "by hand (zramctl, mkswap, swapon)", "ours": "pyzram start"}
    if before is not None:
        programs["before"] = command("pyzram", before)
        names["before"] = "pyzram start before"
    names |= {"script": "the same steps by a bare script", "nothing": "the interpreter alone"}
    made_by = {
        "hand": ["sh", "-c", BY_HAND, "sh", str(number)],
        "script": [PYTHON, "-I", "-c", BY_PYTHON, str(number)],
    }
    times: dict[str, list[Cost]] = {name: [] for name in names}
    for turn in range(PAIRS):
        # What ran before leaves its code and files in the processor's caches: any may precede any.
        for name in random.Random(turn).sample([*names], len(names)):
            if name in programs:
                start = [*programs[name], "-c", str(conf), "start", "-q"]
                times[name].append(timed(start, env))
                subprocess.run([*PYZRAM, "-c", str(conf), "stop", "-q"], check=True, env=env)
            elif name == "nothing":
                times[name].append(timed(NOTHING))
            else:
                times[name].append(timed(made_by[name]))
                remove(number.read_text().strip())
    print(f"{'':<34} {'passed':>19} {'of processors':>22}")
    for name, what in names.items():
        print(f"{what:<34} {_columns(times[name], times['hand'])}")
    print("to the bare script:")
    for name in programs:
        print(f"{names[name]:<34} {_columns(times[name], times['script'])}")
    print(f"(medians of {PAIRS} rounds; other work on the machine lengthens what passed)")


def _columns(mine: list[Cost], base: list[Cost]) -> str:
    """Milliseconds, and how many times as much as the base took in the same round."""
    columns = []
    for field in Cost._fields:
        median = statistics.median(getattr(cost, field) for cost in mine)
        pairs = zip(mine, base, strict=True)
        ratio = statistics.median(getattr(a, field) / getattr(b, field) for a, b in pairs)
        columns.append(f"{median * 1e3:8.1f} ms {ratio:5.2f} x")
    return "    ".join(columns)


def remove(made: str) -> None:
    subprocess.run(["swapoff", f"/dev/zram{made}"], check=True)
    Path(f"/sys/block/zram{made}/reset").write_text("1")
    Path("/sys/class/zram-control/hot_remove").write_text(made)


def fill(memory: mmap.mmap) -> None:
    """Pages that compress to about half and are all different."""
    source = random.Random(1).randbytes(PAGE // 2)
    for start in range(0, len(memory), PAGE):
        memory[start : start + 8] = start.to_bytes(8, "little")
        memory[start + 8 : start + 8 + len(source)] = (
            source[start // PAGE % 512 :] + source[: start // PAGE % 512]
        )


def swap_total() -> tuple[int, int]:
    """Free swap and the number of swap areas."""
    free = areas = 0
    for line in Path("/proc/swaps").read_text().splitlines()[1:]:
        words = line.split()
        free += (int(words[2]) - int(words[3])) * 1024
        areas += 1
    return free, areas


class Watch(threading.Thread):
    """The lowest free swap seen, every few milliseconds."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.lowest, self.areas = swap_total()
        self.done = False

    def run(self) -> None:
        while not self.done:
            free, areas = swap_total()
            self.lowest, self.areas = min(self.lowest, free), min(self.areas, areas)
            time.sleep(0.002)


# A process that touches its pages all the time, and reports how many were right.
TOUCHER = """
import mmap, os, sys
size, page = int(sys.argv[1]), os.sysconf("SC_PAGE_SIZE")
memory = mmap.mmap(-1, size)
for start in range(0, size, page):
    memory[start : start + 8] = start.to_bytes(8, "little")
memory.madvise(21)
print("ready", flush=True)
os.set_blocking(0, False)
rounds = 0
while True:
    try:
        if sys.stdin.buffer.raw.read(1):
            break
    except BlockingIOError:
        pass
    for start in range(0, size, page * 64):
        assert memory[start : start + 8] == start.to_bytes(8, "little")
    rounds += 1
print("touched", rounds, flush=True)
"""


def bench_reload(directory: Path) -> None:
    conf = directory / "zram"
    env = {**os.environ, "PYZRAM_RUN": str(directory / "run")}
    text = "ZRAM_SIZE_0=1536M\nZRAM_PRIORITY_0=32000\nZRAM_ALGORITHM_0={}\n"
    conf.write_text(text.format(ALGORITHMS[0]))
    subprocess.run([*PYZRAM, "-c", str(conf), "start", "-q"], check=True, env=env)
    try:
        memory = mmap.mmap(-1, RELOAD_BYTES)
        fill(memory)
        memory.madvise(MADV_PAGEOUT)
        size = str(64 << 20)
        toucher = subprocess.Popen(
            [sys.executable, "-c", TOUCHER, size], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert toucher.stdin
        assert toucher.stdout
        toucher.stdout.readline()
        free, _ = swap_total()
        rows = [line.split() for line in Path("/proc/swaps").read_text().splitlines()[1:]]
        used = max(int(words[3]) for words in rows if words[4] == "32000") << 10
        conf.write_text(text.format(ALGORITHMS[1]))
        watch = Watch()
        watch.start()
        seconds = timed([*PYZRAM, "-c", str(conf), "reload", "-q"], env).passed
        watch.done = True
        watch.join()
        toucher.stdin.write(b"x")
        toucher.stdin.flush()
        told = toucher.stdout.readline().decode().strip()
        status = toucher.wait()
        wrong = sum(
            memory[start : start + 8] != start.to_bytes(8, "little")
            for start in range(0, RELOAD_BYTES, PAGE)
        )
        print(f"swapped out before the reload      {used >> 20:8} MiB")
        print(f"reload {ALGORITHMS[0]} to {ALGORITHMS[1]:<20} {seconds:8.2f} s")
        print(f"free swap before, lowest seen      {free >> 20:8} MiB {watch.lowest >> 20:8} MiB")
        print(f"fewest swap areas seen             {watch.areas:8}    (never none)")
        print(f"the process that touched its pages: exit status {status}, {told} rounds")
        print(f"pages that were lost               {wrong:8}")
    finally:
        subprocess.run([*PYZRAM, "-c", str(conf), "stop", "-q"], check=True, env=env)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", nargs="*", metavar="start | reload")
    parser.add_argument("--before", type=Path, metavar="ENVIRONMENT")
    given = parser.parse_args()
    wanted = given.what or ["start", "reload"]
    # In memory, like /run: on a disk each atomic rename may have to wait.
    with tempfile.TemporaryDirectory(dir="/dev/shm") as directory:
        if "start" in wanted:
            bench_start(Path(directory), given.before)
        if "reload" in wanted:
            bench_reload(Path(directory))


if __name__ == "__main__":
    main()
