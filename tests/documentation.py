# SPDX-License-Identifier: MIT
"""The pages of docs/ as a reader meets them: in order, with the commands and what they print.

A comment before a fenced block says what a reader need not know:

* ``<!-- run: status=0,1 -->``: these exit statuses are right, not only 0;
* ``<!-- run: seconds=3 -->``: stopped by Ctrl-C after this time;
* ``<!-- run: shows=algorithm,Recommended -->``: show only the paragraphs of the output that begin
  like this, or none;
* ``<!-- run: file=/etc/x -->``: not a command, but what the reader has in this file;
* ``<!-- run: where=guest -->``: in a guest (tests/vm), which has what this kernel may lack;
* ``<!-- run: as=example -->``: the output is one machine's; others print other figures and words;
* ``<!-- not run: REASON -->``: neither here nor there.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

TREE = Path(__file__).resolve().parents[1]
DOCS = TREE / "docs"
FENCE = re.compile(
    r"(?:^<!-- (?P<note>(?:not )?run: [^>]*) -->\n\s*)?"
    r"^```(?P<kind>[^\n]*)\n(?P<body>.*?)^```$",
    re.M | re.S,
)
MARK = "\x01"
# Lines that estimates have on some days: what else of this kind was found.
SOMETIMES = ("in swap already:", "gone before", "skipped:", "left alone:", "zero pages:")
# Nothing of the machine's own /etc and /run is touched, and what was begun ends with the shell.
SESSION = """
mount -t tmpfs -o mode=0755 tmpfs /run
mkdir /run/etc /run/work /run/here
mount -t overlay -o lowerdir=/etc,upperdir=/run/etc,workdir=/run/work overlay /etc
mkdir -p /etc/conf.d
rm -rf /etc/conf.d/zram /etc/conf.d/zram.d
cd /run/here
trap 'pyzram stop --quiet' EXIT
exec 2>&1
"""


@dataclass
class Step:
    """A command as a reader types it, and the lines that the page shows below it."""

    command: str
    shown: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    page: str
    kind: str
    body: str
    note: str
    span: tuple[int, int]

    def says(self, key: str, default: str = "") -> str:
        """The value of a key in the comment before it."""
        words = dict(re.findall(r"(\w+)=(\S+)", self.note)) if self.note[:4] == "run:" else {}
        return words.get(key, default)

    def steps(self) -> list[Step]:
        """Its commands: what follows a prompt, including what is read up to END."""
        if self.says("file"):
            return [Step(f"cat >{self.says('file')} <<'END_OF_FILE'\n{self.body}END_OF_FILE")]
        steps: list[Step] = []
        end = ""
        for line in self.body.split("\n")[:-1]:
            if end:
                steps[-1].command += f"\n{line}"
                end = "" if line == end else end
            elif line.startswith(("$ ", "# ")):
                steps.append(Step(line[2:]))
                here = re.search(r"<<'(\w+)'", line)
                end = here[1] if here else ""
            else:
                steps[-1].shown.append(line)
        return steps


def pages(contents: Path = DOCS / "index.md") -> list[Path]:
    """In the order of the site: its table of contents, and theirs."""
    trees = re.findall(r"^```\{toctree\}(.*?)^```", contents.read_text(), re.M | re.S)
    found: list[Path] = []
    for name in re.findall(r"^[\w./-]+$", "\n".join(trees), re.M):
        page = contents.parent / f"{name}.md"
        found += [page, *pages(page)] if page.exists() else []
    return found


def blocks(page: Path) -> list[Block]:
    """All fenced blocks of a page."""
    return [
        Block(page.name, found["kind"], found["body"], found["note"] or "", found.span("body"))
        for found in FENCE.finditer(page.read_text())
    ]


def to_run(page: Path, *, guest: bool = False) -> list[tuple[Block, Step]]:
    """The commands of a page that are run here, or in a guest."""
    return [
        (block, step)
        for block in blocks(page)
        if (block.kind == "console" or block.says("file")) and block.note[:3] != "not"
        if (block.says("where") == "guest") <= guest
        for step in block.steps()
    ]


def script(steps: list[tuple[Block, Step]]) -> str:
    """Code for a shell; ``outcomes`` takes its output apart."""
    lines = [SESSION]
    for block, step in steps:
        seconds = block.says("seconds")
        command = f"timeout -s INT {seconds} {step.command}" if seconds else step.command
        lines += [f"printf '{MARK}'", command, f"printf '{MARK}%s\\n' $?"]
    return "\n".join(lines)


def outcomes(printed: str) -> list[tuple[int, list[str]]]:
    """The exit status of each command, and its lines."""
    parts = printed.split(MARK)[1:]
    return [
        (int(status), output.split("\n")[:-1])
        for output, status in zip(parts[::2], parts[1::2], strict=False)
    ]


def statuses(block: Block) -> set[int]:
    """How its commands may end."""
    if block.says("seconds"):
        return {0, 124, 130}
    return set(map(int, block.says("status", "0").split(",")))


def excerpt(block: Block, lines: list[str]) -> list[str]:
    """The lines that a page shows: all, or the paragraphs named in its comment, with ``...``."""
    heads = tuple(block.says("shows").replace("_", " ").split(",")) if block.says("shows") else ()
    if not heads:
        return lines
    if heads == ("none",):
        return []
    kept: list[str] = []
    for paragraph in "\n".join(lines).split("\n\n"):
        if paragraph.startswith(heads):
            kept += [*([""] if kept and kept[-1] != "..." else []), *paragraph.split("\n")]
        elif not kept or kept[-1] != "...":
            kept.append("...")
    return kept


def shape(line: str) -> str:
    """Without what differs from run to run: figures, the kernel's algorithms and device numbers."""
    line = re.sub(r"\b(lzo-rle|lzo|lz4hc|lz4|zstd|deflate|842)\b", "ALGORITHM", line)
    line = re.sub(r"(ALGORITHM )+(?=ALGORITHM)", "", line)
    line = re.sub(r"[-+]?\d[\d.]*(\s?([KMGT]?B\b|[KMGT]\b|%|us\b|ms\b))?", "0", line)
    return " ".join(line.split())


def missing(block: Block, step: Step, lines: list[str]) -> list[str]:
    """What a page shows but the command does not print.

    For one machine's figures, only the beginnings of lines are compared.
    """
    always = [line for line in step.shown if not line.startswith(SOMETIMES)]
    shown, printed = ([shape(line) for line in these] for these in (always, lines))
    if block.says("as") == "example":
        shown, printed = ([line.split(" ")[0] for line in these] for these in (shown, printed))
    return [line for line in shown if line not in (*printed, "...")]
