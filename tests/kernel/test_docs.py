# SPDX-License-Identifier: MIT
"""Every command line in docs/ is run as it stands there, with the pages in order on one machine.

This happens in a mount namespace with its own /etc and /run, so the machine's are not touched. What
a page shows below a command must be what it prints; ``tools/outputs.py`` writes that.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from documentation import (
    DOCS,
    TREE,
    Block,
    Step,
    blocks,
    missing,
    outcomes,
    pages,
    script,
    shape,
    statuses,
    to_run,
)

pytestmark = pytest.mark.slow
# After a page that configures: all of it runs, and there still is swap.
AT_ITS_END = (
    ("pyzram plan", "nothing to do"),
    ("pyzram status", "zram0 running swap size 2G lz4 used 0B priority 100"),
)


def run(steps: list[tuple[Block, Step]]) -> list[tuple[int, list[str]]]:
    if not shutil.which("unshare"):
        pytest.skip("needs unshare (util-linux)")
    bin_dir = Path(sys.executable).parent
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", script(steps)],
        env={**os.environ, "PATH": f"{bin_dir}:{os.environ['PATH']}"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
        timeout=600,
    )
    found = outcomes(done.stdout)
    assert len(found) == len(steps), f"ended with {done.returncode}: {done.stdout[-2000:]}"
    return found


def judge(steps: list[tuple[Block, Step]], found: list[tuple[int, list[str]]]) -> list[str]:
    """What differs from the pages."""
    wrong = []
    for (block, step), (status, lines) in zip(steps, found, strict=True):
        said = "\n".join(lines)
        if status not in statuses(block):
            wrong.append(f"{block.page}: {step.command}: status {status}\n{said}")
        elif lost := missing(block, step, lines):
            wrong.append(f"{said}\n{block.page}: {step.command}: {lost} is not in it")
        # A reader who sees something that the page does not show has been led astray.
        told = {shape(line) for line in step.shown}
        astray = [x for x in lines if x.startswith("pyzram: ") and shape(x) not in told]
        if astray:
            wrong.append(f"{block.page}: {step.command}: {astray}")
    return wrong


def test_the_pages_in_their_order_do_what_they_say() -> None:
    """Nobody loses on one page what another page set up."""
    steps: list[tuple[Block, Step]] = []
    for page in pages():
        its = to_run(page)
        steps += its
        if its and any("conf.d/zram" in step.command for _, step in steps):
            ends = Block(f"the end of {page.name}", "console", "", "", (0, 0))
            steps += [(ends, Step(command, [line])) for command, line in AT_ITS_END]
    assert {"start.md", "choosing.md", "tmp.md"} <= {block.page for block, _ in steps}
    wrong = judge(steps, run(steps))
    assert not wrong, "\n\n".join(wrong)


@pytest.mark.parametrize("name", ["start.md", "tmp.md"])
def test_a_page_that_is_read_alone_does_what_it_says(name: str) -> None:
    (page,) = (page for page in pages() if page.name == name)
    steps = to_run(page)
    wrong = judge(steps, run(steps))
    assert not wrong, "\n\n".join(wrong)


PYTHON = [block for block in blocks(DOCS / "python.md") if block.kind == "python"]


@pytest.mark.parametrize("block", PYTHON, ids=lambda block: block.body.split("\n")[2][:30])
def test_a_script_of_the_page_about_python_runs(block: Block, tmp_path: Path) -> None:
    """It runs to its end, with every warning an error."""
    script = tmp_path / "shown.py"
    script.write_text(block.body)
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-I", script],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout


def test_the_page_about_python_names_every_example() -> None:
    named = re.findall(r"^\| `(\w+\.py)` \|", (DOCS / "python.md").read_text(), re.M)
    assert sorted(named) == sorted(path.name for path in (TREE / "examples").glob("*.py"))


def test_what_is_lost_is_found() -> None:
    """The judge of this file, judged."""
    (page,) = (page for page in pages() if page.name == "start.md")
    (block, *_) = blocks(page)
    steps = [(block, Step("echo pyzram: lost; exit 0", ["zram0 running"])), (block, Step("false"))]
    wrong = judge(steps, [(0, ["pyzram: lost"]), (1, [])])
    assert len(wrong) == 3
