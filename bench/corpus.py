# SPDX-License-Identifier: MIT
"""Pages of eight kinds, like those in memory; made each time from this machine's files."""

from __future__ import annotations

import array
import math
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

PAGE = 4096
KINDS = ("text", "binaries", "heap", "sparse", "structures", "media", "random", "zero")

# A process whose heap has many small objects of many kinds.
PROCESS = """
import ast, email, json, sys, sysconfig
from pathlib import Path
files = sorted(Path(sysconfig.get_path("stdlib")).glob("*.py"))[:40]
kept = [ast.parse(file.read_bytes()) for file in files]
kept += [{str(n): [n, float(n), str(n) * 3] for n in range(20000)}]
print(flush=True)
sys.stdin.read()
"""


def make(kind: str, count: int) -> bytes:
    """Return ``count`` pages of one kind of KINDS."""
    chance = random.Random(kind)
    if kind == "text":
        data = _files(Path(os.__file__).parent.rglob("*.py"), count, chance)
    elif kind == "binaries":
        data = _files(Path("/usr/bin").iterdir(), count, chance)
    elif kind == "heap":
        data = _heap(count)
    elif kind == "sparse":
        data = b"".join(_sparse(chance) for _ in range(count))
    elif kind == "structures":
        data = b"".join(_structures(chance) for _ in range(count))
    elif kind == "media":
        data = _sound(count, chance)
    elif kind == "random":
        data = chance.randbytes(count * PAGE)
    else:
        data = bytes(count * PAGE)
    assert len(data) == count * PAGE, f"{kind}: this machine has only {len(data) // PAGE} pages"
    return data


def _files(paths: Iterator[Path], count: int, chance: random.Random) -> bytes:
    files = sorted(p for p in paths if p.is_file() and not p.is_symlink())
    chance.shuffle(files)
    data = bytearray()
    for file in files:
        data += file.read_bytes()
        if len(data) >= count * PAGE:
            break
    return bytes(data[: count * PAGE])


def _heap(count: int) -> bytes:
    """Return what a process has written to its anonymous memory."""
    data = bytearray()
    with subprocess.Popen(
        [sys.executable, "-c", PROCESS], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdin and child.stdout
        child.stdout.readline()
        with open(f"/proc/{child.pid}/maps") as maps, open(f"/proc/{child.pid}/mem", "rb") as mem:
            for line in maps:
                span, modes, _, _, inode, *name = line.split(maxsplit=5)
                if modes != "rw-p" or inode != "0" or name not in ([], ["[heap]\n"]):
                    continue
                start, end = (int(word, 16) for word in span.split("-"))
                mem.seek(start)
                data += mem.read(end - start)
        child.stdin.close()
    pages = [data[at : at + PAGE] for at in range(0, len(data), PAGE)]
    return b"".join(page for page in pages if any(page))[: count * PAGE]


def _sparse(chance: random.Random) -> bytes:
    page = bytearray(PAGE)
    for _ in range(chance.randrange(1, 120)):
        at = chance.randrange(PAGE - 8)
        page[at : at + 8] = chance.randbytes(8)
    return bytes(page)


def _structures(chance: random.Random) -> bytes:
    page, base = bytearray(), 0x7F0000000000 + (chance.randrange(1 << 16) << 24)
    for number in range(PAGE // 32):
        page += (base + chance.randrange(1 << 20) * 16).to_bytes(8, "little")
        page += chance.randrange(1000).to_bytes(4, "little") + number.to_bytes(4, "little")
        page += bytes(8) + (base if chance.randrange(3) else 0).to_bytes(8, "little")
    return bytes(page)


def _sound(count: int, chance: random.Random) -> bytes:
    """Return two voices in 16-bit samples, with a little noise."""
    samples = array.array("h")
    pitch = 0.01
    for at in range(count * PAGE // 2):
        if at % 5000 == 0:
            pitch = chance.uniform(0.002, 0.1)
        voice = math.sin(at * pitch) + math.sin(at * pitch * 1.5)
        samples.append(int(voice * 9000) + chance.randrange(-8, 9))
    return samples.tobytes()
