# SPDX-License-Identifier: MIT
"""Run a command with a compressed RAM disk as its TMPDIR, which is gone afterwards.

Usage: ram_disk.py QUOTA COMMAND...
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile

import pyzram


def main(quota: str, *command: str) -> int:
    """Return the exit status of the command."""
    # The file system ends at disksize and says so in time, so no mem_limit is needed.
    with tempfile.TemporaryDirectory() as point, pyzram.Zram.add() as device:
        device.configure(disksize=quota)
        device.mkfs("ext4", options=["-O", "^has_journal", "-m", "0"])
        device.mount(point, options="discard,noatime")
        status = subprocess.run(command, env={**os.environ, "TMPDIR": point}, check=False)
        print(f"{device.read_mm_stat().mem_used_total} bytes of memory", file=sys.stderr)
    return status.returncode


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
