# SPDX-License-Identifier: MIT
"""Ask pyright whether the installed package tells the type of every public name and its members.

What pyright counts is every module without an underscore; here only the names of ``__all__`` count,
and what belongs to them. Prints those that are not known, and the share that is.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile

import pyzram


def main() -> int:
    """1 if any public name has no known type."""
    pyright = os.path.join(os.path.dirname(sys.executable), "pyright")
    if not os.path.exists(pyright):
        print("skipped: no pyright here (pip install 'pyright[nodejs]')")
        return 0
    command = [pyright, "--verifytypes", "pyzram", "--ignoreexternal", "--outputjson"]
    path = f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}"
    with tempfile.TemporaryDirectory() as elsewhere:  # not the source tree
        done = subprocess.run(
            command,
            cwd=elsewhere,
            env={**os.environ, "PATH": path},
            capture_output=True,
            check=False,
            text=True,
        )
    if not done.stdout.lstrip().startswith("{"):
        print(f"skipped: pyright does not run here: {(done.stdout + done.stderr).strip()[-200:]}")
        return 0
    symbols = json.loads(done.stdout)["typeCompleteness"]["symbols"]
    roots = tuple(
        f"pyzram.{home}.{name}"
        for name, home in vars(pyzram)["_HOME"].items()
        if name in pyzram.__all__
    )
    public = [s for s in symbols if s["name"].startswith(roots)]
    unknown = [s for s in public if not s["isTypeKnown"] or s["isTypeAmbiguous"]]
    for symbol in unknown:
        for diagnostic in symbol["diagnostics"]:
            print(f"{symbol['name']}: {diagnostic['message'].splitlines()[0]}")
    known = len(public) - len(unknown)
    print(f"public names and their members with a known type: {known} of {len(public)}")
    return 0 if public and not unknown else 1


if __name__ == "__main__":
    sys.exit(main())
