# SPDX-License-Identifier: MIT
"""What the kernels' own ways of knowing page ages are worth: referenced bits, MGLRU and DAMON."""

from __future__ import annotations

import json
import re
import shlex
import sys

import pytest
from vm.archive import TREE, kernel_image, results
from vm.guest import Guest, load_driver
from vm.kernels import KERNELS, Kernel

SECONDS = 1800.0
# A huge page is used as a whole, but the stretches of the trial must be smaller.
NO_HUGE_PAGES = "echo never >/sys/kernel/mm/transparent_hugepage/enabled"
CHOSEN = [kernel for kernel in KERNELS if kernel.name in ("6.1", "6.12", "7.x")]


@pytest.mark.long
@pytest.mark.parametrize("judge", CHOSEN, ids=lambda kernel: kernel.name)
def test_referenced_bits_say_how_much_is_cold_where_others_say_less(judge: Kernel) -> None:
    folder = results(f"ages-{judge.name}")
    script = folder / "guest.sh"
    command = [sys.executable, "-I", "tests/vm/page_ages_trial.py"]
    script.write_text(
        f"cd {TREE}\n{load_driver(())}\n{NO_HUGE_PAGES}\nexport PYZRAM_IN_GUEST=1\n"
        f"{shlex.join(command)} >{folder}/trial.log 2>&1\n"
    )
    guest = Guest(kernel_image(judge), script, folder)
    assert guest.wait(SECONDS), f"hung past {SECONDS:.0f} s:\n{guest.last_words()}"
    log = (folder / "trial.log").read_text()
    found = re.search(r"^measured ages (.*)$", log, re.MULTILINE)
    assert found, log
    print(f"{judge.name}: {found[1]}")
    for row in json.loads(found[1]).values():
        # Besides the program's own memory there is the interpreter's, which is mostly cold.
        assert 0 <= row["clear_refs"]["cold"] - row["truth"]["cold"] <= 16
