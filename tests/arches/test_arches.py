# SPDX-License-Identifier: MIT
"""This tree built and tested on other processors: 32 bits, big endian, other alignment.

The short run (``make arches-short``) has the extensions without warnings, the kernel's vectors, the
codecs' round trips, the pool model and the parsers, on armhf and s390x. The full run has the unit
and native rings on all of ARCHES.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from arches.differences import EVERY, OF_ONE
from arches.parts import Counts, Part, parts, prepare
from arches.roots import ARCHES, cache, enter, make_root
from vm.archive import TREE

SHORT = Part(
    "short",
    (
        "tests/native/codec",
        "tests/native/pages/pool/test_zsmalloc.py",
        "tests/native/test_wide_numbers.py",
        "tests/unit/kernel/test_parse.py",
        "tests/unit/kernel/test_figures.py",
        "tests/unit/pages/pool/test_zsmalloc.py",
        # There, Python takes minutes to make pages of that size.
        *("-k", "not 65536"),
    ),
)
# With less of it passed, a part would have skipped what it was to prove.
AT_LEAST = 3 / 4


@pytest.fixture(scope="module")
def runs(request: pytest.FixtureRequest) -> Iterator[dict[str, Future[Counts]]]:
    """The counts of each test's part, by the test's name: one at a time on each processor."""
    chosen = [item for item in request.session.items if "runs" in getattr(item, "fixturenames", ())]
    folders = {}
    for item in chosen:
        arch, part = item.callspec.params["arch"], item.callspec.params.get("part", SHORT)
        folders[item.name] = (arch, f"{arch.name}-short" if part is SHORT else arch.name, part)
    for _, folder, part in folders.values():
        if part is SHORT:  # it takes minutes, so that nobody has to wonder when it last ran
            shutil.rmtree(cache() / "results" / folder, ignore_errors=True)
    builders, runners = ThreadPoolExecutor(1), ThreadPoolExecutor(os.cpu_count())
    places = {
        folder: builders.submit(prepare, arch, folder)
        for folder, arch in {folder: arch for arch, folder, _ in folders.values()}.items()
    }
    yield {
        name: runners.submit(lambda place, part: place.result().run(part), places[folder], part)
        for name, (_, folder, part) in folders.items()
    }
    for pool in (builders, runners):
        pool.shutdown(cancel_futures=True)


@pytest.fixture
def counts(runs: dict[str, Future[Counts]], request: pytest.FixtureRequest, record_property):
    """This test's own, which the table at the end shows."""

    def wait() -> Counts:
        found = runs[request.node.name].result()
        record_property("counts", found)
        return found

    return wait


def judge(counts: Counts) -> None:
    """Of a part in which nothing may fail."""
    assert not counts.ended["failed"], counts.said
    assert counts.ended["passed"] >= max(1, AT_LEAST * counts.ended.total()), counts.said


@pytest.mark.parametrize("arch", [a for a in ARCHES if a.short], ids=lambda arch: arch.name)
def test_codecs_pool_model_and_parsers(arch, counts):
    judge(counts())


@pytest.mark.long
@pytest.mark.parametrize("part", parts(), ids=lambda part: part.name)
@pytest.mark.parametrize("arch", ARCHES, ids=lambda arch: arch.name)
def test_rings(arch, part, counts):
    judge(counts())


def test_no_mount_of_the_machine_is_kept(tmp_path):
    """The owner of a device cannot reset it while a root keeps it mounted (EBUSY)."""
    arch = ARCHES[0]
    command = enter(make_root(arch), arch, TREE, tmp_path, "sh", "-c", "echo there; read -r end")
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **pipes) as entered:
        assert entered.stdout.readline() == "there\n"
        # The process that made the namespace, whose root is the namespace's outermost mount.
        mounts = Path(f"/proc/{entered.pid}/mountinfo").read_text().split("\n")
        entered.communicate("\n")
    assert mounts[0].split()[3].endswith(f"/{arch.name}"), mounts
    assert not [line for line in mounts if ".outside" in line]


def test_what_is_an_emulators_difference_exists():
    """A renamed test is not silently left out for ever, nor one whose name is longer."""
    assert set(OF_ONE) <= {arch.emulator for arch in ARCHES}
    for test in [*EVERY, *(test for tests in OF_ONE.values() for test in tests)]:
        path, _, name = test.partition("::")
        function, bracket, _ = name.partition("[")
        # Pytest leaves out all that begins like this.
        begun = rf"def ({function}{'' if bracket else '[^(]*'})\("
        assert re.findall(begun, (TREE / path).read_text()) == [function], test
