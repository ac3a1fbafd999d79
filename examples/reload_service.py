# SPDX-License-Identifier: MIT
"""Show what a reload of a configuration would do, ask, and do exactly that.

Usage: reload_service.py [FILE] [--yes]
"""

from __future__ import annotations

import sys

import pyzram


def main(path: str = "/etc/conf.d/zram", *words: str) -> int:
    """Do it; return 1 if nothing could be done."""
    service = pyzram.Service(path, tell=print, warn=lambda line: print(f"warning: {line}"))
    try:
        plan = service.plan("reload")
        print(plan)
        if not plan.steps or "--yes" in words or input("Do it? [y/N] ") == "y":
            plan.apply()
    except pyzram.ZramError as err:  # for a file, a line for each problem
        print(err, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
