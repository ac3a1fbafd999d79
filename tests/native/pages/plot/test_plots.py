# SPDX-License-Identifier: MIT
"""Pictures, tested by their structure: the artists and what they show, not pixels."""

from __future__ import annotations

import itertools
import random
from pathlib import Path
from typing import Any

import pytest

from pyzram.pages.estimate.estimate import Estimate
from pyzram.pages.estimate.estimator import estimate_pages
from pyzram.pages.plot import bench as plot_bench
from pyzram.pages.plot import cold as plot_cold
from pyzram.pages.plot import estimate as plot_estimate
from pyzram.pages.plot import plot
from pyzram.pages.source.file_sources import open_files

pytest.importorskip("matplotlib")


@pytest.fixture(scope="module")
def estimate(tmp_path_factory: pytest.TempPathFactory) -> Estimate:
    path = tmp_path_factory.mktemp("plots") / "pages"
    zeros, text = bytes(40 * 4096), b"".join(b"%08d" % (i * 7919 % 10**8) for i in range(512 * 60))
    path.write_bytes(zeros + text)
    with open_files([str(path)], page_size=4096) as source:
        return estimate_pages(source, ["lz4", "zstd"], full=True, timing=False)


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The figures that would have been written."""
    figures: list[Any] = []
    for module in (plot_estimate, plot_cold, plot_bench):
        monkeypatch.setattr(module, "save", lambda figure, path: figures.append(figure))
    return figures


def test_the_lines_are_cumulative_and_the_area_is_what_is_saved(estimate: Estimate) -> None:
    for algorithm in estimate.algorithms.values():
        lengths, shares = plot_estimate.cumulative(algorithm, estimate.pool)
        assert lengths == sorted(lengths) and shares == sorted(shares)
        assert shares[0] == pytest.approx(40.0)
        assert (lengths[-1], shares[-1]) == (4096, 100.0)
        area = sum(
            share * (right - left)
            for share, left, right in zip(shares, lengths, lengths[1:], strict=False)
        )
        stored = 1 - area / 100 / 4096
        assert stored == pytest.approx(algorithm.figures.compr_data_size / (100 * 4096), abs=0.02)


def test_all_algorithms_are_in_one_panel(
    estimate: Estimate, drawn: list[Any], tmp_path: Path
) -> None:
    plot_estimate.plot_estimate(estimate, str(tmp_path / "x.png"))
    (axis,) = drawn[0].axes
    labels = [text.get_text() for text in axis.get_legend().get_texts()]
    assert [label.partition(":")[0] for label in labels] == ["zstd", "lz4"]
    styles = {(line.get_color(), str(line.get_linestyle())) for line in axis.lines}
    assert len(styles) == len(axis.lines), "no two lines look alike"
    assert axis.get_xlabel() and axis.get_ylabel()


def test_cold_memory_is_stacked_to_all_of_it(
    estimate: Estimate, drawn: list[Any], tmp_path: Path
) -> None:
    total = estimate.pages * 4096 * 2
    ages = [(30.0, total, estimate), (600.0, total, estimate)]
    plot_cold.plot_cold(ages, "test", str(tmp_path / "x.png"))
    (axis,) = drawn[0].axes
    heights = [sum(bars[i].get_height() for bars in axis.containers) for i in range(2)]
    assert heights == pytest.approx([total / (1 << 20)] * 2)
    assert [label.get_text() for label in axis.get_xticklabels()] == ["30 s", "10 min"]
    labels = [bars.get_label() for bars in axis.containers]
    assert labels == ["touched", "cold, in zram with zstd", "cold, memory gained"]
    assert axis.get_ylabel() == "MiB"


def test_cold_memory_is_drawn_with_what_takes_least_of_the_oldest_that_is_cold(
    estimate: Estimate, drawn: list[Any], tmp_path: Path
) -> None:
    (tmp_path / "empty").touch()
    with open_files([str(tmp_path / "empty")], page_size=4096) as source:
        none = estimate_pages(source, ["lz4", "zstd"], full=True, timing=False)
    for ages, label in (
        ([(30.0, 1 << 20, estimate), (600.0, 1 << 20, none)], "cold, in zram with zstd"),
        ([(30.0, 1 << 20, none)], "cold, in zram"),
    ):
        plot_cold.plot_cold(ages, "test", str(tmp_path / "x.png"))
        assert drawn[-1].axes[0].containers[1].get_label() == label


def estimate_of(path: Path, data: bytes) -> Estimate:
    path.write_bytes(data)
    with open_files([str(path)], page_size=4096) as source:
        return estimate_pages(source, ["lz4", "zstd"], full=True, timing=False)


def test_the_algorithm_that_is_recommended_is_drawn_and_a_better_one_is_a_mark(
    estimate: Estimate, drawn: list[Any], tmp_path: Path
) -> None:
    total = estimate.pages * 4096 * 2
    plot_cold.plot_cold([(60.0, total, estimate)], "test", str(tmp_path / "x.png"), "lz4")
    (axis,) = drawn[-1].axes
    assert axis.containers[1].get_label() == "cold, in zram with lz4"
    taken = {k: a.figures.mem_used_total for k, a in estimate.algorithms.items()}
    assert axis.containers[1][0].get_height() == pytest.approx(taken["lz4"] / (1 << 20))
    (mark,) = axis.collections
    assert mark.get_label() == "with zstd only up to here"
    ((_, height), (_, same)) = mark.get_segments()[0]
    assert height == same == pytest.approx((total / 2 + taken["zstd"]) / (1 << 20))
    plot_cold.plot_cold([(60.0, total, estimate)], "test", str(tmp_path / "x.png"), "zstd")
    assert not drawn[-1].axes[0].collections


def test_bars_are_never_higher_than_what_was_watched(drawn: list[Any], tmp_path: Path) -> None:
    few = estimate_of(tmp_path / "few", b"".join(b"%08d" % (i * 7919) for i in range(512 * 8)))
    figures = few.algorithms["lz4"].figures
    assert figures.mem_used_total > figures.orig_data_size
    ages = [(5.0, 16 * 4096, few), (10.0, 16 * 4096, few)]
    plot_cold.plot_cold(ages, "test", str(tmp_path / "x.png"), "lz4")
    (axis,) = drawn[-1].axes
    heights = {bars.get_label(): bars[0].get_height() for bars in axis.containers}
    assert sum(heights.values()) == pytest.approx(16 * 4096 / (1 << 20))
    assert heights["cold, nothing gained"] == pytest.approx(8 * 4096 / (1 << 20))
    assert heights["cold, memory gained"] == 0


SERIES = ([5.0], [30.0, 600.0], [30.0, 120.0, 600.0], [5.0, 6.0, 3600.0])


@pytest.mark.parametrize("series", [*SERIES, [float(n) for n in range(1, 11)]], ids=str)
def test_ages_are_drawn_to_scale_and_no_text_is_wider_than_its_bar(
    estimate: Estimate, drawn: list[Any], tmp_path: Path, series: list[float]
) -> None:
    total = estimate.pages * 4096 * 2
    ages = [(age, total, estimate) for age in series]
    plot_cold.plot_cold(ages, "test", str(tmp_path / "x.png"))
    (axis,) = drawn[-1].axes
    bars = list(axis.containers[0])
    middles = [bar.get_x() + bar.get_width() / 2 for bar in bars]
    assert [2**at for at in middles] == pytest.approx(series)
    assert all(
        one.get_x() + one.get_width() < other.get_x() for one, other in itertools.pairwise(bars)
    )
    drawn[-1].draw_without_rendering()
    wide = bars[0].get_tightbbox().width
    for text in axis.texts:
        assert text.get_tightbbox().width <= max(wide, 14), text
    boxes = [label.get_tightbbox() for label in axis.get_xticklabels()]
    assert all(one.x1 <= other.x0 for one, other in itertools.pairwise(boxes))


def test_lines_that_lie_on_the_edge_are_told_in_words(drawn: list[Any], tmp_path: Path) -> None:
    noise = random.Random(1).randbytes(64 * 4096)
    for data, says in (
        (noise, "every page is kept raw: no algorithm saves anything"),
        (bytes(64 * 4096), "every page is same-filled: none takes memory"),
        (b"", "nothing to show: there are no pages"),
    ):
        plot_estimate.plot_estimate(estimate_of(tmp_path / "data", data), str(tmp_path / "x.png"))
        assert says in [text.get_text() for text in drawn[-1].axes[0].texts]
    both = estimate_of(tmp_path / "data", noise + bytes(4096))
    plot_estimate.plot_estimate(both, str(tmp_path / "x.png"))
    assert not any("every" in text.get_text() for text in drawn[-1].axes[0].texts)


def test_marks_tell_algorithms_apart_without_colour() -> None:
    assert len({mark for _, mark, _ in plot.MARKS.values()}) == len(plot.MARKS)
    assert len({dashes for _, _, dashes in plot.MARKS.values()}) == len(plot.MARKS)
