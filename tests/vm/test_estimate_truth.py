# SPDX-License-Identifier: MIT
"""Estimates of memory and of cold memory, beside what each kernel really pages out.

The judges are tests of the kernel ring that usually take too long for an emulated guest; here they
run in one nevertheless, and what they measure becomes lines of three tables. PYZRAM_TRUTH names
the file whose tables, between marks, are replaced by these.
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
PAGES = "tests/kernel/pages"
PAGED_OUT = f"{PAGES}/estimate/test_processes_exact.py::test_what_is_estimated_is_paged_out"
TESTS = (
    *(f"{PAGED_OUT}[{program}]" for program in PROGRAMS),
    f"{PAGES}/source/test_cold.py::test_what_is_cold_is_gained_and_what_comes_back_is_read",
    "tests/kernel/cli/estimate/test_waited.py::test_what_is_said_to_be_waited_is_a_part_of_what_is_waited",
)
# khugepaged makes any memory into huge pages, and Linux 6.12 frees the parts of a huge page that
# are zeros when it splits it: both at a time that no test sees.
NO_HUGE_PAGES = "echo madvise >/sys/kernel/mm/transparent_hugepage/enabled"
MEASURED = re.compile(r"measured (pages|cold|waited) (\{.*\})$", re.MULTILINE)
HEAD = (
    "kernel",
    "pages, estimated and paged out",
    "compr_data_size, worst",
    "mem_used_total, worst",
)
HEAD_OF_COLD = (
    "kernel",
    "gain estimated",
    "gained",
    "off",
    "returns estimated",
    "pswpin",
    "off",
)
HEAD_OF_WAITED = (
    "kernel",
    "algorithm",
    "returns estimated",
    "pswpin",
    "waiting by the median",
    "by the 99th percentile",
    "waited",
    "median of decompression",
    "median of a fault",
)
NAMES = ("running", "6.1", "6.12", "7.x")
CHOSEN = [kernel for kernel in KERNELS if kernel.name in NAMES]


def judged(folder: Path) -> dict[str, list[dict[str, float]]]:
    """What the judges measured, by the subject that they judged."""
    found: dict[str, list[dict[str, float]]] = {"pages": [], "cold": [], "waited": []}
    for kind, values in MEASURED.findall((folder / "pytest.log").read_text()):
        found[kind].append(json.loads(values))
    assert len(found["pages"]) == len(PROGRAMS)
    assert found["waited"]
    return found


def line(release: str, folder: Path) -> tuple[str, ...]:
    """One kernel's line; the judges have already run, and this only reports."""
    programs = judged(folder)["pages"]

    def worst(said: str, real: str) -> str:
        return f"{max((p[said] / p[real] - 1 for p in programs if p[real]), key=abs):+.3%}"

    said, real = (sum(p[key] for p in programs) for key in ("pages", "out"))
    return (
        release,
        f"{said} and {real}",
        worst("compr", "stored"),
        worst("used", "took"),
    )


def line_of_cold(release: str, folder: Path) -> tuple[str, ...]:
    """The same for --idle."""
    (cold,) = judged(folder)["cold"]
    return (
        release,
        f"{cold['gain'] / (1 << 20):.2f} MiB",
        f"{cold['gained'] / (1 << 20):.2f} MiB",
        f"{cold['gain'] / cold['gained'] - 1:+.2%}",
        f"{cold['returns']}",
        f"{cold['returned']}",
        f"{cold['returns'] / cold['returned'] - 1:+.2%}",
    )


def lines_of_waited(release: str, folder: Path, guest: bool) -> list[tuple[str, ...]]:
    """A line for each algorithm that this kernel has.

    In an emulated guest, sums and high percentiles mostly show what its host did meanwhile.
    """
    return [
        (
            release,
            str(row["algorithm"]),
            f"{row['returns']}",
            f"{row['back']}",
            *("-" if guest else f"{row[key]:.1f} ms" for key in ("said", "said_p99", "waited")),
            *(f"{row[key]:.1f} us" for key in ("decompress", "fault")),
        )
        for row in judged(folder)["waited"]
    ]


Tables = dict[str, list[tuple[str, ...]]]


@pytest.fixture(scope="module")
def tables() -> Iterator[Tables]:
    found: Tables = {"kernels": [HEAD], "cold": [HEAD_OF_COLD], "waited": [HEAD_OF_WAITED]}
    yield found
    name = os.environ.get("PYZRAM_TRUTH")
    for its, (head, *rows) in found.items():
        marks = (head, ("---",) * len(head))
        text = "".join(f"| {' | '.join(row)} |\n" for row in (*marks, *rows))
        print(f"\n{text}")
        if rows and name:
            write_between(Path(name), its, f"{time.strftime('%Y-%m-%d')}:\n\n{text}")


def write_between(target: Path, its: str, text: str) -> None:
    """Put a table between its marks."""
    head, mark, rest = target.read_text().partition(f"<!-- {its} -->\n")
    _, end, tail = rest.partition(f"<!-- end of {its} -->")
    assert mark and end, f"{target} has no marks for the table of {its}"
    target.write_text(f"{head}{mark}{text}{end}{tail}")


@pytest.mark.long
@pytest.mark.parametrize("judge", CHOSEN, ids=lambda kernel: kernel.name)
def test_what_is_estimated_is_what_each_kernel_pages_out(judge: Kernel, tables: Tables) -> None:
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
    release = release.partition("-")[0]
    tables["kernels"].append(line(release, folder))
    tables["cold"].append(line_of_cold(release, folder))
    tables["waited"] += lines_of_waited(release, folder, bool(judge.suites))
