# SPDX-License-Identifier: MIT
"""Textfiles of two machines through a real node_exporter into a real Prometheus.

One is this machine, with a device of the test if possible, and the other a captured tree in
trouble. A third should have figures but has none. Alerts are loaded without the time that they wait
before they fire, and evaluated every second.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fake_roots import Machine, fill
from fleet.programs import TREE, Prometheus, UnavailableError, node_exporter, queries
from fleet.textfiles import command, tending

from pyzram.cli.metrics import SUFFIX
from pyzram.cli.stats import device_metrics
from pyzram.kernel import figures

MONITORING = TREE / "monitoring"
CONTROL = Path("/sys/class/zram-control")
TROUBLES = {
    "ZramPoolNearLimit",
    "ZramHugePagesDominate",
    "ZramBackingDeviceNearlyFull",
    "ZramWritebackBudgetUsedUp",
    "ZramErrors",
    "ZramSwapNearlyFull",
    "ZramSwapAndPoolFull",
    "ZramTextfileStale",
    "ZramScrapeFailed",
    "ZramTendHangs",
    "ZramTendBackedOff",
    "ZramDoctorFinding",
}
M = 1 << 20


@contextlib.contextmanager
def own_device() -> Iterator[str | None]:
    """A device of the test, with 4 MiB of data; ``None`` if this user may not have one."""
    if os.geteuid() != 0 or not CONTROL.is_dir():
        yield None
        return
    number = int((CONTROL / "hot_add").read_text())
    try:
        Path(f"/sys/block/zram{number}/disksize").write_text(str(64 * M))
        with open(f"/dev/zram{number}", "r+b", buffering=0) as node:
            node.write((b"zram" * 1000 + os.urandom(96)) * 1024)
            os.fsync(node.fileno())
        yield f"zram{number}"
    finally:
        (CONTROL / "hot_remove").write_text(str(number))


class Troubled:
    """A machine that has everything an alert is for, on zram0; zram1 has used up its limit.

    zram0 has not, but a pyzram tend at work on it has less left of its budget than a step takes.
    """

    def __init__(self, folder: Path, textfiles: Path) -> None:
        self.textfiles = textfiles
        self.here = here = Machine(folder, "vm-7.x-multi")
        here.swap("/dev/zram0 partition 1000 970 100")
        here.mount("/mnt")
        here.block("loop7", 100 * 8)
        numbers = (40 * M, 20 * M, 21 * M, 22 * M, 21 * M, 0, 3, 4000, 4000)
        self.set("mm_stat", numbers)
        self.set("bd_stat", (95, 34, 56))
        here.attribute("writeback_limit_enable").write_text("1\n")
        here.add(1)
        here.attribute("writeback_limit", 1).write_text("0\n")
        for path, text in (("sys/module/zswap/parameters/enabled", "Y\n"), ("proc/cmdline", "\n")):
            file = here.root / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        self.write("pyzram", "doctor", "--textfile", textfiles / "zram-doctor.prom")
        command(
            "pyzram", "estimate", "--textfile", textfiles / "zram-estimate.prom", folder / "none"
        )
        # A survey may be old, but not a file that used to be written every minute.
        os.utime(textfiles / "zram-estimate.prom", (1, 1))
        (textfiles / "zram-old.prom").write_text("")
        os.utime(textfiles / "zram-old.prom", (1, 1))
        with tending(here, folder / "tend", "4M") as environment:
            tend = textfiles / "zram-tend.prom"
            command("pyzram", "tend", "--textfile", tend, **environment)
        # As if two errors had occurred, and no round had ended for an hour.
        backoff = 'zram_tend_backoff_seconds{device="zram0"}'
        text = tend.read_text()
        assert f"{backoff} 0.0\n" in text
        tend.write_text(text.replace(f"{backoff} 0.0\n", f"{backoff} 120.0\n"))
        os.utime(tend, (time.time() + 3600,) * 2)
        self.turn = 0

    def write(self, name: str, *words: str | Path) -> None:
        command(name, *words, PYZRAM_ROOT=str(self.here.root))

    def set(self, name: str, numbers: tuple[int, ...]) -> None:
        file = self.here.attribute(name)
        file.write_text(fill(file.read_text(), numbers))

    def work(self) -> None:
        """Make something be read, written, refused and written back."""
        self.turn += 1
        self.set("io_stat", (self.turn, self.turn, 0, 8192))
        self.set("bd_stat", (95, 34, 56 + self.turn))
        self.set("stat", tuple(n * (self.turn + 1) for n in (223, 0, 1784, 1, 8928, 0, 71424, 20)))
        self.write("zram_stats", "--textfile", self.textfiles / "zram.prom")


class Fleet:
    def __init__(
        self, prometheus: Prometheus, device: str | None, troubled: Troubled, well: Path
    ) -> None:
        self.prometheus = prometheus
        self.device = device
        self.troubled = troubled
        self.well = well

    def until(self, holds: Callable[[], bool], seconds: float = 60) -> None:
        """Let the troubled machine work until something holds."""
        deadline = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < deadline, "it never came to hold"
            self.troubled.work()
            time.sleep(0.5)


@pytest.fixture(scope="module")
def fleet(tmp_path_factory) -> Iterator[Fleet]:
    top = tmp_path_factory.mktemp("fleet")
    folders = {name: top / f"{name}-textfiles" for name in ("well", "troubled", "silent")}
    for folder in folders.values():
        folder.mkdir()
    rules = top / "rules"
    rules.mkdir()
    for name in ("rules.yml", "alerts.yml"):
        text = (MONITORING / name).read_text()
        text = re.sub(r"^( +)interval: .*", r"\1interval: 1s", text, flags=re.M)
        (rules / name).write_text(re.sub(r"^ +for: .*\n", "", text, flags=re.M))
    with contextlib.ExitStack() as stack:
        device = stack.enter_context(own_device())
        if device:
            command("zram_stats", "--textfile", folders["well"] / "zram.prom", device)
        else:
            tree = Machine(top / "well", "6.18").root
            command(
                "zram_stats", "--textfile", folders["well"] / "zram.prom", PYZRAM_ROOT=str(tree)
            )
        troubled = Troubled(top / "troubled", folders["troubled"])
        troubled.work()
        try:
            exporters = {
                name: stack.enter_context(node_exporter(folder, top / f"{name}.log"))
                for name, folder in folders.items()
            }
        except UnavailableError as err:
            pytest.skip(str(err))
        targets = "".join(
            f"      - targets: ['{server.url.removeprefix('http://')}']\n"
            f"        labels: {{instance: {name}{', zram: expected' * (name != 'troubled')}}}\n"
            for name, server in exporters.items()
        )
        config = top / "prometheus.yml"
        config.write_text(
            "global: {scrape_interval: 1s, evaluation_interval: 1s}\n"
            f"rule_files: ['{rules}/*.yml']\n"
            "scrape_configs:\n  - job_name: node\n    static_configs:\n" + targets
        )
        for server in exporters.values():
            server.wait("/metrics")
        prometheus = Prometheus(config, top / "data", top / "prometheus.log")
        stack.enter_context(prometheus)
        prometheus.wait("/-/ready")
        yield Fleet(prometheus, device, troubled, folders["well"])
    shutil.rmtree(top / "data", ignore_errors=True)


def instances(samples: list[dict[str, Any]]) -> set[str]:
    return {sample["metric"]["instance"] for sample in samples}


def test_all_machines_are_scraped_without_an_error(fleet):
    fleet.until(lambda: len(fleet.prometheus.query("zram_disksize_bytes")) == 3)
    fleet.until(lambda: len(fleet.prometheus.query("node_textfile_scrape_error")) == 3)
    for target in fleet.prometheus.api("targets")["activeTargets"]:
        assert (target["health"], target["lastError"]) == ("up", "")
    errors = fleet.prometheus.query("node_textfile_scrape_error")
    assert [sample["value"][1] for sample in errors] == ["0", "0", "0"]


def test_the_figures_of_a_device_arrive(fleet):
    if fleet.device is None:
        pytest.skip("needs root and a zram driver")
    fleet.until(lambda: "well" in instances(fleet.prometheus.query("zram_orig_data_size_bytes")))
    (sample,) = fleet.prometheus.query('zram_orig_data_size_bytes{instance="well"}')
    assert sample["metric"]["device"] == fleet.device
    assert int(sample["value"][1]) == 4 * M


def test_types_and_help_arrive(fleet):
    fleet.until(lambda: bool(fleet.prometheus.api("metadata", metric="zram_scrape_success")))
    told = fleet.prometheus.api("metadata")
    for figure in device_metrics.NUMBERS:
        unit, _ = device_metrics.BASE_UNITS.get(figure.unit, ("", 1))
        name = "_".join(word for word in ("zram", figure.metric, unit) if word)
        (entry,) = told[name + SUFFIX[figure.kind]]
        assert entry["type"] == figure.kind, name
        assert entry["help"] == f"{figure.help[0].upper()}{figure.help[1:]}.", name
    for figure in figures.FIGURES:
        if figure.metric and figure.kind == figures.INFO:
            (entry,) = told[f"zram_{figure.metric}_info"]
            assert entry["type"] == "gauge"


def test_rules_load_and_record(fleet):
    groups = fleet.prometheus.api("rules")["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    recorded = [rule["name"] for rule in rules if rule["type"] == "recording"]
    assert len(recorded) == 13
    for name in recorded:
        fleet.until(lambda name=name: bool(fleet.prometheus.query(name)))
    groups = fleet.prometheus.api("rules")["groups"]
    assert {rule["health"] for group in groups for rule in group["rules"]} == {"ok"}


def test_alerts_fire_for_the_troubled_machine_and_the_silent_one_alone(fleet):
    def firing() -> set[tuple[str, str]]:
        found = fleet.prometheus.query('ALERTS{alertstate="firing"}')
        return {(s["metric"]["alertname"], s["metric"]["instance"]) for s in found}

    wanted = {*((name, "troubled") for name in TROUBLES), ("ZramMissing", "silent")}
    fleet.until(lambda: wanted <= firing())
    assert {instance for _, instance in firing()} == {"troubled", "silent"}


def test_a_budget_is_used_up_by_the_kernels_limit_and_by_that_of_tend(fleet):
    alert = 'ALERTS{alertname="ZramWritebackBudgetUsedUp",alertstate="firing"}'

    def devices() -> set[str]:
        return {sample["metric"]["device"] for sample in fleet.prometheus.query(alert)}

    fleet.until(lambda: devices() == {"zram0", "zram1"})
    (left,) = fleet.prometheus.query("zram_tend_budget_left_bytes")
    assert left["metric"]["device"] == "zram0" and int(left["value"][1]) < 4 * M


@pytest.mark.parametrize(("expression", "instant"), queries(MONITORING / "dashboard.json"))
def test_each_query_of_the_dashboard_has_data(fleet, expression, instant):
    """Ask for one moment, and over time as Grafana does for a graph."""

    def answer() -> list[dict[str, Any]]:
        if instant:
            return fleet.prometheus.query(expression)
        now = time.time()
        return fleet.prometheus.query_range(expression, now - 60, now, 1)

    fleet.until(lambda: bool(answer()))
    for series in answer():
        for _, value in series.get("values") or [series["value"]]:
            assert value != "NaN"


def test_the_variables_of_the_dashboard_have_values(fleet):
    """As Grafana asks for label_values(), again for each range, since machines come and go."""
    variables = json.loads((MONITORING / "dashboard.json").read_text())["templating"]["list"]
    asked = [variable for variable in variables if variable["type"] == "query"]
    assert [variable["name"] for variable in asked] == ["job", "instance"]
    found = {}
    for variable in asked:
        series, label = re.findall(r"label_values\((.*), (\w+)\)", variable["query"])[0]
        wanted = {"match[]": series.replace("$job", ".*")}
        found[label] = fleet.prometheus.api(f"label/{label}/values", **wanted)
        assert variable["refresh"] == 2
    assert found == {"job": ["node"], "instance": ["troubled", "well"]}


def test_a_device_that_is_gone_does_not_stay(fleet):
    troubled = fleet.troubled
    there = 'zram_disksize_bytes{device="zram2"}'
    troubled.here.add(2)
    fleet.until(lambda: bool(fleet.prometheus.query(there)))
    shutil.rmtree(troubled.here.root / "sys/block/zram2")
    fleet.until(lambda: not fleet.prometheus.query(there))
    assert "troubled" in instances(fleet.prometheus.query("zram_disksize_bytes"))


def test_without_the_driver_nothing_stays_and_the_file_says_so(fleet, tmp_path):
    command("zram_stats", "--textfile", fleet.well / "zram.prom", PYZRAM_ROOT=str(tmp_path))
    fleet.until(lambda: "well" not in instances(fleet.prometheus.query("zram_disksize_bytes")))
    success = fleet.prometheus.query('zram_scrape_success{instance="well",collector="zram_stats"}')
    assert [sample["value"][1] for sample in success] == ["0"]
