# SPDX-License-Identifier: MIT
"""What ``pyzram estimate --idle`` says and advises, for known figures."""

from __future__ import annotations

import pytest

from pyzram.cli.estimate import cold_looks, idle
from pyzram.cli.estimate.cold_looks import ColdLook
from pyzram.cli.json_documents import of_idle
from pyzram.config.parser import parse_config
from pyzram.device.features import Features
from pyzram.limits import PAGE_SIZE
from pyzram.pages.estimate.estimate import AlgorithmEstimate, Estimate
from pyzram.pages.estimate.sampling import Interval
from pyzram.pages.pool.zsmalloc import PoolModel, PoolStats
from pyzram.pages.process.owner import Owner
from pyzram.pages.source.cold import Age
from pyzram.pages.source.segments import ZeroSegment
from pyzram.pages.source.sources import Source

MIB = 1 << 20
GIB = 1 << 30


def kernel(**known: object) -> Features:
    answers = dict.fromkeys(Features._fields)
    answers |= {"driver": True, "hot_add": True, "psi": True, "recompression": False}
    answers |= {"writeback": False, "algorithms": ("lzo", "lz4"), **known}
    return Features(**answers)  # type: ignore[arg-type]


def algorithm(name: str, cold: int, share: float, micros: float, level: int | None = None):
    used = round(cold * share)
    pages = cold // PAGE_SIZE
    figures = PoolStats(PAGE_SIZE, pages, cold, used, used, 0, 0, ())
    ratio = Interval(share, share, share)
    p99 = 3 * micros
    return AlgorithmEstimate(name, level, figures, ratio, micros, p99, micros, p99, share)


