# SPDX-License-Identifier: MIT
"""The kernel ring of this very build, on every kernel of the list."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from vm.archive import TREE, kernel_image
from vm.guest import Guest
from vm.kernels import KERNELS, Kernel
from vm.module import rebuilt_module

DEADLINE = 600.0  # seconds for a boot and the ring; emulation on a busy machine is slow
RING = ["-IBm", "pytest", "-p", "no:cacheprovider", "-m", "not slow", "tests/kernel"]


def guest_script(folder: Path, module: Path | None) -> Path:
    """What runs inside: load the driver, look at it, run the ring, say how it ended."""
    load = "modprobe zram num_devices=0"
    if module:
        load = (
            f"for name in $(modinfo -F depends {module} | tr , ' '); do modprobe $name; done\n"
            f"insmod {module} num_devices=0"
        )
    ring = shlex.join([sys.executable, *RING, f"--junitxml={folder}/junit.xml"])
    script = folder / "guest.sh"
    script.write_text(
        f"cd {TREE}\n{load}\nmodprobe loop\n"
        "export PYZRAM_IN_GUEST=1 PYZRAM_REQUIRE_KERNEL=1\n"
        "export HYPOTHESIS_STORAGE_DIRECTORY=/tmp/hypothesis\n"
        f"{sys.executable} -IB tests/vm/capture.py {folder}/sysfs\n"
        f"{ring} >{folder}/pytest.log 2>&1\n"
        f"echo $? >{folder}/status\n"
    )
    return script


def executed(folder: Path) -> int:
    """How many tests really ran."""
    suite = ElementTree.parse(folder / "junit.xml").getroot()[0]
    return int(suite.get("tests", 0)) - int(suite.get("skipped", 0))


def run_here(folder: Path) -> str:
    if os.geteuid() != 0 or not Path("/sys/class/zram-control").is_dir():
        pytest.skip("the running kernel: needs root and a zram driver")
    command = [sys.executable, *RING, f"--junitxml={folder}/junit.xml"]
    done = subprocess.run(command, cwd=TREE, capture_output=True, text=True, check=False)
    (folder / "status").write_text(str(done.returncode))
    (folder / "pytest.log").write_text(done.stdout + done.stderr)
    return "\n".join(done.stdout.splitlines()[-40:])


def run_in_guest(kernel: Kernel, folder: Path) -> str:
    image = kernel_image(kernel)
    module = rebuilt_module(kernel, image) if kernel.rebuilt else None
    guest = Guest(image, guest_script(folder, module), folder)
    ended = guest.wait(DEADLINE)
    assert ended, f"hung past {DEADLINE:.0f} s:\n{guest.last_words()}"
    assert (folder / "status").exists(), f"the guest crashed:\n{guest.last_words()}"
    seen = json.loads((folder / "sysfs/kernel.json").read_text())
    assert seen["release"] == image.release
    assert set(seen["algorithms"]) == kernel.algorithms
    assert set(seen["features"]) == kernel.features
    return "\n".join((folder / "pytest.log").read_text().splitlines()[-40:])


@pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: kernel.name)
def test_the_kernel_ring_passes(kernel, tmp_path, record_property):
    report = run_in_guest(kernel, tmp_path) if kernel.suites else run_here(tmp_path)
    assert (tmp_path / "status").read_text().strip() == "0", report
    count = executed(tmp_path)
    record_property("kernel_tests", count)
    print(f"{kernel.name}: {count} kernel tests executed")
    assert count > 0, report
