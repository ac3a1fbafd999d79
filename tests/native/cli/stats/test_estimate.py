# SPDX-License-Identifier: MIT
"""``zram_stats --estimate`` on processes that exit meanwhile."""

from __future__ import annotations

import subprocess
import sys

from pyzram.cli import zram_stats
from pyzram.cli.stats import estimate


def test_a_process_that_ends_before_it_is_read_has_no_block(monkeypatch, capsys):
    """It would look like a process whose memory takes nothing."""
    code = "x = bytes(range(256)) * (1 << 12); print(flush=True); import time; time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        process.stdout.readline()
        real = estimate.open_operands

        def opened(operands):
            source = real(operands)
            assert source.pages
            process.kill()
            process.wait()
            return source

        monkeypatch.setattr(estimate, "open_operands", opened)
        status = zram_stats.main(["--estimate", f"pid:{process.pid}"])
    told = capsys.readouterr()
    assert (status, told.out) == (1, "")
    assert told.err.count("\n") == 1
    assert str(process.pid) in told.err and "are gone: No such process" in told.err
