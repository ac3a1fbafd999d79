# SPDX-License-Identifier: MIT
"""The kernel's pressure stall information."""

from __future__ import annotations

from tended_machines import PSI

from pyzram.kernel.psi import parse_pressure


def test_pressure_text() -> None:
    found = parse_pressure(PSI.format("1.50", "0.25", 2_500_000))
    assert (found.some10, found.some300, found.total) == (1.5, 0.25, 2.5)
