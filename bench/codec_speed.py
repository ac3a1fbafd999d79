# SPDX-License-Identifier: MIT
"""Our codecs on a mixed corpus, as ratios of one run: builds and runs codec_speed.c.

It compares with liblzo2 and liblz4; with --before REVISION, all algorithms with themselves in that
revision. --algorithm and --kind select one; --kind may be repeated. Other arguments are words for
the compiler.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import corpus

ROOT = Path(__file__).resolve().parent.parent
PAGES = 128  # of each kind; a same-filled page never meets a codec, so zero is left out
KINDS = [kind for kind in corpus.KINDS if kind != "zero"]


def build(csrc: Path, library: Path, words: list[str]) -> Path:
    """Make a shared object of the codecs below ``csrc``."""
    command = ["cc", "-std=c11", "-D_GNU_SOURCE", "-O2", *words, "-shared", "-fPIC", f"-I{csrc}"]
    command += [*map(str, sorted((csrc / "codec").glob("*.c"))), "-llz4", "-lzstd", "-lz"]
    subprocess.run([*command, "-o", str(library)], check=True)
    return library


def checked_out(revision: str, folder: Path) -> Path:
    """Return csrc as it was in a revision."""
    archive = folder / "csrc.tar"
    subprocess.run(["git", "-C", ROOT, "archive", "-o", archive, revision, "csrc"], check=True)
    subprocess.run(["tar", "-xf", archive, "-C", folder], check=True)
    return folder / "csrc"


def main() -> int:
    """Print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--before", metavar="REVISION")
    parser.add_argument("--algorithm", default="-")
    parser.add_argument("--kind", action="append", choices=KINDS)
    options, words = parser.parse_known_args()
    kinds = options.kind or KINDS
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ours, before = build(ROOT / "csrc", folder / "ours.so", words), Path("-")
        if options.before:
            (folder / "before").mkdir()
            csrc = checked_out(options.before, folder / "before")
            before = build(csrc, folder / "before.so", words)
        program, pages = folder / "codec_speed", folder / "pages"
        command = ["cc", "-std=c11", "-D_GNU_SOURCE", "-O2", f"-I{ROOT / 'csrc'}"]
        command += [str(ROOT / "bench/codec_speed.c"), "-llzo2", "-llz4", "-o", str(program)]
        subprocess.run(command, check=True)
        pages.write_bytes(b"".join(corpus.make(kind, PAGES) for kind in kinds))
        arguments = [ours, before, options.algorithm, pages, str(PAGES), *kinds]
        subprocess.run([program, *arguments], check=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
