# SPDX-License-Identifier: MIT
"""Every command line in docs/ is run as it stands there, page by page.

In a mount namespace with an /etc and a /run of its own, so the machine's are not touched.
Blocks marked ``console`` are commands; what cannot be run here (package managers, other machines'
devices) stands in blocks of text.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TREE = Path(__file__).resolve().parents[2]
PAGES = sorted((TREE / "docs").rglob("*.md"))
SESSION = """
set -e
mount -t tmpfs -o mode=0755 tmpfs /run
mkdir /run/etc /run/work
mount -t overlay -o lowerdir=/etc,upperdir=/run/etc,workdir=/run/work overlay /etc
mkdir -p /etc/conf.d
rm -f /etc/conf.d/zram
trap 'pyzram stop --quiet' EXIT
"""


def commands(text: str) -> str:
    """The lines behind a prompt, and here-documents, of a page's console blocks."""
    lines: list[str] = []
    for block in re.findall(r"^```console\n(.*?)^```$", text, re.M | re.S):
        end = ""
        for line in block.split("\n"):
            if end:
                lines.append(line)
                end = "" if line == end else end
            elif line.startswith(("$ ", "# ")):
                lines.append(line[2:])
                here = re.search(r"<<'(\w+)'", line)
                end = here.group(1) if here else ""
    return "\n".join(lines)


PAGES_WITH_COMMANDS = [page for page in PAGES if commands(page.read_text(encoding="utf-8"))]


def test_there_are_commands() -> None:
    assert {"start.md", "choosing.md", "tmp.md"} <= {page.name for page in PAGES_WITH_COMMANDS}


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES_WITH_COMMANDS, ids=lambda page: page.name)
def test_the_commands_of_a_page_do_what_it_says(page: Path) -> None:
    if not shutil.which("unshare"):
        pytest.skip("needs unshare (util-linux)")
    bin_dir = Path(sys.executable).parent
    script = SESSION + "set -x\n" + commands(page.read_text(encoding="utf-8"))
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", script],
        env={**os.environ, "PATH": f"{bin_dir}:{os.environ['PATH']}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout
