# SPDX-License-Identifier: MIT
"""Others' files in memory stay in swap, whoever looks: mincore(2) tells the truth only to some."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from kernel.conftest import OwnDevice
from kernel.memory_cgroup import WHY_NOT
from kernel.pages.programs import group

from pyzram.pages.shared_memory.closed import CLOSED_BY

pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT)]

PAGES = 4096
# The kernel charges 64 pages at once on each processor; and 15 were once missing at the first look,
# after the writer had been moved between processors.
SLACK_PAGES = PAGES // 8
SLACK = SLACK_PAGES * os.sysconf("SC_PAGE_SIZE")
NAME = f"/dev/shm/pyzram-test-theirs-{os.getpid()}"
# World-readable, mapped by nobody.
FILE = """
import stat
path = "/dev/shm/pyzram-test-theirs-%d" % os.getppid()
fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL)
os.fchmod(fd, MODE)
for i in range(4096):
    os.pwrite(fd, text(i, 1), i * PAGE)
def right():
    return all(os.pread(fd, PAGE, i * PAGE) == text(i, 1) for i in range(4096))
ready()
"""
# Import everything before the privilege to read it is gone.
NOBODY = """
import json, os, sys, threading, zlib
from pyzram.pages.estimate.estimator import estimate_pages
from pyzram.pages.source.process_sources import open_system
os.setgroups([]); os.setgid(65534); os.setuid(65534)
with open_system() as source:
    found = estimate_pages(source, ["lz4"], full=True, timing=False)
    print(json.dumps(found.as_dict()))
"""


def swapped_in() -> int:
    words = Path("/proc/vmstat").read_text().split()
    return int(words[words.index("pswpin") + 1])


@pytest.fixture
def in_use(zram_device: OwnDevice) -> Iterator[None]:
    """Our own device, which takes everything; whatever happens, the file is removed in the end."""
    zram_device.write("disksize", "256M")
    subprocess.run(["mkswap", zram_device.node], check=True, capture_output=True)
    subprocess.run(["swapon", "-p", "32000", zram_device.node], check=True)
    yield
    subprocess.run(["swapoff", zram_device.node], check=True)
    Path(NAME).unlink(missing_ok=True)


def looked_at() -> dict[str, object]:
    done = subprocess.run(
        [sys.executable, "-I", "-c", NOBODY], check=True, capture_output=True, text=True
    )
    return json.loads(done.stdout)


def theirs(said: dict[str, object]) -> int:
    return sum(part["pages"] for part in said["parts"] if part["owner"]["name"] == NAME)


def test_what_nobody_may_know_of_stays_in_swap_and_is_reported(in_use: None) -> None:
    with group("MODE = 0o644" + FILE, "theirs") as cgroup:
        assert cgroup.usage > PAGES * os.sysconf("SC_PAGE_SIZE")
        cgroup.empty()
        usage, came = cgroup.usage, swapped_in()
        # What comes back now would have somebody killed.
        cgroup.limit(usage + 4 * SLACK)
        said = looked_at()
        grown, came = cgroup.usage - usage, swapped_in() - came
        assert cgroup.killed() == 0
        cgroup.limit(1 << 30)  # when it ends, it looks at all of it
    assert grown < SLACK
    assert came < SLACK_PAGES
    assert theirs(said) == 0
    assert said["skipped"][CLOSED_BY[errno.ENODATA]] >= 1
    assert said["exact"] is False


def test_where_it_may_write_it_is_told_and_believes_it(in_use: None) -> None:
    with group("MODE = 0o666" + FILE, "theirs") as cgroup:
        assert PAGES - SLACK_PAGES < theirs(looked_at()) <= PAGES
        cgroup.empty()
        usage = cgroup.usage
        said = looked_at()
        assert cgroup.usage - usage < SLACK
        assert theirs(said) < SLACK_PAGES
        assert said["swapped"] >= PAGES - SLACK_PAGES
