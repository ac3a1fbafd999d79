# SPDX-License-Identifier: MIT
"""Make the seeds of fuzz_decompress: each algorithm's own output, behind the byte that names it."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import vectors  # noqa: E402

import pyzram  # noqa: E402

KINDS = ("zerotail/13/17", "sparse/42/10", "words/51", "structs/61", "half/71")


def main() -> None:
    """Rewrite tests/fuzz/corpus."""
    folder = HERE / "corpus"
    folder.mkdir(exist_ok=True)
    for old in folder.iterdir():
        old.unlink()
    for number, name in enumerate(pyzram.algorithms()):
        for kind in KINDS:
            seed = bytes([number]) + pyzram.compress_page(vectors.page(kind), name)
            (folder / f"{name}-{hashlib.sha256(seed).hexdigest()[:8]}").write_bytes(seed)


if __name__ == "__main__":
    main()
