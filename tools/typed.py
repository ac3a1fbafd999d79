# SPDX-License-Identifier: MIT
"""What type checkers tell users of the installed package.

pyright is asked for the type of every public name and its members. It counts every module without
an underscore; here only the names in ``__all__`` and their members count. Then mypy and pyright
read tests/types/mistakes.py, and must report each line that is marked there and no other.

If pyright is not available, its part is skipped; with PYZRAM_REQUIRE_PYRIGHT=1 that is a failure.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pyzram

MISTAKES = Path(__file__).resolve().parents[1] / "tests/types/mistakes.py"
BIN = os.path.dirname(sys.executable)


class NoPyrightError(Exception):
    """pyright is not available here."""


def run(*command: str, folder: str) -> subprocess.CompletedProcess[str]:
    """Run a program of this environment outside the source tree."""
    path = f"{BIN}:{os.environ['PATH']}"
    return subprocess.run(
        [f"{BIN}/{command[0]}", *command[1:]],
        cwd=folder,
        env={**os.environ, "PATH": path},
        capture_output=True,
        check=False,
        text=True,
    )


def pyright(*words: str, folder: str) -> dict[str, Any]:
    """Return pyright's report, as JSON.

    Raises:
        NoPyrightError: it gave none.
    """
    if not os.path.exists(f"{BIN}/pyright"):
        raise NoPyrightError("no pyright here (pip install 'pyright[nodejs]')")
    done = run("pyright", *words, "--outputjson", folder=folder)
    if not done.stdout.lstrip().startswith("{"):
        said = (done.stdout + done.stderr).strip()[-200:]
        raise NoPyrightError(f"pyright does not run here: {said}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def unknown_types(folder: str) -> int:
    """Print which public names have no known type, and return how many."""
    symbols = pyright("--verifytypes", "pyzram", "--ignoreexternal", folder=folder)
    roots = tuple(
        f"pyzram.{home}.{name}"
        for name, home in vars(pyzram)["_DEFINED_IN"].items()
        if name in pyzram.__all__
    )
    public = [s for s in symbols["typeCompleteness"]["symbols"] if s["name"].startswith(roots)]
    unknown = [s for s in public if not s["isTypeKnown"] or s["isTypeAmbiguous"]]
    for symbol in unknown:
        for diagnostic in symbol["diagnostics"]:
            print(f"{symbol['name']}: {diagnostic['message'].splitlines()[0]}")
    known = len(public) - len(unknown)
    print(f"public names and their members with a known type: {known} of {len(public)}")
    return len(unknown) if public else 1


def compare(checker: str, reported: set[int]) -> int:
    """Print the lines that it should have reported, or should not have, and return how many."""
    lines = MISTAKES.read_text().split("\n")
    marked = {at for at, line in enumerate(lines, 1) if "# mistake: " in line}
    for at in sorted(marked ^ reported):
        what = "reports no mistake" if at in marked else "reports a mistake that is none"
        print(f"{checker} {what}: {MISTAKES.name}:{at}: {lines[at - 1].strip()}")
    print(f"mistakes that {checker} reports: {len(marked & reported)} of {len(marked)}")
    return len(marked ^ reported) if marked else 1


def by_mypy(folder: str) -> set[int]:
    """Lines that mypy, as strict as it can be, reports."""
    done = run("mypy", "--strict", "--config-file=", MISTAKES.name, folder=folder)
    return {int(at) for at in re.findall(rf"^{MISTAKES.name}:(\d+): error:", done.stdout, re.M)}


def by_pyright(folder: str) -> set[int]:
    """Lines that pyright reports."""
    found = pyright("--pythonpath", sys.executable, MISTAKES.name, folder=folder)
    return {
        diagnostic["range"]["start"]["line"] + 1
        for diagnostic in found["generalDiagnostics"]
        if diagnostic["severity"] == "error"
    }


def main() -> int:
    """Return 1 if a checker is silent where it should not be."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(MISTAKES, folder)
        wrong = compare("mypy", by_mypy(folder))
        try:
            wrong += unknown_types(folder)
            wrong += compare("pyright", by_pyright(folder))
        except NoPyrightError as err:
            required = os.environ.get("PYZRAM_REQUIRE_PYRIGHT") == "1"
            print(f"{'required, but' if required else 'skipped:'} {err}")
            wrong += required
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
