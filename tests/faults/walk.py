# SPDX-License-Identifier: MIT
"""One fault at every system call of a command: strace walks through them, one run per point.

After each point the status must be true, each message must be one line and no traceback, somebody
else's device must be unchanged, the next command must repair everything, and nothing may be left.
The walk takes every point of the command itself, and every Nth (``--loading N``) of the calls with
which Python loads its modules. ``--every N --offset K`` takes a part, ``--fault`` some of the
faults. It prints the counts; a fault that the command did not meet, because it made fewer such
calls than before, counts as not met.
"""

from __future__ import annotations

import argparse
import collections
import os
import signal
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(Path(__file__).parent)]

from beds import BEDS, Bed, Done, why_not  # noqa: E402

import pyzram  # noqa: E402

# fmt: off
CALLS = (
    "openat", "openat2", "read", "pread64", "preadv", "write", "pwrite64", "ioctl", "flock",
    "rename", "renameat2", "unlink", "unlinkat", "mkdir", "mkdirat", "chmod", "fchmod", "chown",
    "fchown", "fchownat", "swapon", "swapoff", "mount", "umount2", "newfstatat", "fstat", "statx",
    "readlink", "readlinkat", "getdents64", "lseek", "memfd_create", "vfork", "clone3", "waitid",
    "wait4", "fstatfs", "statfs", "mmap", "dup2", "access", "faccessat2", "clock_nanosleep",
    "select", "pselect6", "poll", "pipe2", "fcntl", "fsync", "fdatasync", "process_vm_readv",
    "pidfd_open",
)
# fmt: on
ERRORS = ("EIO", "ENOMEM", "ENOSPC", "EINTR")
SIGNALS = ("SIGTERM", "SIGKILL")
SHARED = os.environ.get("PYZRAM_SHARED_MACHINE") == "1"
MISSED_MOST = 0.1
"""A share: how often a call is made may depend on the moment."""
# A fault of memory in mmap is the interpreter's own.
NOT_FOR = {"mmap": ERRORS}
# What Python says when the fault hits the loading of one of its modules.
INTERPRETER = ("ImportError", "ModuleNotFoundError")
# Calls by which Python and the linker find and load modules name these.
LOADS = (sys.prefix, sys.base_prefix, ".so", ".pyc", "/etc/ld.so", "/usr/lib/python")


class Point(NamedTuple):
    """Where a fault is injected, and which."""

    command: str
    call: str
    nth: int
    fault: str


def points(bed: Bed) -> tuple[list[Point], list[Point]]:
    """All points of a command in the order of calls: its own, and those that load modules."""
    trace = bed.directory / "trace"
    for _ in range(2):  # the first time, Python may compile its modules
        bed.prepare()
        bed.strace("-y", "-o", str(trace), "-e", f"trace={','.join(f'?{c}' for c in CALLS)}")
        for text in bed.heal():
            raise SystemExit(f"{bed.command}: without any fault: {text}")
    lines = trace.read_text(errors="replace").split("\n")
    main = lines[0].split()[0]
    counts: collections.Counter[str] = collections.Counter()
    own: list[Point] = []
    loading: list[Point] = []
    begun = False
    for line in lines:
        pid, _, rest = line.partition(" ")
        call = rest.strip().partition("(")[0]
        if pid != main or call not in CALLS:
            continue
        counts[call] += 1
        begun = begun or bed.begins in rest
        if begun:
            kind = loading if any(text in rest for text in LOADS) else own
            kind += [
                Point(bed.command, call, counts[call], fault)
                for fault in (*ERRORS, *SIGNALS)
                if fault not in NOT_FOR.get(call, ())
            ]
    return own, loading


def check(bed: Bed, point: Point) -> tuple[list[str], bool]:
    """Do one point; return what is wrong, and whether the command met the fault at all."""
    before = pyzram.Sysfs().numbers()
    bed.prepare()
    trace = bed.directory / "trace"
    kind, mark = "error", "(INJECTED)"
    fast = ["--seccomp-bpf"]
    if point.fault in SIGNALS:
        # With --seccomp-bpf, strace (6.1) sends no signal at all.
        kind, fast = "signal", []
        mark = "+++ killed by SIGKILL" if point.fault == "SIGKILL" else f"--- {point.fault} "
    done = bed.strace(
        *(*fast, "-o", str(trace), "-e", f"trace={point.call}"),
        *("-e", f"inject={point.call}:{kind}={point.fault}:when={point.nth}"),
    )
    met = mark in trace.read_text(errors="replace")
    wrong = [] if loading_failed(done) else list(bed.judge(point.fault, point.call, done))
    if not loading_failed(done) and any(
        text in done.stderr for text in ("Traceback", "Exception ignored")
    ):
        wrong.append(f"a traceback: {done.stderr.strip()[-600:]}")
    wrong += bed.heal()
    if bed.bystander.look() != bed.bystander.before:
        wrong.append("somebody else's device is not as it was")
    # What was recorded is looked at by the bed; a device of which nobody knows is found only here.
    if not SHARED and (more := set(pyzram.Sysfs().numbers()) - set(before)):
        wrong.append(f"devices left: {sorted(more)}")
    return wrong, met


def loading_failed(done: Done) -> bool:
    """Whether a module of Python itself could not be loaded."""
    return done.stderr.rstrip().split("\n")[-1].startswith(INTERPRETER)


def walk(bed: Bed, options: argparse.Namespace) -> int:
    """Walk through one command, print the counts, and return how many points failed."""
    own, loading = points(bed)
    taken = own + loading[:: options.loading]
    taken = [point for point in taken if point.fault in options.fault]
    taken = taken[options.offset :: options.every]
    failed = missed = 0
    for point in taken:
        wrong, met = check(bed, point)
        missed += not met
        for text in wrong:
            print(f"{point}: {text}", flush=True)
        failed += bool(wrong)
    ways = len({(point.call, point.fault) for point in taken})
    print(
        f"{bed.command}: {len(taken)} points (of {len(own)} of its own and {len(loading)} that "
        f"load modules), {ways} ways, {missed} not met, {failed} failures",
        flush=True,
    )
    if missed > MISSED_MOST * len(taken) + 1:
        print(f"{bed.command}: too many faults were not met: nothing was tried there", flush=True)
        failed += 1
    return failed


def main() -> int:
    """Walk; the status is 1 if anything was wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("commands", nargs="*", default=list(BEDS))
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--offset", type=int, default=0)
    parser.add_argument("--loading", type=int, default=20)
    parser.add_argument("--fault", nargs="+", default=(*ERRORS, *SIGNALS))
    options = parser.parse_args()
    # An interrupted walk leaves no device behind either.
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    failures = 0
    for command in options.commands:
        if why := why_not(command):
            print(f"{command}: skipped: {why}", flush=True)
            continue
        with tempfile.TemporaryDirectory(prefix="pyzram-faults") as directory:
            os.chmod(directory, 0o755)
            bed = BEDS[command](Path(directory), command)
            try:
                failures += walk(bed, options)
            finally:
                bed.close()
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
