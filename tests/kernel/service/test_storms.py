# SPDX-License-Identifier: MIT
"""Storms of SIGTERM and SIGKILL at random moments of start, stop and reload, while the pages of a
living process are in the device: whatever is killed, its memory stays the same.

PYZRAM_STORMS=400 for a long one; the counts are printed.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator

import pytest
from kernel.box import IN_GUEST, MADV_PAGEOUT, Box, swaps

pytestmark = pytest.mark.slow  # each round starts processes

ROUNDS = int(os.environ.get("PYZRAM_STORMS", "8" if IN_GUEST else "40"))
FIRST, SECOND = (f"ZRAM_SIZE_0={size}M\nZRAM_PRIORITY_0=1\n" for size in (64, 96))

# Memory that it must find again, page by page; each line asks it to look, and to be paged out.
KEEPER = f"""
import ctypes, hashlib, mmap, random, sys
chance = random.Random(int(sys.argv[1]))
size = 16 << 20
memory = mmap.mmap(-1, size)
for at in range(0, size, 4096):
    memory[at:at + 4096] = chance.randbytes(1000) + bytes(2000) + chance.randbytes(1096)
pages = [hashlib.blake2b(memory[at:at + 4096]).digest() for at in range(0, size, 4096)]
libc = ctypes.CDLL(None)
address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
print("ready", flush=True)
for line in sys.stdin:
    wrong = sum(hashlib.blake2b(memory[at * 4096:at * 4096 + 4096]).digest() != known
                for at, known in enumerate(pages))
    libc.madvise(ctypes.c_void_p(address), ctypes.c_size_t(size), {MADV_PAGEOUT})
    swap = sum(int(x.split()[1]) for x in open("/proc/self/smaps") if x.startswith("Swap:"))
    print(wrong, swap, flush=True)
"""


class Keeper:
    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def look(self) -> tuple[int, int]:
        """Pages that have changed, and the KiB in swap afterwards."""
        assert self.process.stdin
        assert self.process.stdout
        self.process.stdin.write("look\n")
        self.process.stdin.flush()
        wrong, swap = self.process.stdout.readline().split()
        return int(wrong), int(swap)


@pytest.fixture
def keeper() -> Iterator[Keeper]:
    words = [sys.executable, "-Ic", KEEPER, "7"]
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout
            assert process.stdout.readline() == "ready\n"
            yield Keeper(process)
        finally:
            process.kill()


def how_long(box: Box, command: str) -> float:
    began = time.monotonic()
    box.fine(command)
    return time.monotonic() - began


def test_memory_in_the_device_survives_any_storm(box: Box, keeper: Keeper) -> None:
    chance = random.Random(3)
    counts: Counter[str] = Counter()
    box.write(FIRST)
    took = {"start": how_long(box, "start"), "stop": how_long(box, "stop")}
    box.fine("start")
    box.write(SECOND)
    took["reload"] = how_long(box, "reload")
    for turn in range(ROUNDS):
        _, swap = keeper.look()
        counts["rounds with pages in the device"] += swap > (8 << 10)
        command = chance.choice(["reload", "reload", "stop", "start"])
        if command == "start":
            box.fine("stop")
        box.write((FIRST, SECOND)[turn % 2])
        number = chance.choice([signal.SIGTERM, signal.SIGKILL])
        again = number == signal.SIGTERM and chance.random() < 0.5
        process = subprocess.Popen(
            box.command(command), env=box.env, stderr=subprocess.PIPE, text=True
        )
        time.sleep(chance.random() * took[command] * 1.1)
        process.send_signal(number)
        if again:  # while it undoes what it did
            time.sleep(chance.random() * 0.05)
            process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=120)
        counts[f"{command} {signal.Signals(number).name}{' twice' if again else ''}"] += 1
        assert "Traceback" not in said
        assert process.returncode in (0, -number, 128 + number), said
        if number == signal.SIGTERM:
            judge(box, command, process.returncode, said)
        if command == "reload":
            assert any("/dev/zram" in path for path in swaps()), "never without swap"
        wrong, _ = keeper.look()
        assert wrong == 0, (turn, command, number)
        box.fine("start")
        box.fine("reload")
        assert box.pyzram("status").returncode == 0
        assert len(box.numbers()) == 1
    wrong, swap = keeper.look()
    assert (wrong, swap > (8 << 10)) == (0, True)
    box.fine("stop")
    assert keeper.look()[0] == 0
    assert box.numbers() == []
    print(dict(counts))
    assert counts["rounds with pages in the device"] > ROUNDS // 2


def judge(box: Box, command: str, status: int, said: str) -> None:
    """After a SIGTERM, what was printed is true."""
    numbers = box.numbers()
    if status == -signal.SIGTERM:
        assert "ended" not in said, "what had something to say ends by a status"
        assert bool(numbers) == (command != "start"), "before it could take note of anything"
        return
    if command == "start":
        assert bool(numbers) == (status == 0), said
    elif command == "stop" and status == 0:
        assert not numbers, said
    if status:
        assert "ended by a signal" in said
