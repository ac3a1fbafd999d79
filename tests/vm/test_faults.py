# SPDX-License-Identifier: MIT
"""A fault at system calls of writeback and recompression, on a kernel that has both.

``FAULTS="--every 1"`` walks through all; a point takes about ten seconds under emulation.
"""

from __future__ import annotations

import os
import re
import shlex
import sys

import pytest
from vm.archive import TREE, kernel_image, results
from vm.guest import Guest, load_driver
from vm.kernels import KERNELS
from vm.module import rebuilt_modules
from vm.ring import DEADLINE

(KERNEL,) = (kernel for kernel in KERNELS if kernel.name == "6.12-multi")
COMMANDS = ("writeback", "recompress", "tend")
PART = os.environ.get("FAULTS", "--every 61 --offset 7")
COUNTS = re.compile(r"(\w+): (\d+) points \(of \d+ .*\), \d+ ways, \d+ not met, (\d+) failures")


@pytest.mark.long
def test_faults_of_what_moves_pages() -> None:
    image = kernel_image(KERNEL)
    folder = results("faults")
    walk = f"unshare --mount {shlex.quote(sys.executable)} -I tests/faults/walk.py"
    script = folder / "guest.sh"
    script.write_text(
        f"cd {TREE}\n{load_driver(rebuilt_modules(KERNEL, image))}\n"
        "export PYZRAM_IN_GUEST=1\n"
        + "".join(
            f"{walk} {command} {PART} >{folder}/{command} 2>&1\n"
            f"echo $? >{folder}/{command}.status\n"
            for command in COMMANDS
        )
    )
    guest = Guest(image, script, folder)
    assert guest.wait(DEADLINE), guest.last_words()
    for command in COMMANDS:
        said = (folder / command).read_text()
        assert (folder / f"{command}.status").read_text() == "0\n", said + guest.last_words()
        (line,) = said.splitlines()
        counts = COUNTS.fullmatch(line)
        assert counts is not None, line
        assert counts[1] == command
        assert int(counts[2]) > 0
        assert counts[3] == "0"
        print(f"{KERNEL.name}: {line}")
