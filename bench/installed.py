# SPDX-License-Identifier: MIT
"""The commands as a distribution installs them, for /usr/bin/python3, which is then the floor.

The scripts and the package are those of the environment that runs the bench.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pyzram

SITE = Path(pyzram.__file__).parent.parent
SCRIPTS = Path(sys.executable).parent


def _interpreter() -> str:
    """The system's Python if the extensions were built for it, else the one that runs this."""
    system = "/usr/bin/python3"
    if Path(system).exists():
        load = f"import sys; sys.path.insert(0, {str(SITE)!r}); import pyzram._native"
        if not subprocess.run([system, "-Ic", load], capture_output=True, check=False).returncode:
            return system
    return sys.executable


PYTHON = _interpreter()
NOTHING = [PYTHON, "-I", "-c", "pass"]
"""A start of the interpreter alone."""


def command(name: str, environment: Path | None = None) -> list[str]:
    """Return how a script is run; ``environment`` is another that has pyzram installed.

    exec() compiles it as the interpreter compiles a script; compile() would first set up ast.
    """
    scripts, site = SCRIPTS, SITE
    if environment is not None:
        scripts = environment / "bin"
        (site,) = environment.glob("lib/python*/site-packages")
    script = str(scripts / name)
    code = f"import sys; sys.path.insert(0, {str(site)!r}); exec(open({script!r}, 'rb').read())"
    return [PYTHON, "-I", "-c", code]
