# SPDX-License-Identifier: MIT
"""Who knows best what is cold? Referenced bits, generations (MGLRU) and DAMON, beside the truth.

    python page_ages_trial.py

It runs as root in a guest, because it changes what the whole kernel does. A program has three
mappings: it touches one all the time, one never, and of the third every other stretch. What it
touches does not compress, and the rest does. After a minute each method is asked how much is cold;
for those that name addresses, also how much of that is true, and what a sample of it compresses to.
The last line is JSON.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pyzram.pages.estimate.estimator import estimate_pages
from pyzram.pages.source.cold import Watch

MIB = 1 << 20
SECONDS = 60.0
DAMON = Path("/sys/kernel/mm/damon/admin/kdamonds")
GENERATIONS = Path("/sys/kernel/debug/lru_gen")
CGROUPS = Path("/tmp/pyzram-cgroup2")
PROGRAM = """
import ctypes, mmap, os, sys, time
page, mib = mmap.PAGESIZE, 1 << 20
def area(size, rights):
    return mmap.mmap(-1, size << 20, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, prot=rights)
hot, cold, mixed = area(16, 3), area(48, 7), area(64, 3)
stretch = int(sys.argv[1])
noise = os.urandom(mib)
calm = (b"calm" * 64 + os.urandom(256)) * (mib // 512)
hot[:] = noise * 16
cold[:] = calm * 48
for at in range(0, len(mixed), stretch):
    source = calm if at // stretch % 2 else noise
    mixed[at : at + stretch] = (source * (stretch // mib + 1))[:stretch]
start = lambda a: ctypes.addressof(ctypes.c_char.from_buffer(a))
print(*(x for a in (hot, cold, mixed) for x in (start(a), start(a) + len(a))), flush=True)
while True:
    hot[::page]
    for at in range(0, len(mixed), 2 * stretch):
        mixed[at : at + stretch : page]
    time.sleep(0.02)
"""


@contextmanager
def program(stretch: int) -> Iterator[tuple[int, list[tuple[int, int]]]]:
    """The program, and the addresses of its cold memory."""
    words = [sys.executable, "-Ic", PROGRAM, str(stretch)]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        _, _, low, high, start, end = map(int, process.stdout.readline().split())
        truth = [(low, high)]
        truth += [(at, at + stretch) for at in range(start + stretch, end, 2 * stretch)]
        time.sleep(1)
        yield process.pid, truth
    finally:
        process.kill()
        process.communicate()


def overlap(found: list[tuple[int, int]], truth: list[tuple[int, int]]) -> int:
    """Bytes that are in both."""
    return sum(max(0, min(b, d) - max(a, c)) for a, b in found for c, d in truth)


def seconds_of(name: str) -> float:
    """Processor seconds of kernel threads of that name, and of this process."""
    ticks = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            head, _, tail = stat.read_text().rpartition(") ")
            if head.partition("(")[2].startswith(name):
                ticks += sum(map(int, tail.split()[11:13]))
    own = os.times()
    return ticks / os.sysconf("SC_CLK_TCK") + own.user + own.system


def ratio_of(pid: int, ranges: list[tuple[int, int]]) -> float:
    """What the pages at these addresses compress to."""
    from pyzram.pages.codec.codec import analyse

    content = bytearray()
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for start, end in ranges:
            for at in range(start, end, 16 * 4096):
                content += os.pread(memory.fileno(), 4096, at)
    return analyse(content, "lz4")["lz4"].compression_ratio or 0.0


def by_bits(pid: int, truth: list[tuple[int, int]]) -> dict[str, float]:
    """``clear_refs`` and ``smaps``, as ``pyzram estimate --idle`` does it."""
    before = seconds_of("kdamond")
    with Watch({pid: None}) as watch:
        time.sleep(SECONDS)
        watch.look()
        (age,) = watch.ages()
        took = seconds_of("kdamond") - before
        with age.source as source:
            found = estimate_pages(source, ["lz4"], full=True, timing=False)
            return {
                "cold": age.cold_bytes / MIB,
                "ratio": found.algorithms["lz4"].figures.compression_ratio or 0.0,
                "seconds": took,
            }


def generations(path: str) -> tuple[str, dict[int, tuple[int, int]]]:
    """Number of the memory cgroup, and by generation its age in ms and its anonymous pages."""
    number, found = "", {}
    for line in GENERATIONS.read_text().split("\n"):
        words = line.split()
        if words[:1] == ["memcg"]:
            here = len(words) > 2 and words[2] == path
            number = words[1] if here else number
        elif here and len(words) == 4 and words[0].isdigit():
            found[int(words[0])] = int(words[1]), int(words[2])
    return number, found


def by_generations(pid: int, truth: list[tuple[int, int]]) -> dict[str, float]:
    """The generations of a memory cgroup, aged twice through debugfs."""
    if not GENERATIONS.exists():
        subprocess.run(["mount", "-t", "debugfs", "none", "/sys/kernel/debug"], check=False)
    if not GENERATIONS.exists():
        raise OSError("no lru_gen in debugfs")
    Path("/sys/kernel/mm/lru_gen/enabled").write_text("7")
    CGROUPS.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "cgroup2", "none", CGROUPS], check=False)
    (CGROUPS / "cgroup.subtree_control").write_text("+memory")
    group = CGROUPS / "trial"
    group.mkdir(exist_ok=True)
    # Pages belong to the group of their process at the time, so another program is started in it.
    (group / "cgroup.procs").write_text(str(os.getpid()))
    with program(STRETCH) as (_pid, _):
        (CGROUPS / "cgroup.procs").write_text(str(os.getpid()))
        number, first = generations("/trial")
        GENERATIONS.write_text(f"+ {number} 0 {max(first)} 1 1")
        born = max(generations("/trial")[1])
        time.sleep(SECONDS)
        GENERATIONS.write_text(f"+ {number} 0 {born} 1 1")
        _, last = generations("/trial")
    print("generations:", first, last)
    cold = sum(pages for generation, (_, pages) in last.items() if generation < born)
    return {"cold": cold * os.sysconf("SC_PAGE_SIZE") / MIB}


def by_damon(pid: int, truth: list[tuple[int, int]]) -> dict[str, float]:
    """DAMON on the addresses of the process: regions that were not accessed."""
    if not DAMON.exists():
        raise OSError("no DAMON in sysfs")
    (DAMON / "nr_kdamonds").write_text("1")
    (DAMON / "0/contexts/nr_contexts").write_text("1")
    context = DAMON / "0/contexts/0"
    (context / "operations").write_text("vaddr")
    (context / "targets/nr_targets").write_text("1")
    (context / "targets/0/pid_target").write_text(str(pid))
    (context / "schemes/nr_schemes").write_text("1")
    scheme = context / "schemes/0"
    (scheme / "action").write_text("stat")
    pattern = scheme / "access_pattern"
    for name, value in (("sz", 1 << 60), ("nr_accesses", 0), ("age", 1 << 30)):
        (pattern / name / "min").write_text("0")
        (pattern / name / "max").write_text(str(value))
    # Ages count in aggregation intervals, 100 ms by default.
    (pattern / "age/min").write_text("20")
    before = seconds_of("kdamond")
    (DAMON / "0/state").write_text("on")
    try:
        time.sleep(SECONDS)
        (DAMON / "0/state").write_text("update_schemes_tried_regions")
        regions = []
        for region in (scheme / "tried_regions").glob("[0-9]*"):
            regions.append(tuple(int((region / name).read_text()) for name in ("start", "end")))
        took = seconds_of("kdamond") - before  # before its thread is gone
    finally:
        (DAMON / "0/state").write_text("off")
    # Of regions across holes and mappings, only existing memory counts.
    resident = []
    for line in Path(f"/proc/{pid}/maps").read_text().split("\n"):
        words = line.split()
        if len(words) == 5 and words[1].endswith("p"):
            resident.append(tuple(int(word, 16) for word in words[0].split("-")))
    cold = [
        (max(a, c), min(b, d)) for a, b in regions for c, d in resident if min(b, d) > max(a, c)
    ]
    return {
        "cold": sum(end - start for start, end in cold) / MIB,
        "true": overlap(cold, truth) / MIB,
        "ratio": ratio_of(pid, cold),
        "regions": len(regions),
        "seconds": took,
    }


METHODS: dict[str, Callable[[int, list[tuple[int, int]]], dict[str, float]]] = {
    "clear_refs": by_bits,
    "lru_gen": by_generations,
    "damon": by_damon,
}


def main() -> None:
    if not os.environ.get("PYZRAM_IN_GUEST"):
        sys.exit("it changes what the whole kernel does: in a guest only")
    rows: dict[str, dict[str, dict[str, float] | str]] = {}
    global STRETCH  # what the generations' own program is to do
    for stretch in (2 * MIB, 64 << 10):
        STRETCH = stretch
        rows[f"{stretch >> 10} KiB"] = found = {}
        for name, method in METHODS.items():
            with program(stretch) as (pid, truth):
                before = seconds_of("kdamond")
                try:
                    row = method(pid, truth)
                    row.setdefault("seconds", seconds_of("kdamond") - before)
                    found[name] = {key: round(value, 3) for key, value in row.items()}
                except OSError as err:
                    found[name] = str(err)
                if name == "clear_refs":
                    size = sum(end - start for start, end in truth) / MIB
                    found["truth"] = {"cold": size, "ratio": round(ratio_of(pid, truth), 3)}
        print(stretch, found, flush=True)
    print(f"measured ages {json.dumps(rows)}")


if __name__ == "__main__":
    main()
