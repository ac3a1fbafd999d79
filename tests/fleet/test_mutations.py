# SPDX-License-Identifier: MIT
"""Any change to a number, time, comparison or half of an alert makes a case fail.

Each is changed alone, and Prometheus' own tool has to object to the cases of its alert.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
from fleet.programs import TREE

MONITORING = TREE / "monitoring"
MINUTES = {"m": 1, "h": 60, "d": 1440}
NUMBER = re.compile(r"(?<![\w.\[:])\d+(?:\.\d+)?(?![\w.\]])")
# The step of a subquery can only be told from a much longer one.
RANGE, STEP = re.compile(r"(?<=\[)(\d+)([mhd])"), re.compile(r"(?<=:)(\d+)([mhd])(?=\])")
FOR = re.compile(r"^ +for: (\d+)([mhd])\n", re.M)
COMPARISON = re.compile(r" (>=|>|<|==) ")
# What no case of the alert asks for would take most of the time.
RECORDS_NOTHING = "groups: [{name: zram, rules: []}]\n"
OTHER = {">=": ">", ">": ">=", "<": "<=", "==": "!="}


def alerts() -> dict[str, str]:
    """The text of each rule by its name."""
    parts = re.split(r"^(?= +- alert: )", (MONITORING / "alerts.yml").read_text(), flags=re.M)
    return {part.split()[2]: part for part in parts[1:]}


def cases(alert: str) -> str:
    """The part of tests.yml about one alert."""
    head, *parts = re.split(r"^(?=  - name: )", (MONITORING / "tests.yml").read_text(), flags=re.M)
    return head + "".join(part for part in parts if part.startswith(f'  - name: "{alert}:'))


def expression(rule: str) -> re.Match[str]:
    """Its expression, up to the next key."""
    found = re.search(r"^ +expr: (?:>-\n)?((?:.*\n)+?)(?= +(?:for|labels): )", rule, re.M)
    assert found
    return found


def ored(text: str) -> Iterator[str]:
    """Without each side of an ``or``."""
    sides = re.split(r"\s+or ", text.strip())
    if len(sides) > 1:
        for number in range(len(sides)):
            kept = sides[:number] + sides[number + 1 :]
            yield "          " + " or ".join(kept) + "\n"


def others(text: str) -> Iterator[str]:
    """An expression with one thing changed."""

    def put(found: re.Match[str], new: str) -> str:
        return text[: found.start()] + new + text[found.end() :]

    for found in NUMBER.finditer(text):
        value = float(found[0])
        for new in (value * 0.99, value * 1.01) if value > 1 or value % 1 else (1 - value,):
            yield put(found, f"{new:.10g}")
    for found in RANGE.finditer(text):
        minutes = int(found[1]) * MINUTES[found[2]]
        for new in (minutes - 2, minutes + 2):
            yield put(found, f"{new}m")
    for found in STEP.finditer(text):
        yield put(found, f"{int(found[1]) * 12}{found[2]}")
    for found in COMPARISON.finditer(text):
        yield put(found, f" {OTHER[found[1]]} ")
    yield from ored(text)
    for found in re.finditer(r'(?<=file=~")[^"]+', text):
        for new in (r".*/zram[^/]*[.]prom", r"zram[^/]*[.]prom", r"(.*/)?zram[.]prom", ".*zram.*"):
            yield put(found, new)
    for found in re.finditer(r',file!~"[^"]+"|\{\w+="[^"]+"\}', text):
        yield put(found, "")
    for found in re.finditer(r", (?:device|collector)(?=\))", text):
        yield put(found, "")
    for found in re.finditer(r"\s+(?:and|unless) on [^\n]*", text):
        yield put(found, "\n" if found.end() == len(text.rstrip("\n")) else "")


def mutants(rule: str) -> Iterator[str]:
    """One rule with one thing changed."""
    found = expression(rule)
    for text in others(found[1]):
        yield rule[: found.start(1)] + text + rule[found.end(1) :]
    for time in FOR.finditer(rule):
        minutes = int(time[1]) * MINUTES[time[2]]
        for line in (f"        for: {minutes - 1}m\n", f"        for: {minutes + 1}m\n", ""):
            yield rule[: time.start()] + line + rule[time.end() :]


def passes(promtool: Path, alert: str, folder: Path, rule: str) -> bool:
    """Whether the cases of an alert hold for such a rule."""
    folder.mkdir()
    recorded = (
        (MONITORING / "rules.yml").read_text() if "instance_device:" in rule else RECORDS_NOTHING
    )
    (folder / "rules.yml").write_text(recorded)
    (folder / "alerts.yml").write_text(f"groups:\n  - name: zram-alerts\n    rules:\n{rule}")
    (folder / "tests.yml").write_text(cases(alert))
    check, test = (
        subprocess.run([promtool, *words], cwd=folder, capture_output=True, text=True, check=False)
        for words in (("check", "rules", "alerts.yml"), ("test", "rules", "tests.yml"))
    )
    assert check.returncode == 0, rule + check.stdout + check.stderr
    return test.returncode == 0


@pytest.mark.parametrize("alert", alerts())
def test_a_case_fails_for_whatever_is_changed(tmp_path, promtool, alert):
    rule = alerts()[alert]
    assert passes(promtool, alert, tmp_path / "itself", rule)
    changed = list(mutants(rule))
    assert len(changed) > 1 + 2 * len(FOR.findall(rule))
    folders = [tmp_path / str(number) for number in range(len(changed))]
    with ThreadPoolExecutor(2) as pool:
        held = pool.map(partial(passes, promtool, alert), folders, changed)
        unnoticed = [rule for rule, passed in zip(changed, held, strict=True) if passed]
    assert not unnoticed, "\n".join(unnoticed)
