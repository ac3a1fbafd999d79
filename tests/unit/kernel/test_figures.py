# SPDX-License-Identifier: MIT
"""The one table of figures, compared with what is made from it and with other descriptions."""

from __future__ import annotations

import ast
import inspect
import re

import pytest

from pyzram.device import stats
from pyzram.kernel import figure_reader, figures

SNAPSHOTS = {
    "mm_stat": stats.MmStat,
    "io_stat": stats.IoStat,
    "bd_stat": stats.BdStat,
    "debug_stat": stats.DebugStat,
    "stat": stats.BlockStat,
}
UNITS = {
    figures.BYTES,
    figures.PAGES,
    figures.REQUESTS,
    figures.EVENTS,
    figures.BD_UNITS,
    figures.SECTORS,
    figures.MILLISECONDS,
    figures.PERCENT,
    figures.FACTOR,
    figures.STREAMS,
    figures.PRIORITY,
    figures.FLAG,
    figures.TEXT,
}


def test_names_are_unique_and_units_and_kinds_are_known():
    assert len(figures.BY_NAME) == len(figures.FIGURES)
    metrics = [figure.metric for figure in figures.FIGURES if figure.metric]
    assert len(set(metrics)) == len(metrics)
    for figure in figures.FIGURES:
        assert figure.unit in UNITS
        assert figure.kind in (figures.GAUGE, figures.COUNTER, figures.INFO)
        assert (figure.kind == figures.INFO) == (figure.unit == figures.TEXT)


def test_help_fits_a_line_of_help_and_a_sentence():
    for figure in figures.FIGURES:
        assert 0 < len(figure.help) <= 52, figure.name
        assert figure.help[0].isalpha()
        assert not figure.help.endswith(".")


def test_the_fill_of_nothing_is_none_and_of_several_the_most():
    assert figures.fill((0, 0), (5, None), (None, 7)) is None
    assert figures.fill((1, 4), (0, 0)) == 25
    assert figures.fill((1, 4), (99, 100), (1, 2)) == 99


def test_every_figure_can_be_read():
    for figure in figures.FIGURES:
        if figure.derive is None and figure.name != "name":
            elsewhere = figure.source in (figures.SWAPS, figures.BLOCK)
            assert elsewhere or figure_reader.parser_of(figure.source), figure.name


@pytest.mark.parametrize("file", SNAPSHOTS)
def test_snapshots_have_the_figures_of_their_file_in_its_order(file):
    assert tuple(SNAPSHOTS[file].__dataclass_fields__) == figures.of_file(file)


@pytest.mark.parametrize("file", ["mm_stat", "io_stat", "bd_stat"])
def test_docstrings_of_snapshots_give_the_unit_of_the_table(file):
    (tree,) = ast.parse(inspect.getsource(SNAPSHOTS[file])).body
    assert isinstance(tree, ast.ClassDef)
    told = {
        field.target.id: text.value.value
        for field, text in zip(tree.body, tree.body[1:], strict=False)
        if isinstance(field, ast.AnnAssign)
        and isinstance(field.target, ast.Name)
        and isinstance(text, ast.Expr)
        and isinstance(text.value, ast.Constant)
    }
    assert tuple(told) == figures.of_file(file)
    for name, text in told.items():
        unit = figures.BY_NAME[name].unit.partition(" ")[0]
        # "Highest mem_used_total so far, in bytes": the unit is a word of the text.
        assert re.search(rf"\b{unit}\b", text.lower()), name


@pytest.mark.parametrize(
    ("compressed", "data", "ratio"),
    [(None, 5, None), (5, None, None), (5, 0, None), (0, 5, 0), (2, 3, 66), (3, 3, 100)],
)
def test_avg_compr_ratio(compressed, data, ratio):
    assert figures.avg_compr_ratio(compressed, data) == ratio


@pytest.mark.parametrize(
    ("used", "compressed", "overhead"),
    [(None, 5, None), (5, None, None), (4096, 0, None), (5, 5, 0), (8, 5, 60), (4, 5, -20)],
)
def test_mem_overhead(used, compressed, overhead):
    assert figures.mem_overhead(used, compressed) == overhead
