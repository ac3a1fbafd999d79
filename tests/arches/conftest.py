# SPDX-License-Identifier: MIT
"""Whatever is missing is a skip with the reason; a failure with PYZRAM_REQUIRE_ARCHES=1."""

from __future__ import annotations

import os

import pytest
from arches.parts import table
from vm.archive import UnavailableError


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item):
    try:
        return (yield)
    except UnavailableError as err:
        if os.environ.get("PYZRAM_REQUIRE_ARCHES") == "1":
            raise
        pytest.skip(str(err))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """The table of counts, last: of what ran now, and what was kept since it passed."""
    reports = [report for reports in terminalreporter.stats.values() for report in reports]
    found = [
        dict(report.user_properties)["counts"]
        for report in reports
        if getattr(report, "when", None) == "call" and "counts" in dict(report.user_properties)
    ]
    for line in table(sorted(found, key=lambda row: (row.arch, row.part))):
        terminalreporter.write_line(line)
