# SPDX-License-Identifier: MIT
"""Write below the commands in docs/ what they print, with the pages in order, on this machine.

    python -I tools/outputs.py [PAGE.md...]

It needs root and a zram driver, like tests/kernel/test_docs.py, which compares the result with
another run. Read the diff before you commit it.
"""

from __future__ import annotations

import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

TREE = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TREE / "tests"))
documentation: Any = import_module("documentation")


def written(page: Path, text: str, steps: list[Any], found: list[Any]) -> str:
    """A page with new outputs."""
    bodies: dict[tuple[int, int], list[str]] = {}
    for (block, step), (status, lines) in zip(steps, found, strict=True):
        if status not in documentation.statuses(block):
            sys.exit("\n".join([f"{page.name}: {step.command}: status {status}", *lines]))
        if block.kind != "console":
            continue
        if mistaken := [line for line in lines if line.startswith(("$ ", "# "))]:
            sys.exit(f"{page.name}: {step.command}: read as a command: {mistaken[0]}")
        first = step.command.split("\n")[0]
        mark = next(line for line in block.body.split("\n") if line[2:] == first)
        body = bodies.setdefault(block.span, [])
        body += [mark[:2] + step.command, *documentation.excerpt(block, lines)]
    for start, end in sorted(bodies, reverse=True):
        lines = [line.rstrip() for line in bodies[start, end]]
        text = f"{text[:start]}{chr(10).join(lines)}\n{text[end:]}"
    return text


def main(*names: str) -> int:
    """Run everything, because later pages build on earlier ones; write the requested pages."""
    ran = [(page, page.read_text(), documentation.to_run(page)) for page in documentation.pages()]
    steps = [step for _, _, its in ran for step in its]
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", documentation.script(steps)],
        env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    found = documentation.outcomes(done.stdout)
    for page, text, its in ran:
        mine, found = found[: len(its)], found[len(its) :]
        if its and (not names or page.name in names):
            if page.read_text() != text:
                sys.exit(f"{page.name} has changed meanwhile")
            page.write_text(written(page, text, its, mine))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
