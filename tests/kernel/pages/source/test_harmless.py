# SPDX-License-Identifier: MIT
"""Looking changes nothing: memory that is shared, merged, given up or absent stays so."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from kernel.memory_cgroup import WHY_NOT, MemoryCgroup
from kernel.pages.merging import merged
from kernel.pages.programs import FORKS, GIVEN_UP, HOLES, MERGED, group

from pyzram.cli.estimate.command import main

# Slow: an emulated guest takes minutes for each.
pytestmark = [pytest.mark.slow, pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT)]

PAGE = os.sysconf("SC_PAGE_SIZE")
MIB = 1 << 20
SLACK = MIB // 2  # the kernel charges in batches


def look(cgroup: MemoryCgroup, *options: str) -> None:
    pids = map(str, cgroup.pids())
    assert main(["-a", "lz4", "--no-timing", *options, "--pid", *pids]) == 0


@pytest.mark.parametrize("options", [[], ["--full"]])
def test_pages_shared_by_fork_stay_shared(options: list[str]) -> None:
    with group(FORKS, "forks", 6) as cgroup:
        before = cgroup.usage
        assert before > 32 * MIB
        look(cgroup, *options)
        assert cgroup.usage - before < SLACK


def test_nobody_is_killed_where_memory_is_short() -> None:
    with group(FORKS, "tight", 6) as cgroup:
        alive = cgroup.pids()
        cgroup.limit(cgroup.usage + 2 * MIB)
        look(cgroup, "--full")
        assert cgroup.killed() == 0
        assert cgroup.pids() == alive
        assert len(alive) == 7
        cgroup.limit(1 << 30)  # when they end, they write to what they share


@pytest.mark.parametrize("options", [["--system"], ["--full", "--pid"]])
def test_looking_needs_little_memory(options: list[str]) -> None:
    with group(FORKS, "looked-at", 6) as cgroup:
        caller = MemoryCgroup("caller")
        try:
            caller.limit(24 * MIB)
            if "--pid" in options:
                options = [*options, *map(str, cgroup.pids())]
            done = subprocess.run(
                [sys.executable, "-Im", "pyzram", "estimate", "--json", "--no-timing", *options],
                check=True,
                stdout=subprocess.PIPE,
                preexec_fn=caller.enter,
            )
            assert json.loads(done.stdout)["pages"] > 8192
            assert caller.killed() == 0
        finally:
            caller.end()


def test_looking_needs_little_memory_for_many_files() -> None:
    folder = Path(f"/dev/shm/pyzram-test-many-{os.getpid()}")
    folder.mkdir()
    caller = MemoryCgroup("caller")
    try:
        for i in range(20_000):
            (folder / f"a file with number {i}").write_bytes(b"%8d" % i)
        caller.limit(24 * MIB)
        done = subprocess.run(
            [sys.executable, "-Im", "pyzram", "estimate", "--json", "--no-timing", "--system"],
            check=True,
            stdout=subprocess.PIPE,
            preexec_fn=caller.enter,
        )
        parts = json.loads(done.stdout)["parts"]
        assert [part["pages"] for part in parts if str(folder) in part["name"]] == [20_000]
        assert caller.killed() == 0
    finally:
        caller.end()
        shutil.rmtree(folder)


def test_merged_pages_stay_merged() -> None:
    with group(MERGED, "merged") as cgroup, merged(cgroup, 15 * MIB):
        before = cgroup.usage
        look(cgroup, "--full")
        look(cgroup)
        assert cgroup.usage - before < SLACK


def test_memory_given_up_is_freed_as_if_nobody_had_looked() -> None:
    with group(GIVEN_UP, "given-up") as cgroup:
        before = cgroup.usage
        look(cgroup, "--full")
        look(cgroup)
        assert cgroup.usage - before < SLACK
        cgroup.empty()
        assert before - cgroup.usage > 7 * MIB


def test_pages_that_are_not_there_are_not_made() -> None:
    with group(HOLES, "holes") as cgroup:
        before = cgroup.usage
        rss = [Path(f"/proc/{pid}/statm").read_text() for pid in cgroup.pids()]
        look(cgroup, "--full")
        assert cgroup.usage - before < SLACK
        assert rss == [Path(f"/proc/{pid}/statm").read_text() for pid in cgroup.pids()]
