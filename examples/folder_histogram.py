# SPDX-License-Identifier: MIT
"""How well do the files in a folder compress? A histogram of their pages.

Usage: folder_histogram.py FOLDER [ALGORITHM]
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

import pyzram

PAGE = 4096


def main(folder: str, algorithm: str = "lz4") -> int:
    """Print how many pages need how many eighths of a page."""
    eighths: Counter[int] = Counter()
    for path in sorted(Path(folder).rglob("*")):
        if path.is_file() and not path.is_symlink():
            data = path.read_bytes()
            data += bytes(-len(data) % PAGE)
            lengths = pyzram.compressed_sizes(data, algorithm, page_size=PAGE)
            eighths.update(min(-(-length * 8 // PAGE), 8) for length in lengths)
    total = eighths.total() or 1
    for eighth in range(9):
        count = eighths[eighth]
        print(f"{eighth}/8 {count:8} {'#' * round(60 * count / total)}")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
