# SPDX-License-Identifier: MIT
"""``pyzram tend --textfile``, whatever a daemon of another version has left behind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pyzram.cli.tend import textfile

DEVICE = {"name": "zram0", "budget": 9, "left": 8, "free": 7, "medium": "card"}
KNOWN = {"written": 6, "regret": 0.25, "caution": 1.3, "backoff": 120.0}
STATUS = {
    "mode": "calm",
    "pressure": 0.5,
    "time": 1e9,
    "seen": {"devices": [DEVICE]},
    "devices": {"zram0": KNOWN},
}


def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: dict[str, Any]) -> list[str]:
    monkeypatch.setattr(textfile, "read_status", lambda run: status)
    path = tmp_path / "tend.prom"
    assert textfile.textfile(str(path), str(tmp_path)) == 0
    return [line for line in path.read_text().split("\n") if line and line[0] != "#"]


def test_a_daemon_is_told_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines = written(tmp_path, monkeypatch, STATUS)
    assert {line for line in lines if "device" in line} == {
        'zram_tend_budget_bytes{device="zram0"} 9',
        'zram_tend_budget_left_bytes{device="zram0"} 8',
        'zram_tend_backing_free_bytes{device="zram0"} 7',
        'zram_tend_written_bytes_total{device="zram0"} 6',
        'zram_tend_regret_ratio{device="zram0"} 0.25',
        'zram_tend_caution_ratio{device="zram0"} 1.3',
        'zram_tend_backoff_seconds{device="zram0"} 120.0',
    }
    assert 'zram_scrape_success{collector="tend"} 1' in lines


def test_without_a_backing_device_only_errors_are_told_of(tmp_path, monkeypatch) -> None:
    seen = {"devices": [{**DEVICE, "medium": ""}]}
    lines = written(tmp_path, monkeypatch, {**STATUS, "seen": seen})
    of_device = [line for line in lines if "device" in line]
    assert of_device == ['zram_tend_backoff_seconds{device="zram0"} 120.0']


@pytest.mark.parametrize(
    "other",
    [
        {"pressure": "much"},
        {"pressure": None},
        {"time": None},
        {"seen": {"devices": [{**DEVICE, "left": None}]}},
        {"seen": {"devices": [{**DEVICE, "left": "all"}]}},
        {"seen": {"devices": [{**DEVICE, "budget": float("inf")}]}},
        {"seen": {"devices": [{"name": "zram0", "medium": "card", "budget": 9}]}},
        {"devices": None},
        {"devices": {}},
        {"devices": {"zram0": {**KNOWN, "backoff": None}}},
        {"devices": {"zram0": {**KNOWN, "written": "much"}}},
        {"seen": []},
        {"seen": None},
    ],
    ids=str,
)
def test_what_another_version_says_otherwise_is_no_success(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, other: dict[str, Any]
) -> None:
    lines = written(tmp_path, monkeypatch, {**STATUS, **other})
    assert lines[:2] == ["zram_tend_up 1", 'zram_scrape_success{collector="tend"} 0']
    assert len(lines) == 3


def test_a_damaged_status_is_no_success_and_says_nothing_of_the_daemon(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "run/tend/status.json"
    file.parent.mkdir(parents=True)
    file.write_text("{")
    file.chmod(0o600)
    path = tmp_path / "tend.prom"
    assert textfile.textfile(str(path), str(tmp_path / "run")) == 0
    text = path.read_text()
    assert "zram_tend_up " not in text
    assert 'zram_scrape_success{collector="tend"} 0' in text
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert str(file) in told