def look(
    cold: int,
    *algorithms: AlgorithmEstimate,
    seconds: float = 300.0,
    returns: float = 30.0,
    window: float = 150.0,
) -> ColdLook:
    source = Source("made up", PAGE_SIZE)
    source._segments = [ZeroSegment(Owner(0, "x", "heap"), cold // PAGE_SIZE)]
    found = {a.label: a for a in algorithms}
    pages = cold // PAGE_SIZE
    pool = PoolModel(page_size=PAGE_SIZE)
    estimate = Estimate("x", pool, pages, pages, 0, 0, True, {}, found)
    return ColdLook(Age(seconds + 0.013, source, returns, window), estimate, seconds)


def usual(cold: int) -> tuple[AlgorithmEstimate, ...]:
    return (
        algorithm("lzo", cold, 0.39, 9.0),
        algorithm("lz4", cold, 0.40, 3.0),
        algorithm("zstd", cold, 0.30, 20.0),
    )


def said(last: ColdLook, here: Features | None, *, ram: int = 4 * GIB, total: int = 2 * GIB) -> str:
    best = idle.recommended(last, ram, here)
    return idle.report(total, {}, [last], ram, here, best)


def conf(text: str) -> str:
    """The lines for /etc/conf.d/zram."""
    return "\n".join(line.strip() for line in text.partition("/etc/conf.d/zram:\n")[2].split("\n"))


BOTH = {"algorithms": ("lzo", "lz4", "zstd"), "recompression": True, "writeback": True}


@pytest.mark.parametrize(
    ("known", "recompression", "line"),
    [
        (
            {},
            "Recompression with zstd would free another 102.4M of the cold memory, but this kernel "
            "has no recompression (CONFIG_ZRAM_MULTI_COMP).",
            "",
        ),
        ({"recompression": True}, "of the cold memory, but this kernel has no zstd.", ""),
        ({"recompression": None}, "only a zram device tells whether this kernel can.", ""),
        (None, "only a zram device tells whether this kernel can.", ""),
    ],
)
def test_advice_on_recompression_is_for_this_kernel(known, recompression, line) -> None:
    here = None if known is None else kernel(**known)
    text = said(look(GIB, *usual(GIB)[:2], algorithm("zstd", GIB, 0.3, 200.0)), here)
    assert recompression in text
    assert "ZRAM_RECOMP_ALGORITHM_0" not in text
    assert 'ZRAM_ALGORITHM_0="lz4"' in text


def test_recompression_that_this_kernel_can_do_is_configured() -> None:
    slow = algorithm("zstd", GIB, 0.3, 200.0, level=19)
    known = {**BOTH, "algorithm_params": True}
    text = said(look(GIB, *usual(GIB)[:2], slow), kernel(**known))
    assert "Recompression with zstd:19 would free another 102.4M of the cold memory." in text
    assert "would free another 102.4M.\n" in conf(text)
    found = parse_config(conf(text), "zram", ram=GIB, cpus=2).devices[0]
    assert [str(one) for one in found.algorithms][:1] == ["lz4"]
    assert [(one.name, one.level) for one in found.recompression] == [("zstd", 19)]
    old = said(look(GIB, *usual(GIB)[:2], slow), kernel(**BOTH, algorithm_params=False))
    assert "ZRAM_RECOMP_ALGORITHM_0" not in old


def test_the_algorithm_that_this_kernel_has_is_configured() -> None:
    more = algorithm("deflate", GIB, 0.25, 200.0), algorithm("zstd", GIB, 0.3, 200.0)
    text = said(look(GIB, *usual(GIB)[:2], *more), kernel(**BOTH))
    assert "with zstd would free another 102.4M of the cold memory; deflate, which this" in text
    assert 'ZRAM_RECOMP_ALGORITHM_0="zstd"' in conf(text)


@pytest.mark.parametrize(
    ("known", "returns", "ram", "says"),
    [
        ({}, 3.0, GIB, "but this kernel has no writeback (CONFIG_ZRAM_WRITEBACK)."),
        ({"writeback": True}, 3.0, GIB, "and little comes back: see ZRAM_BACKING_DEV_0"),
        ({"writeback": True}, 9e3, GIB, "but too much comes back (9000 pages per minute)."),
        ({"writeback": None}, 3.0, GIB, "only a zram device tells whether this kernel can."),
        ({"writeback": True}, 3.0, 64 * GIB, "less than 5% of this machine's memory"),
    ],
)
def test_advice_on_writeback_is_for_this_kernel_and_machine(known, returns, ram, says) -> None:
    text = said(look(GIB, *usual(GIB), returns=returns), kernel(**known), ram=ram)
    (line,) = (line for line in text.split("\n") if line.startswith("Writeback "))
    assert says in line


def test_too_little_memory_is_judged_nowhere_and_measured_the_same_everywhere() -> None:
    cold = 272 << 10
    last = look(cold, algorithm("lz4", cold, 868 / 272, 3.0))
    text = said(last, kernel(), total=cold)
    assert "Too little is cold to recommend anything: less than 1M" in text
    assert "/etc/conf.d" not in text and "Writeback" not in text
    (row,) = (line.split() for line in text.split("\n") if line.startswith("lz4 "))
    assert row[1:3] == ["868K", "-596K"]
    told = of_idle("x", cold, {}, [last])["ages"][0]["algorithms"]["lz4"]  # type: ignore[index]
    assert told["memory_gained"] == -596 << 10


def test_nothing_is_recommended_where_nothing_is_gained() -> None:
    text = said(look(GIB, algorithm("lz4", GIB, 1.01, 3.0)), kernel())
    assert "Nothing is recommended: no algorithm would free memory." in text
    assert "/etc/conf.d" not in text


def test_ages_are_those_asked_for_and_short_windows_are_named() -> None:
    burst = look(GIB, *usual(GIB), seconds=5.0, returns=85901.0, window=2.5026)
    text = said(burst, kernel())
    assert "for      5 s:      1G (50%), pages touched again per minute: 85901 (counted in" in text
    assert "(counted in 2.5 s and scaled up to a minute:" in text
    assert "counted" not in said(look(GIB, *usual(GIB)), kernel())


@pytest.mark.parametrize("width", [40, 60, 80])
def test_no_line_for_people_is_wider_than_the_terminal(width: int) -> None:
    here = kernel()
    last = look(GIB, *usual(GIB), seconds=5.0, window=2.5)
    best = idle.recommended(last, GIB, here)
    whole, _, lines = idle.report(2 * GIB, {}, [last], GIB, here, best, width).partition(
        "/etc/conf.d/zram:"
    )
    rest = [line for line in whole.split("\n") if not line.startswith("  for ")]
    assert max(map(len, rest)) <= width
    assert (
        lines == idle.report(2 * GIB, {}, [last], GIB, here, best).partition("/etc/conf.d/zram:")[2]
    )


def test_waiting_is_the_returns_times_the_time_of_each_the_median_and_the_99th_percentile() -> None:
    last = look(GIB, algorithm("lz4", GIB, 0.4, 4.0), returns=1500.0)
    assert cold_looks.stall(last, 4.0) == 6.0
    told = of_idle("x", GIB, {}, [last])["ages"][0]["algorithms"]["lz4"]  # type: ignore[index]
    assert (told["stall_ms_per_minute"], told["stall_ms_per_minute_p99"]) == (6.0, 18.0)
    (row,) = (line.split() for line in said(last, kernel()).split("\n") if line[:4] == "lz4 ")
    assert row[3:] == ["6.00", "18.00"]
    note = "(waiting for decompression; the kernel takes a few microseconds more for each page"
    assert note in said(last, kernel())
    algorithms = {"lz4": last.estimate.algorithms["lz4"].replace(decompress_us=None)}
    assert note not in said(
        last._replace(estimate=last.estimate.replace(algorithms=algorithms)), kernel()
    )


@pytest.mark.parametrize("params", [True, False, None])
def test_a_level_is_recommended_where_it_can_be_set(params: bool | None) -> None:
    """It needs algorithm_params as well, which most kernels with zstd lack."""
    cold = 2 * GIB
    last = look(cold, algorithm("zstd", cold, 0.30, 5.0, 3))
    here = kernel(algorithms=("lzo", "zstd"), algorithm_params=params, recompression=True)
    best = idle.recommended(last, 4 * GIB, here)
    assert (best is not None) == (params is not False)
    text = said(last, here)
    assert ("ZRAM_ALGORITHM_0" in text) == (params is not False)
