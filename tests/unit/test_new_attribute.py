# SPDX-License-Identifier: MIT
"""What a new kernel reports: the next column of mm_stat and a new file, made up here.

The commands need only a row in the table of figures, the API a field.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from fake_roots import Machine

from pyzram import UnsupportedError
from pyzram.device.stat_files import MmStat
from pyzram.kernel import figures

ROWS = """
    Figure("warm_pages", "mm_stat", PAGES, GAUGE, "pages that are kept warm"),
    Figure("warm_limit", "warm_limit", BYTES, GAUGE, "most memory of warm pages"),
    Figure("warm_policy", "warm_policy", TEXT, INFO, "which pages are kept warm"),
"""
# The table of figures with these rows, instead of the installed one.
RUN = """
import sys, types
path, rows, *words = sys.argv[1:]
import pyzram.kernel
text = open(path).read()
mark = "    # files of one value\\n"
assert text.count(mark) == 1
table = types.ModuleType("pyzram.kernel.figures")
sys.modules[table.__name__] = pyzram.kernel.figures = table
exec(text.replace(mark, mark + rows), vars(table))
from pyzram.cli import zram_stats
sys.exit(zram_stats.main(words))
"""


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine whose kernel reports more than any existing one."""
    here = Machine(tmp_path, "vm-7.x-multi")
    told = here.attribute("mm_stat").read_text().split()
    told += ["0"] * (len(figures.of_file("mm_stat")) - len(told))
    here.attribute("mm_stat").write_text(" ".join([*told, "1234"]) + "\n")
    here.attribute("warm_limit").write_text("8192\n")
    here.attribute("warm_policy").write_text("hot and cold\n")
    return here


def zram_stats(machine: Machine, *words: str) -> str:
    """What zram_stats prints with these rows."""
    code = [sys.executable, "-Ic", RUN, str(figures.__file__), ROWS, *words]
    return subprocess.run(
        code,
        env={"PYZRAM_ROOT": str(machine.root)},
        check=True,
        capture_output=True,
        text=True,
    ).stdout


def test_a_row_of_the_table_is_all_that_the_commands_take(machine: Machine) -> None:
    lines = zram_stats(machine, "zram0").splitlines()
    told = dict(line.split(":", 1) for line in lines)
    assert [told[name].strip() for name in ("warm_pages", "warm_limit")] == ["1234", "8192"]
    assert told["warm_policy"].strip() == "hot and cold"
    assert [*told][-3:] == ["warm_pages", "warm_limit", "warm_policy"], "at the end"

    table = zram_stats(machine, "-o", "name,WARM-LIMIT,warm_pages", "zram0").splitlines()
    assert [line.split() for line in table] == [
        ["NAME", "WARM-LIMIT", "WARM-PAGES"],
        ["/dev/zram0", "8K", "1234"],
    ]
    (device,) = json.loads(zram_stats(machine, "-J", "--output-all", "zram0"))["zram_stats"]
    assert (device["warm_limit"], device["warm_pages"]) == (8192, 1234)

    metrics = zram_stats(machine, "--prometheus", "zram0").splitlines()
    assert "# HELP zram_warm_limit_bytes Most memory of warm pages." in metrics
    assert 'zram_warm_pages{device="zram0"} 1234' in metrics
    assert "most memory of warm pages" in zram_stats(machine, "--help")


def test_older_kernels_have_none_of_it(machine: Machine) -> None:
    told = machine.attribute("mm_stat").read_text().split()[:-1]
    machine.attribute("mm_stat").write_text(" ".join(told) + "\n")
    machine.attribute("warm_limit").unlink()
    table = zram_stats(machine, "-n", "-o", "warm_limit,warm_pages", "zram0")
    assert table.split() == ["-", "-"]


@dataclass(frozen=True, kw_only=True)
class NextMmStat(MmStat):
    """One field more, with the docstring that real ones have."""

    warm_pages: int | None = None


def test_a_field_is_all_that_a_snapshot_takes() -> None:
    today = [*range(len(MmStat.__dataclass_fields__))]
    new, old = NextMmStat._of([*today, 1234]), NextMmStat._of(today)
    last = getattr(old, figures.of_file("mm_stat")[-1])
    assert (new.warm_pages, old.warm_pages, last) == (1234, None, today[-1])
    assert new._minus(NextMmStat._of([*today, 1000])).warm_pages == 234
    assert new._minus(old).warm_pages is None
    assert old == NextMmStat.from_dict(old.as_dict())
    with pytest.raises(UnsupportedError, match=r"8 figures where Linux 6\.1 has 9"):
        NextMmStat._of(today[:8])
