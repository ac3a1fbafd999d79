# SPDX-License-Identifier: MIT
"""What is estimated of memory, and of cold memory, beside what each kernel really pages out.

The judges are those tests of the kernel ring that take too long for an emulated guest; here they
run in one nevertheless, and what they measured becomes a line of a table. PYZRAM_TRUTH names the
file that it is written into, between its marks.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from vm.archive import TREE, kernel_image, results
from vm.guest import Guest, load_driver
from vm.kernels import KERNELS, Kernel
from vm.ring import DEADLINE, OPTIONS

PROGRAMS = ("forks", "shared", "given-up", "zeros")
PAGED_OUT = "tests/kernel/pages/test_processes_exact.py::test_what_is_estimated_is_paged_out"
TESTS = (
    *(f"{PAGED_OUT}[{program}]" for program in PROGRAMS),
    "tests/kernel/pages/test_cold.py::test_what_is_cold_is_gained_and_what_comes_back_is_read",
)
# khugepaged makes the kernel's two megabytes of any, and Linux 6.12 gives back what of a huge page
# is zeros when it takes it apart: both while nobody looks.
NO_HUGE_PAGES = "echo madvise >/sys/kernel/mm/transparent_hugepage/enabled"
MEASURED = re.compile(r"measured (pages|cold) (\{.*\})$", re.MULTILINE)
HEAD = (
    "kernel",
    "pages, estimated and paged out",
    "compr_data_size, worst",
    "mem_used_total, worst",
    "`--idle`: gain estimated",
    "gained",
    "off",
    "returns estimated",
    "pswpin",
    "off",
)
NAMES = ("running", "6.1", "6.12", "7.x")
CHOSEN = [kernel for kernel in KERNELS if kernel.name in NAMES]


def judged(folder: Path) -> tuple[list[dict[str, int]], dict[str, int]]:
    """What the judges measured: of each program, and of cold memory."""
    found: dict[str, list[dict[str, int]]] = {"pages": [], "cold": []}
    for kind, values in MEASURED.findall((folder / "pytest.log").read_text()):
        found[kind].append(json.loads(values))
    assert len(found["pages"]) == len(PROGRAMS)
    (cold,) = found["cold"]
    return found["pages"], cold


def line(release: str, folder: Path) -> tuple[str, ...]:
    """One kernel's line; the judges have judged already, this only tells."""
    programs, cold = judged(folder)

    def worst(said: str, real: str) -> str:
        return f"{max((p[said] / p[real] - 1 for p in programs if p[real]), key=abs):+.3%}"

    said, real = (sum(p[key] for p in programs) for key in ("pages", "out"))
    return (
        release,
        f"{said} and {real}",
        worst("compr", "stored"),
        worst("used", "took"),
        f"{cold['gain'] / (1 << 20):.2f} MiB",
        f"{cold['gained'] / (1 << 20):.2f} MiB",
        f"{cold['gain'] / cold['gained'] - 1:+.2%}",
        f"{cold['returns']}",
        f"{cold['returned']}",
        f"{cold['returns'] / cold['returned'] - 1:+.2%}",
    )


@pytest.fixture(scope="module")
def table() -> Iterator[list[tuple[str, ...]]]:
    rows: list[tuple[str, ...]] = []
    yield rows
    marks = (HEAD, ("---",) * len(HEAD))
    text = "".join(f"| {' | '.join(row)} |\n" for row in (*marks, *rows))
    print(f"\n{text}")
    if rows and (name := os.environ.get("PYZRAM_TRUTH")):
        target = Path(name)
        head, mark, rest = target.read_text().partition("<!-- kernels -->\n")
        _, end, tail = rest.partition("<!-- end of kernels -->")
        assert mark and end, f"{name} has no marks for the table"
        day = time.strftime("%Y-%m-%d")
        target.write_text(f"{head}{mark}{day}:\n\n{text}{end}{tail}")


@pytest.mark.long
@pytest.mark.parametrize("judge", CHOSEN, ids=lambda kernel: kernel.name)
def test_what_is_estimated_is_what_each_kernel_pages_out(
    judge: Kernel, table: list[tuple[str, ...]]
) -> None:
    folder = results(f"truth-{judge.name}")
    command = [sys.executable, *OPTIONS.split(), "-s", *TESTS]
    release = os.uname().release
    if judge.suites:
        image = kernel_image(judge)
        release = image.release
        script = folder / "guest.sh"
        script.write_text(
            f"cd {TREE}\n{load_driver(())}\n{NO_HUGE_PAGES}\n"
            "export PYZRAM_IN_GUEST=1 PYZRAM_REQUIRE_KERNEL=1\n"
            f"{shlex.join(command)} >{folder}/pytest.log 2>&1\n"
        )
        guest = Guest(image, script, folder)
        assert guest.wait(DEADLINE), f"hung past {DEADLINE:.0f} s:\n{guest.last_words()}"
    elif os.geteuid() or not Path("/sys/class/zram-control").is_dir():
        pytest.skip("the running kernel: needs root and a zram driver")
    else:
        with (folder / "pytest.log").open("w") as log:
            subprocess.run(command, cwd=TREE, stdout=log, stderr=log, check=False)
    log = folder / "pytest.log"
    report = log.read_text()[-4000:] if log.exists() else "nothing ran"
    assert f" {len(TESTS)} passed" in report, report
    table.append(line(release.partition("-")[0], folder))
