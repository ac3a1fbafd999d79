# SPDX-License-Identifier: MIT
"""Metrics, rules and alerts as Prometheus's own tool sees them."""

from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from contextlib import redirect_stdout
from pathlib import Path

import pytest
from fake_roots import Machine
from fleet.programs import TREE

from pyzram.cli import doctor, zram_stats
from pyzram.cli.tend import textfile as tend_textfile

MONITORING = TREE / "monitoring"
KNOWN = {"written": 6, "regret": 0.25, "caution": 1.3, "backoff": 120.0}
HEADING = re.compile(r"^#+ (Zram\w+)$", re.M)


def check_metrics(promtool: Path, text: str) -> None:
    done = subprocess.run(
        [promtool, "check", "metrics"], input=text, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def printed(*words: str) -> str:
    with redirect_stdout(io.StringIO()) as out:
        assert zram_stats.main([*words]) == 0
    return out.getvalue()


@pytest.mark.parametrize("kernel", ["vm-6.1", "vm-6.12", "6.18", "vm-7.x-multi"])
@pytest.mark.parametrize("devices", ["none", "empty", "one", "several", "odd"])
def test_check_metrics(tmp_path, monkeypatch, promtool, kernel, devices):
    here = Machine(tmp_path, kernel, "fresh" if devices == "none" else "used")
    monkeypatch.setenv("PYZRAM_ROOT", str(tmp_path))
    if devices == "empty":
        here.attribute("mm_stat").write_text("0 0 0 0 0 0 0 0 0\n")
    if devices == "several":
        here.add(1)
        here.swap("/dev/zram1 partition 65532 1468 -2")
        here.mount("/mnt", 0)
    if devices == "odd":
        odd = bytes(n for n in range(1, 256) if n != 10)
        here.attribute("comp_algorithm").write_bytes(b'[a"\\b\xff{}]\n')
        if here.attribute("backing_dev").exists():
            here.attribute("backing_dev").write_bytes(b"/" + odd + b"\n")
        here.mount('/"\\134\\012\\040{}é')
    check_metrics(promtool, printed("--prometheus"))


def test_check_metrics_of_a_doctor(tmp_path, monkeypatch, promtool):
    Machine(tmp_path / "root", "6.18")
    monkeypatch.setenv("PYZRAM_ROOT", str(tmp_path / "root"))
    assert doctor.main(["--textfile", str(tmp_path / "doctor.prom")]) == 0
    check_metrics(promtool, (tmp_path / "doctor.prom").read_text())


def test_check_metrics_of_tend(tmp_path, monkeypatch, promtool):
    devices = [{"name": f"zram{n}", "medium": n, "budget": n, "left": 1, "free": 0} for n in (0, 1)]
    status = {"mode": "held", "pressure": 0.25, "time": 1e9, "seen": {"devices": devices}}
    status["devices"] = {f"zram{n}": KNOWN for n in (0, 1)}
    for seen in (None, status):
        monkeypatch.setattr(tend_textfile, "read_status", lambda run, seen=seen: seen)
        tend_textfile.textfile(str(tmp_path / "tend.prom"), str(tmp_path))
        check_metrics(promtool, (tmp_path / "tend.prom").read_text())


def test_rules_and_alerts(promtool):
    for words in (("check", "rules", "rules.yml", "alerts.yml"), ("test", "rules", "tests.yml")):
        done = subprocess.run(
            [promtool, *words], cwd=MONITORING, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_query_for_the_survey_is_the_one_that_is_tested():
    page = (TREE / "docs/fleet.md").read_text()
    (query,) = re.findall(r"^sum by \(algorithm\).*zram_estimate.*$", page, re.M)
    assert f"- expr: {query}\n" in (MONITORING / "tests.yml").read_text()


def alerts() -> dict[str, str]:
    """Name of each alert to its text."""
    parts = re.split(r"^ +- alert: ", (MONITORING / "alerts.yml").read_text(), flags=re.M)[1:]
    return {part.split()[0]: part for part in parts}


def test_each_alert_leads_to_a_part_of_the_documentation():
    page = (TREE / "docs/fleet.md").read_text()
    for name, text in alerts().items():
        (url,) = re.findall(r"runbook_url: \S+/(\S+)", text)
        assert url == f"fleet.md#{name.lower()}"
    assert set(HEADING.findall(page)) == set(alerts())


def test_every_metric_that_rules_alerts_and_dashboard_ask_for_exists(tmp_path, monkeypatch):
    asked = set()
    for name in ("rules.yml", "alerts.yml", "dashboard.json"):
        text = (MONITORING / name).read_text()
        asked |= set(re.findall(r"(?<![:\w])(?:py)?zram_\w+", text))
    here = Machine(tmp_path / "root", "vm-7.x-multi")
    here.swap("/dev/zram0 partition 65532 1468 -2")
    here.block("loop7", 800)
    monkeypatch.setenv("PYZRAM_ROOT", str(tmp_path / "root"))
    doctor.main(["--textfile", str(tmp_path / "doctor.prom")])
    device = {"name": "zram0", "medium": "m", "budget": 9, "left": 8, "free": 7}
    status = {"mode": "calm", "pressure": 0.5, "time": 1e9, "seen": {"devices": [device]}}
    status["devices"] = {"zram0": KNOWN}
    monkeypatch.setattr(tend_textfile, "read_status", lambda run: status)
    tend_textfile.textfile(str(tmp_path / "tend.prom"), str(tmp_path))
    text = printed("--prometheus")
    text += "".join((tmp_path / f"{name}.prom").read_text() for name in ("doctor", "tend"))
    assert asked - {"zram_stats"} <= set(re.findall(r"^\w+", text, re.M))


def test_the_dashboard_is_what_its_generator_makes(tmp_path):
    pytest.importorskip(
        "grafana_foundation_sdk", reason="needs grafana-foundation-sdk: make dashboard"
    )
    made = tmp_path / "dashboard.json"
    subprocess.run([sys.executable, TREE / "tools/dashboard.py", made], check=True)
    assert made.read_text() == (MONITORING / "dashboard.json").read_text()


def test_the_dashboard_has_numbered_panels_and_a_query_in_each():
    panels = json.loads((MONITORING / "dashboard.json").read_text())["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert all(panel.get("targets") for panel in panels if panel["type"] != "row")


def test_debians_node_exporter_looks_where_the_service_writes(promtool):
    """This is its built-in default, because its service passes no other."""
    node_exporter = promtool.with_name("prometheus-node-exporter")
    told = subprocess.run([node_exporter, "--help"], capture_output=True, text=True, check=False)
    (folder,) = re.findall(r'--collector\.textfile\.directory="([^"]+)"', told.stdout + told.stderr)
    unit = (TREE / "initscripts/systemd/zram-textfile.service").read_text()
    assert f"Environment=DIRECTORY={folder}\n" in unit
    defaults = promtool.parents[2] / "etc/default/prometheus-node-exporter"
    assert re.search(r'^ARGS=""$', defaults.read_text(), re.M)
