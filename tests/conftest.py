# SPDX-License-Identifier: MIT
"""Settings and fixtures for all rings."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest
from effort import effort

# A shell starts background jobs with SIGINT ignored, nohup does so with SIGHUP, and children
# inherit that. Tests of signals need the handlers that a terminal gives.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)

# How long examples take, or making them, means nothing on a shared machine, or under a sanitizer.
with contextlib.suppress(ImportError):
    from hypothesis import HealthCheck, settings

    examples = effort(settings().max_examples)
    # To judge a change, use the same examples each time; otherwise look for new ones.
    judged = "CI" in os.environ
    settings.register_profile(
        "pyzram",
        deadline=None,
        max_examples=examples,
        derandomize=judged,
        suppress_health_check=[HealthCheck.too_slow],
    )
    settings.load_profile("pyzram")


@pytest.fixture(autouse=True)
def signals_as_they_were() -> Iterator[None]:
    """Restore signal handlers that a command run in this process has left behind."""
    numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
    before = {number: signal.getsignal(number) for number in numbers}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def nobody() -> int:
    """The number of a user who is not root, if root may become one."""
    with open("/proc/self/uid_map") as file:
        maps = [list(map(int, line.split())) for line in file.read().split("\n")[:-1]]
    if os.geteuid() != 0 or not any(first <= 65534 < first + count for first, _, count in maps):
        pytest.skip("needs root, in a user name space that has other users")
    return 65534


@pytest.fixture
def as_nobody(nobody: int) -> list[str]:
    """What starts a program as that user, who may run this Python."""
    words = ["setpriv", f"--reuid={nobody}", f"--regid={nobody}", "--clear-groups"]
    probe = [*words, sys.executable, "-Ic", "import pyzram"]
    try:
        subprocess.run(probe, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError) as err:
        pytest.skip(f"another user cannot run this Python: {err}")
    return words
