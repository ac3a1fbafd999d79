# SPDX-License-Identifier: MIT
"""This tree built and tested on other processors: 32 bits, big endian, other alignment.

In short (``make arches-short``): the extension without warnings, the kernel's vectors, the codecs'
round trips, the pool model and the parsers, on armhf and s390x. As a whole: the unit and native
rings on six.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
import xml.etree.ElementTree as ElementTree
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from arches.differences import EVERY, OF_ONE, differences
from arches.roots import ARCHES, Arch, cache, enter, make_root, snapshot
from vm.archive import TREE, UnavailableError

SHORT = [
    "tests/native/codec",
    "tests/native/pages/test_zsmalloc.py",
    "tests/native/test_wide_numbers.py",
    "tests/unit/kernel/test_parse.py",
    "tests/unit/kernel/test_figures.py",
    "tests/unit/pages/test_zsmalloc.py",
    # Their pages take Python minutes to make there.
    *("-k", "not 65536"),
]
WHOLE = ["tests/unit", "tests/native"]


def counts(report) -> dict[str, int]:
    suite = ElementTree.parse(report).getroot()[0]
    return {name: int(suite.get(name, 0)) for name in ("tests", "failures", "errors", "skipped")}


def run_tests(arch: Arch, tests: list[str]) -> tuple[dict[str, int], str]:
    """Counts of what ran, and the end of what pytest said."""
    root = make_root(arch)
    out = cache() / "results" / arch.name
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    tree = snapshot(out)
    start = time.monotonic()
    with (out / "log").open("wb") as log:

        def inside(*command: str) -> int:
            return subprocess.run(
                enter(root, arch, tree, out, *command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                check=False,
            ).returncode

        if inside("true"):
            raise UnavailableError(
                f"{arch.name}: cannot enter its root: {(out / 'log').read_text()[-300:]}"
            )
        built = inside("sh", "tests/arches/build.sh")
        assert built == 0, (out / "log").read_text()[-3000:]
        options = [f"--deselect={test}" for test in differences(arch.emulator)]
        inside(
            *("env", f"PYZRAM_EMULATED={arch.emulator}", "python3", "-Im", "pytest", "-q"),
            *("-p", "no:cacheprovider", "--junitxml=/out/junit.xml", *options, *tests),
        )
    report = "\n".join((out / "log").read_text(errors="replace").split("\n")[-60:])
    assert (out / "junit.xml").exists(), report
    found = counts(out / "junit.xml")
    print(f"{arch.name}: {found}, {time.monotonic() - start:.0f} s")
    return found, report


@pytest.fixture(scope="module")
def runs(request: pytest.FixtureRequest):
    """One processor of this machine for each other one."""
    chosen = [item for item in request.session.items if "arch" in getattr(item, "fixturenames", ())]
    found: dict[tuple[str, bool], Future] = {}
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for item in chosen:
            arch, whole = item.callspec.params["arch"], "whole" in item.name
            found[arch.name, whole] = pool.submit(run_tests, arch, WHOLE if whole else SHORT)
        yield found


def judge(found: dict[str, int], report: str, at_least: int) -> None:
    assert found["failures"] == found["errors"] == 0, report
    assert found["tests"] - found["skipped"] >= at_least, report


@pytest.mark.parametrize("arch", [a for a in ARCHES if a.short], ids=lambda arch: arch.name)
def test_codecs_pool_model_and_parsers(arch, runs):
    judge(*runs[arch.name, False].result(), at_least=300)


@pytest.mark.long
@pytest.mark.parametrize("arch", ARCHES, ids=lambda arch: arch.name)
def test_the_whole_unit_and_native_rings(arch, runs):
    judge(*runs[arch.name, True].result(), at_least=1000)


def test_what_is_an_emulators_difference_exists():
    """A test that was renamed is not passed over for ever."""
    assert set(OF_ONE) <= {arch.emulator for arch in ARCHES}
    for test in [*EVERY, *(test for tests in OF_ONE.values() for test in tests)]:
        path, _, name = test.partition("::")
        assert f"def {name.partition('[')[0]}(" in (TREE / path).read_text()
