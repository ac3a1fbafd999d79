# SPDX-License-Identifier: MIT
"""Machines of bench/fleet.py: their figures, which walk at random, and the server of them."""

from __future__ import annotations

import asyncio
import random
import re
import time
from pathlib import Path

from fake_roots import Machine
from fleet.textfiles import COLLECTORS, write_all

# These figures are bounds or constants, and do not walk.
FIXED = re.compile(r"size_bytes|limit|priority|_info|success|finding|tend_|_up|error")
# On one in this many, the doctor finds what it finds on the captured tree.
UNWELL = 50


def textfiles(folder: Path, kernel: str, only: re.Pattern[str]) -> str:
    """All files of a machine like a captured one, merged as node_exporter does."""
    here = Machine(folder / "root", kernel)
    here.swap("/dev/zram0 partition 65532 1468 100")
    here.block("loop7", 1 << 21)
    texts = write_all(here, folder)
    lines = dict.fromkeys("".join(texts.values()).splitlines(keepends=True))
    kept = [line for line in lines if only.search(re.sub("^# (HELP|TYPE) ", "", line))]
    return "".join(kept) + "node_textfile_scrape_error 0\n"


class Machines:
    """Targets from ``/0/metrics`` on, each with its own figures, which walk at every scrape."""

    def __init__(self, texts: list[str], seed: int) -> None:
        self.random = random.Random(seed)
        self.kinds = []
        for text in texts:
            lines = text.splitlines()
            samples = [line.rpartition(" ")[::2] for line in lines if line[0] != "#"]
            names = [name for name, _ in samples]
            head = "".join(line + "\n" for line in lines if line[0] == "#")
            self.kinds.append((head, names, [float(value) for _, value in samples]))
        self.values: dict[int, list[float]] = {}

    def start(self, number: int) -> list[float]:
        """The figures of a machine that is seen for the first time."""
        _, names, captured = self.kinds[number % len(self.kinds)]
        well = number % UNWELL != 0
        return [0.0 if well and "finding" in n else v for n, v in zip(names, captured, strict=True)]

    def metrics(self, number: int) -> str:
        """The text of one machine, now."""
        head, names, captured = self.kinds[number % len(self.kinds)]
        values = self.values.get(number)
        if values is None:
            values = self.values[number] = self.start(number)
        now = int(time.time())
        out = [head]
        for name in COLLECTORS:
            file = "zram" if name == "zram_stats" else f"zram-{name}"
            out.append(f'node_textfile_mtime_seconds{{file="/textfiles/{file}.prom"}} {now}\n')
        for at, name in enumerate(names):
            if "failed" in name:
                pass
            elif "last_round" in name:
                values[at] = now
            elif "_total" in name:
                values[at] += int(self.random.expovariate(1 / 4096))
            elif not FIXED.search(name):
                walked = values[at] * self.random.uniform(0.98, 1.02)
                values[at] = int(min(max(walked, captured[at] / 2), captured[at] * 1.5))
            out.append(f"{name} {values[at]:.17g}\n")
        return "".join(out)


def serve(port: int, texts: list[str]) -> None:
    """Answer scrapes until it is ended."""
    machines = Machines(texts, 1)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while request := await reader.readuntil(b"\r\n\r\n"):
                body = machines.metrics(int(request.split(b"/", 2)[1])).encode()
                head = (
                    "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\n"
                    f"Content-Length: {len(body)}\r\n\r\n"
                )
                writer.write(head.encode() + body)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def run() -> None:
        server = await asyncio.start_server(answer, "127.0.0.1", port, backlog=4096)
        await server.serve_forever()

    asyncio.run(run())
