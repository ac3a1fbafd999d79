# SPDX-License-Identifier: MIT
"""A guest that fails is reported as failed."""

from __future__ import annotations

from pathlib import Path

import pytest
from vm.archive import kernel_image, results
from vm.guest import Guest
from vm.kernels import KERNELS

(KERNEL,) = (kernel for kernel in KERNELS if kernel.name == "6.12")


@pytest.fixture
def folder() -> Path:
    return results("guest")


def boot(folder: Path, work: str) -> Guest:
    script = folder / "guest.sh"
    script.write_text(work)
    return Guest(kernel_image(KERNEL), script, folder)


def test_a_guest_that_does_not_end_in_time_is_killed(folder):
    guest = boot(folder, "sleep 1000\n")
    assert not guest.wait(2)
    assert guest.process.returncode is not None
    assert guest not in Guest.running


def test_a_crash_ends_the_guest_at_once_and_leaves_no_status(folder):
    guest = boot(folder, f"echo c >/proc/sysrq-trigger\necho 0 >{folder}/status\n")
    assert guest.wait(300)
    assert "Kernel panic" in guest.console.read_text(errors="replace")
    assert not (folder / "status").exists()
