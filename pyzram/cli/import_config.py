# SPDX-License-Identifier: MIT
"""``pyzram import FILE``: another tool's configuration as one of pyzram."""

from __future__ import annotations

import sys

from ..config.importer import import_text
from ..errors import from_errno
from .options import Option, UsageError, describe, parse

OPTIONS = (Option("h", "help", "", "show this help"),)


def main(argv: list[str]) -> int:
    """Print the equivalent of a file."""
    given, operands = parse(OPTIONS, argv)
    if "help" in given:
        print("usage: pyzram import FILE\n")
        print("Print what /etc/conf.d/zram would be for zram-init's conf.d file or")
        print("zram-generator.conf; what cannot be carried over is said on standard error.\n")
        print("options:\n" + describe(OPTIONS), end="")
        return 0
    if len(operands) != 1:
        raise UsageError("give one file")
    path = operands[0]
    try:
        with open(path, encoding="utf-8-sig", errors="surrogateescape") as file:
            text = file.read()
    except OSError as err:
        raise from_errno(err.errno or 0, f"{path}: read", path) from err
    found = import_text(text, path)
    print(found.text(), end="")
    for reason in found.lost:
        print(f"pyzram import: not carried over: {reason}", file=sys.stderr)
    return 0
