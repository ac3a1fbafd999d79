# SPDX-License-Identifier: MIT
"""Estimate real programs, page them out for real, and write the results as a table.

It needs root, a zram driver and a memory cgroup. Programs that are not installed are fetched with
apt-get and only unpacked. Run it with ``make live``; names of programs choose some of them, and
``--huge`` makes the kernel give huge pages to all programs meanwhile.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

TREE = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(TREE / "tests")]

from kernel.conftest import OwnDevice, add_device, drop_device  # noqa: E402
from kernel.memory_cgroup import WHY_NOT, MemoryCgroup  # noqa: E402
from live.kitchen import Kitchen  # noqa: E402
from live.programs import PACKAGES, PROGRAMS, SESSIONS  # noqa: E402

CACHE = TREE / ".cache" / "live"
HUGE = Path("/sys/kernel/mm/transparent_hugepage/enabled")
ALGORITHM = "lz4"
PAGE = os.sysconf("SC_PAGE_SIZE")
COLUMNS = (
    "program",
    "processes",
    "pages estimated",
    "paged out",
    "off",
    "compr_data_size, all read",
    "in zram",
    "off",
    "sampled, 95 % bounds",
    "holds",
    "mem_used_total, bounds",
    "in zram",
    "growth",
    "killed",
    "sampled in",
    "all read in",
    "right afterwards",
)
# A page is not wide enough for all columns, so the second table begins with the program again.
FIRST = 8


class Truth(NamedTuple):
    """What a device got, in bytes except for pages."""

    pages: int
    compr: int
    used: int
    same: int


class Did(NamedTuple):
    """How long looking at a program took, and what it did to the program."""

    processes: int
    growth: int
    killed: int
    sampled_s: float
    full_s: float
    works: bool


def fetch() -> None:
    """Unpack what is not installed; nothing of it is ever installed or started by the system."""
    archives = CACHE / "archives"
    (archives / "partial").mkdir(parents=True, exist_ok=True)
    for package, program in PACKAGES.items():
        there = Path(program).exists() if "/" in program else shutil.which(program)
        mark = CACHE / f"{package}.unpacked"
        if there or mark.exists():
            continue
        command = ["apt-get", "-qq", "-y", "--no-install-recommends", "--download-only"]
        options = [f"-oDir::Cache::archives={archives}", "-oDPkg::Lock::Timeout=300"]
        done = subprocess.run(
            [*command, *options, "install", package], check=False, capture_output=True, text=True
        )
        if done.returncode:
            print(f"{package}: cannot be had: {done.stderr.strip()[-200:]}", file=sys.stderr)
            continue
        for archive in archives.glob("*.deb"):
            subprocess.run(["dpkg", "-x", archive, CACHE / "root"], check=True)
            archive.unlink()
        mark.touch()


def estimate(cgroup: MemoryCgroup, *options: str) -> tuple[dict, float]:
    """What the installed command prints, and how many seconds it took."""
    program = [sys.executable, "-Im", "pyzram.cli.pyzram", "estimate", "--json", "--no-timing"]
    name = "/" + str(cgroup.path.relative_to(cgroup.home))
    start = time.monotonic()
    done = subprocess.run(
        [*program, "-a", ALGORITHM, "--cgroup", name, *options],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return json.loads(done.stdout), time.monotonic() - start


def page_out(cgroup: MemoryCgroup, device: OwnDevice) -> Truth:
    """Swap all of it to a fresh device, look, and bring it back."""

    def zeros() -> int:
        words = Path("/proc/vmstat").read_text().split()
        return int(words[words.index("swpout_zero") + 1]) if "swpout_zero" in words else 0

    device.write("comp_algorithm", ALGORITHM)
    device.write("disksize", "2G")
    subprocess.run(["mkswap", device.node], check=True, capture_output=True)
    before, zeros_before = list(map(int, device.read("mm_stat").split())), zeros()
    subprocess.run(["swapon", "-p", "32000", device.node], check=True)
    try:
        cgroup.empty()
        after, zeros_after = list(map(int, device.read("mm_stat").split())), zeros()
    finally:
        subprocess.run(["swapoff", device.node], check=True)
    orig, compr, used = (after[i] - before[i] for i in range(3))
    kept = zeros_after - zeros_before
    return Truth(orig // PAGE + kept, compr, used, after[5] - before[5] + kept)


def off(said: float, real: float) -> float:
    """The relative error of a figure."""
    return said / real - 1 if real else float(said > 0)


def signal_all(pids: list[int], number: int) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def measure(name: str) -> tuple[str, ...]:
    """One line of the table."""
    folder = Path(tempfile.mkdtemp(prefix="pyzram-live-", dir="/var/tmp"))
    folder.chmod(0o777)
    cgroup = MemoryCgroup(f"live-{name.split()[0].strip(',').lower()}")
    device = None
    try:
        right = PROGRAMS[name](Kitchen(CACHE, folder, cgroup))
        pids = cgroup.pids()
        signal_all(pids, signal.SIGSTOP)
        time.sleep(0.5)
        before = cgroup.usage
        huge = sum(map(huge_kilobytes, pids))
        sampled, sampled_s = estimate(cgroup, "--seed", "1")
        full, full_s = estimate(cgroup, "--full")
        growth = cgroup.usage - before
        device = add_device()
        real = page_out(cgroup, device)
        if huge:
            # Zeros in a huge page reach the device where it goes out whole; taken apart, they go
            # nowhere (6.12).
            real = real._replace(pages=real.pages - real.same)
            full["pages"] -= full["algorithms"][ALGORITHM]["same_pages"]
        killed = cgroup.killed()
        said = {key: full[key] for key in ("swapped", "lost", "left_out", "zero_pages")}
        print(f"{name}: {huge} KiB in huge pages, exact {full['exact']}, {said}", file=sys.stderr)
        lives = cgroup.pids() == pids
        signal_all(pids, signal.SIGCONT)
        works = lives and right()
    finally:
        for session in SESSIONS:
            session.kill()
            session.wait()
        SESSIONS.clear()
        cgroup.end()
        if device:
            drop_device(device)
        shutil.rmtree(folder, ignore_errors=True)
    did = Did(len(pids), growth, killed, sampled_s, full_s, works)
    return line(name, sampled, full, real, did)


def huge_kilobytes(pid: int) -> int:
    """Memory of a process that is mapped as whole huge pages; a fork's counts for each."""
    words = Path(f"/proc/{pid}/smaps_rollup").read_text().split()
    return int(words[words.index("AnonHugePages:") + 1])


