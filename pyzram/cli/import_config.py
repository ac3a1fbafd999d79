# SPDX-License-Identifier: MIT
"""``pyzram import FILE``: another tool's configuration as one of pyzram."""

from __future__ import annotations

import sys

from ..config.importer import import_text
from ..errors import from_errno
from .options import FILE, Command

COMMAND = Command(
    "pyzram import",
    "Print what /etc/conf.d/zram would be for zram-init's conf.d file or zram-generator.conf; what "
    "cannot be carried over is said on standard error.",
    (),
    operands="FILE",
    takes=FILE,
    count=(1, 1),
)


def main(argv: list[str]) -> int:
    """Print the equivalent of a file."""
    options = COMMAND.arguments(argv)
    if options is None:
        return 0
    (path,) = options.operands
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
