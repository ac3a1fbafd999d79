# SPDX-License-Identifier: MIT
"""File systems that a distribution's kernel has but others may lack, through their whole life."""

from __future__ import annotations

from pathlib import Path

import pytest
from vm.archive import kernel_image, results
from vm.guest import Guest
from vm.kernels import KERNELS
from vm.ring import DEADLINE, executed, guest_script

(KERNEL,) = (kernel for kernel in KERNELS if kernel.name == "6.12")
NAMES = ("f2fs", "exfat", "vfat")
# Life, doctor, live options, undone at three steps; and the least that mkfs.f2fs takes.
EACH = 6


@pytest.fixture
def folder() -> Path:
    return results("file-systems")


@pytest.mark.long
def test_the_file_systems_that_this_kernel_has(folder: Path) -> None:
    tests = (
        "tests/kernel/service/test_bad_days_guest.py",
        "tests/kernel/service/test_file_systems.py",
        "-k",
        " or ".join([*NAMES, "time_of_day"]),
    )
    script = guest_script(folder, (), tests)
    guest = Guest(kernel_image(KERNEL), script, folder)
    assert guest.wait(DEADLINE), guest.last_words()
    log = (folder / "pytest.log").read_text()
    assert (folder / "status").read_text().strip() == "0", log[-4000:]
    count = executed(folder)
    assert count >= EACH * 3, log[-2000:]
    print(f"{KERNEL.name}: {count} tests of {', '.join(NAMES)}")
