# SPDX-License-Identifier: MIT
"""Own codecs against liblzo2 and liblz4 on a mixed corpus: builds and runs codec_speed.c."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import corpus

HERE = Path(__file__).resolve().parent
PAGES = 128  # of each kind; a same-filled page never meets a codec, so zero is left out


def main() -> int:
    """Print the ratios; arguments are more words for the compiler."""
    kinds = [kind for kind in corpus.KINDS if kind != "zero"]
    sources = sorted((HERE.parent / "csrc").glob("codec*.c"))
    with tempfile.TemporaryDirectory() as folder:
        program, pages = Path(folder, "codec_speed"), Path(folder, "pages")
        command = ["cc", "-std=c11", "-D_GNU_SOURCE", "-O2", *sys.argv[1:]]
        command += [f"-I{HERE.parent / 'csrc'}", str(HERE / "codec_speed.c"), *map(str, sources)]
        command += ["-llzo2", "-llz4", "-lzstd", "-lz", "-o", str(program)]
        subprocess.run(command, check=True)
        pages.write_bytes(b"".join(corpus.make(kind, PAGES) for kind in kinds))
        subprocess.run([program, pages, str(PAGES), *kinds], check=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
