# SPDX-License-Identifier: MIT
"""The pages of docs/ whose commands need rare kernel features, in a guest that has them.

They follow the first five minutes, as for a reader; tests/kernel/test_docs.py runs the others.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from documentation import DOCS, missing, outcomes, script, statuses, to_run
from vm.archive import TREE, kernel_image, results
from vm.guest import Guest, load_driver
from vm.kernels import KERNELS
from vm.module import rebuilt_modules
from vm.ring import DEADLINE

(KERNEL,) = (kernel for kernel in KERNELS if kernel.name == "6.12-multi")
# Measuring takes minutes under emulation, and is judged elsewhere.
MEASURES = "pyzram estimate"
# The pages say zram0 and ask the reader to put the device there that reload has named.
OWN = "$(tail -1 /proc/swaps | cut -d ' ' -f 1 | cut -d / -f 3)"


@pytest.mark.long
def test_writeback_and_the_daemon_do_what_their_pages_say() -> None:
    image = kernel_image(KERNEL)
    folder = results("docs")
    steps = [
        (block, step)
        for name in ("start.md", "writeback.md", "daemon.md")
        for block, step in to_run(DOCS / name, guest=True)
        if not step.command.startswith(MEASURES)
    ]
    guest_script = folder / "guest.sh"
    guest_script.write_text(
        f"cd {TREE}\n{load_driver(rebuilt_modules(KERNEL, image))}\n"
        f"PATH={Path(sys.executable).parent}:$PATH\n"
        "mount -t tmpfs tmpfs /var/lib\n"
        f"unshare -m sh {folder}/session.sh >{folder}/printed\n"
    )
    (folder / "session.sh").write_text(script(steps).replace(" zram0 ", f" {OWN} "))
    guest = Guest(image, guest_script, folder)
    assert guest.wait(DEADLINE), guest.last_words()
    printed = (folder / "printed").read_text()
    found = outcomes(printed)
    assert len(found) == len(steps), printed + guest.last_words()
    wrong = []
    for (block, step), (status, lines) in zip(steps, found, strict=True):
        said = "\n".join(lines)
        if status not in statuses(block):
            wrong.append(f"{said}\n{block.page}: {step.command}: status {status}")
        elif block.says("where") == "guest" and (lost := missing(block, step, lines)):
            wrong.append(f"{said}\n{block.page}: {step.command}: {lost} is not in it")
    assert not wrong, "\n\n".join(wrong)
