# SPDX-License-Identifier: MIT
"""This tree built and tested on other processors: 32 bits, big endian, other alignment.

The short run (``make arches-short``) has the extension without warnings, the kernel's vectors, the
codecs' round trips, the pool model and the parsers, on armhf and s390x. The full run has the unit
and native rings on all of ARCHES.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
import xml.etree.ElementTree as ElementTree
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from arches.differences import EVERY, OF_ONE, differences
from arches.roots import ARCHES, Arch, cache, enter, make_root, snapshot
from vm.archive import TREE, UnavailableError

SHORT = {
    "short": [
        "tests/native/codec",
        "tests/native/pages/pool/test_zsmalloc.py",
        "tests/native/test_wide_numbers.py",
        "tests/unit/kernel/test_parse.py",
        "tests/unit/kernel/test_figures.py",
        "tests/unit/pages/pool/test_zsmalloc.py",
        # There, Python takes minutes to make pages of that size.
        *("-k", "not 65536"),
    ]
}
# It only checks that the benchmarks compile, which takes an emulated compiler minutes and says
# nothing about a processor.
SLOW = "tests/native/test_bench.py"
WHOLE = {"unit": ["tests/unit"], "native": ["tests/native"]}
# With fewer passed, a ring would have skipped what it was to prove.
AT_LEAST = {"short": 500, "unit": 2300, "native": 2000}


def ending(test: ElementTree.Element) -> str:
    """How a test ended, in pytest's report: failed, passed, or skipped for which reason."""
    parts = {part.tag: part for part in test}
    if "failure" in parts or "error" in parts:
        return "failed"
    return f"skipped, {parts['skipped'].get('message')}" if "skipped" in parts else "passed"


def run_tests(arch: Arch, rings: dict[str, list[str]]) -> tuple[dict[str, Counter[str]], str]:
    """How each ring's tests ended, and the end of pytest's output; the rings at the same time."""
    root = make_root(arch)
    out = cache() / "results" / "-".join([arch.name, *rings])
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    tree = snapshot(out)
    start = time.monotonic()

    def inside(name: str, *command: str) -> int:
        with (out / f"{name}.log").open("wb") as log:
            return subprocess.run(
                enter(root, arch, tree, out, *command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                check=False,
            ).returncode

    def said(name: str, lines: int) -> str:
        return "\n".join((out / f"{name}.log").read_text(errors="replace").split("\n")[-lines:])

    if inside("enter", "true"):
        raise UnavailableError(f"{arch.name}: cannot enter its root: {said('enter', 3)}")
    assert inside("build", "sh", "tests/arches/build.sh") == 0, said("build", 40)
    options = [f"--deselect={test}" for test in differences(arch.emulator)]
    if arch.emulator:
        options.append(f"--ignore={SLOW}")

    def run_ring(name: str) -> Counter[str]:
        status = inside(
            name,
            *("env", f"PYZRAM_EMULATED={arch.emulator}", "python3", "-Im", "pytest", "-q"),
            *("-p", "no:cacheprovider", f"--junitxml=/out/{name}.xml", *options, *rings[name]),
        )
        # Otherwise it ended before the last test, and the report has no word of the others.
        assert status in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED), said(name, 60)
        report = ElementTree.parse(out / f"{name}.xml")
        return Counter(map(ending, report.iter("testcase")))

    with ThreadPoolExecutor(len(rings)) as pool:
        found = dict(zip(rings, pool.map(run_ring, rings), strict=True))
    print(f"{arch.name}: {time.monotonic() - start:.0f} s")
    for name, ended in found.items():
        print(f"{arch.name} {name}: " + "; ".join(f"{n} {how}" for how, n in ended.most_common()))
    return found, "\n".join(said(name, 60) for name in rings)


@pytest.fixture(scope="module")
def runs(request: pytest.FixtureRequest):
    """Runs for all processors, one at a time on each processor of this machine."""
    chosen = [item for item in request.session.items if "runs" in getattr(item, "fixturenames", ())]
    found: dict[tuple[str, bool], Future] = {}
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for item in chosen:
            arch, whole = item.callspec.params["arch"], "whole" in item.name
            found[arch.name, whole] = pool.submit(run_tests, arch, WHOLE if whole else SHORT)
        yield found


def judge(found: dict[str, Counter[str]], report: str) -> None:
    for name, ended in found.items():
        assert not ended["failed"], report
        assert ended["passed"] >= AT_LEAST[name], report


@pytest.mark.parametrize("arch", [a for a in ARCHES if a.short], ids=lambda arch: arch.name)
def test_codecs_pool_model_and_parsers(arch, runs):
    judge(*runs[arch.name, False].result())


@pytest.mark.long
@pytest.mark.parametrize("arch", ARCHES, ids=lambda arch: arch.name)
def test_the_whole_unit_and_native_rings(arch, runs):
    judge(*runs[arch.name, True].result())


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