@contextlib.contextmanager
def huge_pages(wanted: bool) -> Iterator[None]:
    """Give huge pages to all programs, or leave it as it is."""
    if not wanted:
        yield
        return
    before = HUGE.read_text().partition("[")[2].partition("]")[0]
    HUGE.write_text("always")
    # An allocator that grows by little gets none.
    os.environ.update(GLIBC_TUNABLES="glibc.malloc.hugetlb=1", PYTHONMALLOC="malloc")
    try:
        yield
    finally:
        HUGE.write_text(before)


def line(name: str, sampled: dict, full: dict, real: Truth, did: Did) -> tuple[str, ...]:
    """A program's line of the table, from what the command said and what then happened."""
    one, all_read = sampled["algorithms"][ALGORITHM], full["algorithms"][ALGORITHM]
    low, high = (
        (one[f"compression_ratio_{end}"] or 0) * one["orig_data_size"] / (1 << 20)
        for end in ("low", "high")
    )
    mib = 1 << 20
    near = abs(off(all_read["compr_data_size"], real.compr)) <= 0.005
    holds = (
        near
        if sampled["sampled"] == sampled["pages"]
        else low - 0.005 <= real.compr / mib <= high + 0.005
    )
    return (
        name,
        str(did.processes),
        str(full["pages"]),
        str(real.pages),
        f"{off(full['pages'], real.pages):+.3%}",
        f"{all_read['compr_data_size']}",
        f"{real.compr}",
        f"{off(all_read['compr_data_size'], real.compr):+.3%}",
        f"{low:.2f} - {high:.2f} MiB",
        "yes" if holds else "NO",
        " - ".join(f"{(one['mem_used_total_' + end] or 0) / mib:.2f}" for end in ("low", "high"))
        + " MiB",
        f"{real.used / mib:.2f} MiB",
        f"{did.growth / mib:+.2f} MiB",
        str(did.killed),
        f"{did.sampled_s:.1f} s",
        f"{did.full_s:.1f} s",
        "yes" if did.works else "NO",
    )


def table(rows: list[tuple[str, ...]]) -> str:
    """As Markdown: how much there is, and below that what a sample said and what looking did."""
    lines = [COLUMNS, tuple("---" for _ in COLUMNS), *rows]
    tables = [line[:FIRST] for line in lines], [(line[0], *line[FIRST:]) for line in lines]
    return "\n".join("".join(f"| {' | '.join(line)} |\n" for line in part) for part in tables)


def main(words: list[str]) -> int:
    if os.geteuid() or WHY_NOT or not Path("/sys/class/zram-control").is_dir():
        print(f"live: needs root, a zram driver and a memory cgroup {WHY_NOT}", file=sys.stderr)
        return 1
    huge = "--huge" in words
    words = [word for word in words if word != "--huge"]
    target = Path(words.pop(0)) if words and words[0].endswith(".md") else None
    fetch()
    rows, failed = [], False
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    with huge_pages(huge):
        for name in [n for n in PROGRAMS if not words or n in words]:
            try:
                rows.append(measure(name))
                print(" | ".join(rows[-1]), flush=True)
            except (OSError, AssertionError, ValueError, subprocess.SubprocessError) as err:
                failed = failed or not isinstance(err, FileNotFoundError)
                print(f"{name}: not measured: {type(err).__name__}: {err}", flush=True)
    if target:
        text = target.read_text()
        head, _, rest = text.partition("<!-- table -->\n")
        _, _, tail = rest.partition("<!-- end -->")
        release = f"Linux {os.uname().release.partition('-')[0]}, {time.strftime('%Y-%m-%d')}:\n\n"
        target.write_text(f"{head}<!-- table -->\n{release}{table(rows)}<!-- end -->{tail}")
    return int(failed or any("NO" in row for row in rows))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
