# SPDX-License-Identifier: MIT
"""Compressed sizes of pages with two algorithms, by pyzram's codecs; the model draws from these.

``python bench/simulator/sizes.py`` makes ``sizes.json`` again from this machine's own files and
process memory, in the shares that an estimate of a whole system has found.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

FILE = Path(__file__).with_suffix(".json")
# So that lz4 keeps about 5 % of the pages raw, and all pages take 36 % of the memory.
SHARES = {"text": 2, "binaries": 3, "heap": 9, "sparse": 5, "structures": 3, "media": 1}
ALGORITHMS = ("lz4", "zstd")
PAGES = 24


def main() -> int:
    """Write the file and print the ratios."""
    sys.path.insert(0, str(FILE.parent.parent))
    import corpus

    import pyzram

    pairs: list[tuple[int, int]] = []
    for kind, share in SHARES.items():
        data = corpus.make(kind, share * PAGES)
        pairs += zip(*(pyzram.compressed_sizes(data, name) for name in ALGORITHMS), strict=True)
    FILE.write_text(json.dumps({"algorithms": ALGORITHMS, "lengths": pairs}) + "\n")
    for place, name in enumerate(ALGORITHMS):
        lengths = [pair[place] for pair in pairs]
        raw = sum(length >= 3625 for length in lengths)
        print(f"{name}: {sum(lengths) / len(lengths) / 40.96:.1f} %, {raw} of {len(pairs)} raw")
    return 0


def stored_sizes() -> list[tuple[int, int]]:
    """A page's memory in the pool, with either algorithm; the second is never the larger."""
    from pyzram import PoolModel

    pool = PoolModel(page_size=4096, word_size=8, chain=(8, "waste"))

    def memory(length: int) -> int:
        if length == 0:
            return 0
        size_class = pool.class_of(4096 if length >= pool.huge_class_size else length)
        return size_class.pages * 4096 // size_class.objects

    pairs = json.loads(FILE.read_text())["lengths"]
    return [(memory(first), min(memory(first), memory(second))) for first, second in pairs]


if __name__ == "__main__":
    sys.exit(main())
