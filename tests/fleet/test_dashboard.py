# SPDX-License-Identifier: MIT
"""Graphs of machines draw the twenty that rank first at their end, each over the whole range.

Thirty machines change places in six hours. Their samples are put into Debian's Prometheus in its
own format, and each query is asked as Grafana asks it, without any feature flag.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections.abc import Iterator

import pytest
from fleet.programs import TREE, Prometheus, UnavailableError, panels

DASHBOARD = TREE / "monitoring/dashboard.json"
MACHINES, SHOWN = 30, 20
HOURS, MINUTE, STEP = 6, 60, 300
CHOSEN = [
    pytest.param(text, id=f"{title} {number}")
    for title, queries in panels(DASHBOARD).items()
    for number, (text, _) in enumerate(queries)
    if "topk" in text or "bottomk" in text
]
METRIC = re.compile(r"\b((?:instance_device:)?zram_[\w:]+)\{")


def series(metric: str, machine: int, start: int) -> Iterator[str]:
    """A gauge, or the rate of a counter, falls from high to low, or the reverse."""
    last = MACHINES - 1
    labels = f'{{job="node",instance="machine-{machine}",device="zram0"}}'
    total = 0.0
    for minute in range(HOURS * 60 + 1):
        part = minute / (HOURS * 60)
        # No two are alike, at the end or in all.
        now = 0.5 * machine * (1 - part) + (last - machine) * part + 1
        total += now
        value = total if metric.endswith("_total") else now
        yield f"{metric}{labels} {value} {start + minute * MINUTE}\n"


@pytest.fixture(scope="module")
def start() -> int:
    """More than six hours ago: Prometheus has kept it, and none of it is in the future."""
    return int(time.time()) // 3600 * 3600 - (HOURS + 1) * 3600


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory, promtool, start) -> Iterator[Prometheus]:
    folder = tmp_path_factory.mktemp("dashboard")
    metrics = sorted({name for case in CHOSEN for name in METRIC.findall(str(case.values[0]))})
    with (folder / "samples").open("w") as file:
        for metric in metrics:
            kind = "counter" if metric.endswith("_total") else "gauge"
            file.write(f"# TYPE {metric.removesuffix('_total')} {kind}\n")
            for machine in range(MACHINES):
                file.writelines(series(metric, machine, start))
        file.write("# EOF\n")
    made = ["tsdb", "create-blocks-from", "openmetrics", folder / "samples", folder / "data"]
    subprocess.run([promtool, *made], check=True, stdout=subprocess.DEVNULL)
    (folder / "prometheus.yml").write_text("{}\n")
    try:
        server = Prometheus(folder / "prometheus.yml", folder / "data", folder / "log")
    except UnavailableError as err:
        pytest.skip(str(err))
    with server:
        server.wait("/-/ready")
        yield server
    shutil.rmtree(folder / "data")


def drawn(prometheus: Prometheus, expression: str, start: int) -> dict[str, int]:
    """Points of each machine's line."""
    # Rates have a past at each point.
    first, end = start + 2 * 3600, start + HOURS * 3600
    found = prometheus.query_range(expression, first, end, STEP)
    return {line["metric"]["instance"]: len(line["values"]) for line in found}


@pytest.mark.parametrize("expression", CHOSEN)
def test_the_first_at_the_end_are_drawn_over_all_of_the_time(prometheus, start, expression):
    points = 4 * 3600 // STEP + 1
    lowest = "bottomk" in expression
    of_the_end = range(MACHINES - SHOWN, MACHINES) if lowest else range(SHOWN)
    wanted = {f"machine-{machine}": points for machine in of_the_end}
    assert drawn(prometheus, expression, start) == wanted


def test_a_bare_topk_would_draw_all_that_were_ever_among_the_first(prometheus, start):
    found = drawn(prometheus, f"topk({SHOWN}, zram_mem_used_bytes)", start)
    assert len(found) > SHOWN


def test_there_are_such_graphs():
    assert len(CHOSEN) >= 12
