# SPDX-License-Identifier: MIT
"""What the kernel counts, compared with what was found."""

from __future__ import annotations

import os

import pytest

from pyzram.limits import PAGE_SIZE
from pyzram.pages.source import unseen
from pyzram.pages.source.sources import HIDDEN, UNSEEN_SWAPPED
from pyzram.pages.source.unseen import Counted, counted

DRIFT = unseen.DRIFT * (os.cpu_count() or 1)
FULL = Counted(10**6, 10**5)


def test_the_sums_are_pages(tmp_path):
    kib = PAGE_SIZE // 1024
    lines = {"Shmem": 7, "SwapTotal": 100, "SwapFree": 60, "SwapCached": 5, "MemFree": 1}
    text = "".join(f"{name}: {pages * kib} kB\n" for name, pages in lines.items())
    (tmp_path / "meminfo").write_text(text + "HugePages_Total: 3\n")
    assert counted(str(tmp_path / "meminfo")) == (7, 35)
    assert counted().shared > 0


@pytest.mark.parametrize(
    ("before", "after", "found", "said"),
    [
        pytest.param(FULL, FULL, FULL, (0, 0), id="all"),
        pytest.param(FULL, FULL, Counted(0, 0), FULL, id="none"),
        pytest.param(FULL, FULL, Counted(10**6 - DRIFT, 10**5 - DRIFT), (0, 0), id="late"),
        pytest.param(FULL, FULL, Counted(10**6 - DRIFT - 1, 10**5), (DRIFT + 1, 0), id="shared"),
        pytest.param(FULL, FULL, Counted(10**6, 0), (0, 10**5), id="in swap"),
        pytest.param(FULL, Counted(5, 5), Counted(5, 5), (0, 0), id="went meanwhile"),
        pytest.param(Counted(5, 5), FULL, Counted(5, 5), (0, 0), id="came meanwhile"),
        pytest.param(FULL, FULL, Counted(2 * 10**6, 10**6), (0, 0), id="more than is counted"),
    ],
)
def test_only_what_was_there_all_the_time_is_missed(before, after, found, said):
    assert unseen.unseen(before, after, found) == said
    assert UNSEEN_SWAPPED in HIDDEN
