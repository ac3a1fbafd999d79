# SPDX-License-Identifier: MIT
"""One kernel's ring of tests, here or in a guest.

The results of a run stay in the cache's folder results/KERNEL: console.log, pytest.log, junit.xml,
and sysfs with what the kernel showed.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from vm.archive import TREE, Image, results
from vm.guest import Guest, load_driver
from vm.kernels import Kernel

# Seconds for a boot and the ring; emulation is slow, and slower on a busy machine.
DEADLINE = float(os.environ.get("PYZRAM_VM_DEADLINE", "3600"))
# With fewer tests, a ring would have skipped what it was to prove.
AT_LEAST = 100
OPTIONS = "-Im pytest -p no:cacheprovider -p no:hypothesispytest --durations=20"
RING = [sys.executable, *OPTIONS.split(), "-m", "not slow"]
WHOLE = ("tests/kernel",)
# Where kernels differ most: what their attributes accept and return, and what moves pages.
PART = (
    "tests/kernel/contract",
    "tests/kernel/postprocess/test_recompression.py",
    "tests/kernel/postprocess/test_writeback.py",
)


def ring(folder: Path, tests: tuple[str, ...]) -> list[str]:
    return [*RING, f"--junitxml={folder}/junit.xml", *tests]


def compile_tests() -> None:
    """In a guest this takes half a minute, and its tree cannot be written to."""
    subprocess.run([*RING, "--collect-only", *WHOLE], cwd=TREE, capture_output=True, check=False)


def guest_script(folder: Path, modules: tuple[Path, ...], tests: tuple[str, ...]) -> Path:
    """What runs inside: load the driver, examine it, run the ring, and report how it ended."""
    script = folder / "guest.sh"
    script.write_text(
        f"cd {TREE}\n{load_driver(modules)}\n"
        "export PYZRAM_IN_GUEST=1 PYZRAM_REQUIRE_KERNEL=1\n"
        f"{sys.executable} -IB tests/vm/capture.py {folder}/sysfs\n"
        f"{shlex.join(ring(folder, tests))} >{folder}/pytest.log 2>&1\n"
        f"echo $? >{folder}/status\n"
    )
    return script


def executed(folder: Path) -> int:
    """How many tests really ran."""
    suite = ElementTree.parse(folder / "junit.xml").getroot()[0]
    return int(suite.get("tests", 0)) - int(suite.get("skipped", 0))


def run_here(folder: Path, tests: tuple[str, ...]) -> None:
    """The ring on this machine itself."""
    if os.geteuid() != 0 or not Path("/sys/class/zram-control").is_dir():
        pytest.skip("the running kernel: needs root and a zram driver")
    with (folder / "pytest.log").open("w") as log:
        done = subprocess.run(ring(folder, tests), cwd=TREE, stdout=log, stderr=log, check=False)
    (folder / "status").write_text(str(done.returncode))


def run_in_guest(kernel: Kernel, folder: Path, image: Image, script: Path) -> None:
    """The ring on another kernel, which must be the intended one."""
    guest = Guest(image, script, folder)
    ended = guest.wait(DEADLINE)
    assert ended, f"hung past {DEADLINE:.0f} s:\n{guest.last_words()}"
    assert (folder / "status").exists(), f"the guest crashed:\n{guest.last_words()}"
    seen = json.loads((folder / "sysfs/kernel.json").read_text())
    assert seen["release"] == image.release
    assert set(seen["algorithms"]) == kernel.algorithms
    assert set(seen["features"]) == kernel.features


def run_ring(
    kernel: Kernel, image: Image | None, modules: tuple[Path, ...], tests: tuple[str, ...]
) -> str:
    """Run one kernel's ring; return the line that says what ran."""
    folder = results(kernel.name)
    start = time.monotonic()
    if image:
        run_in_guest(kernel, folder, image, guest_script(folder, modules, tests))
    else:
        run_here(folder, tests)
    report = "\n".join((folder / "pytest.log").read_text().splitlines()[-40:])
    assert (folder / "status").read_text().strip() == "0", report
    count = executed(folder)
    assert count >= AT_LEAST, report
    return f"{kernel.name}: {count} kernel tests in {time.monotonic() - start:.0f} s"
