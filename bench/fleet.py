# SPDX-License-Identifier: MIT
"""What Prometheus needs for a fleet: series, samples, memory, and the time of each query and rule.

Machines are simulated: their textfiles are made from the captured trees of tests/data/sysfs by
zram_stats and pyzram doctor, and their figures walk at random. One server hands all of them out,
each as a target of its own, to a Prometheus of Debian with monitoring/'s rules and alerts.

    bench/fleet.py --machines 100 1000 10000

Both run on this machine, so the figures are those of a Prometheus that has to share it.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TREE = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TREE / "tests"))

from fake_roots import Machine  # noqa: E402
from fleet.programs import Prometheus, expressions, free_port  # noqa: E402

MONITORING = TREE / "monitoring"
KERNELS = ("vm-6.1", "vm-6.12", "6.18", "vm-7.x-multi")
# Of these a figure is a bound or a constant, and does not walk.
FIXED = re.compile(r"size|limit|priority|_info|success|page_size|finding|swap_size")


def textfile(folder: Path, kernel: str) -> str:
    """Both files of a machine like a captured one, and what node_exporter says of them."""
    here = Machine(folder / kernel, kernel)
    here.swap("/dev/zram0 partition 65532 1468 100")
    here.block("loop7", 4096)
    env = {**os.environ, "PYZRAM_ROOT": str(here.root)}
    text = ""
    for name, words in (("zram_stats", []), ("pyzram", ["doctor"])):
        file = folder / f"{kernel}-{name}.prom"
        code = f"import sys; from pyzram.cli.{name} import main; sys.exit(main())"
        subprocess.run(
            [sys.executable, "-Ic", code, *words, "--textfile", file], env=env, check=True
        )
        text += file.read_text()
    merged = "".join(dict.fromkeys(text.splitlines(keepends=True)))
    return merged + "node_textfile_scrape_error 0\n"


class Machines:
    """Targets ``/0/metrics`` and on, each with figures of its own that walk at every scrape."""

    def __init__(self, texts: list[str], seed: int) -> None:
        self.random = random.Random(seed)
        self.lines = [
            [line.rpartition(" ")[::2] for line in text.splitlines() if line[0] != "#"]
            for text in texts
        ]
        self.heads = [
            "".join(line + "\n" for line in text.splitlines() if line[0] == "#") for text in texts
        ]
        self.values: dict[int, list[float]] = {}

    def metrics(self, number: int) -> str:
        """The text of one machine, now."""
        lines = self.lines[number % len(self.lines)]
        values = self.values.get(number)
        if values is None:
            values = self.values[number] = [float(value) for _, value in lines]
        now = int(time.time())
        out = [
            self.heads[number % len(self.lines)],
            f'node_textfile_mtime_seconds{{file="/textfiles/zram.prom"}} {now}\n'
            f'node_textfile_mtime_seconds{{file="/textfiles/zram-doctor.prom"}} {now}\n',
        ]
        for at, (name, _) in enumerate(lines):
            if "_total" in name:
                values[at] += int(self.random.expovariate(1 / 4096))
            elif not FIXED.search(name):
                values[at] = int(values[at] * self.random.uniform(0.98, 1.02))
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


def configuration(folder: Path, port: int, count: int, interval: int) -> Path:
    """Each machine is a target of its own, told by its path."""
    targets = "".join(
        f"      - targets: ['127.0.0.1:{port}']\n"
        f"        labels: {{instance: machine-{n}, __metrics_path__: /{n}/metrics}}\n"
        for n in range(count)
    )
    path = folder / "prometheus.yml"
    path.write_text(
        f"global: {{scrape_interval: {interval}s, evaluation_interval: {interval}s}}\n"
        f"rule_files: ['{MONITORING}/rules.yml', '{MONITORING}/alerts.yml']\n"
        "scrape_configs:\n"
        "  - job_name: node\n    static_configs:\n" + targets
    )
    return path


def value(text: str, name: str) -> float:
    """One of Prometheus' own metrics."""
    found = re.search(rf"^{re.escape(name)} (\S+)$", text, re.M)
    if found is None:
        raise SystemExit(f"Prometheus does not tell {name}")
    return float(found[1])


def measure(count: int, texts: list[str], interval: int, rounds: int) -> None:
    """Print a table of one fleet."""
    from fleet.programs import get

    with tempfile.TemporaryDirectory() as top:
        folder = Path(top)
        port = free_port()
        server = multiprocessing.Process(target=serve, args=(port, texts), daemon=True)
        server.start()
        config = configuration(folder, port, count, interval)
        try:
            with Prometheus(config, folder / "data", folder / "log") as prometheus:
                prometheus.wait("/-/ready")
                time.sleep(interval * rounds)
                up = prometheus.query("sum(up)")
                own = get(prometheus.url + "/metrics")
                samples = prometheus.query("sum(scrape_samples_scraped)")
                status = Path(f"/proc/{prometheus.process.pid}/status").read_text()
                memory = int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024  # type: ignore[index]
                series = value(own, "prometheus_tsdb_head_series")
                print(f"{count} machines, scraped every {interval} s, after {rounds} rounds:")
                print(f"  up                     {float(up[0]['value'][1]):12.0f}")
                print(f"  series                 {series:12.0f}  ({series / count:.0f} a machine)")
                print(f"  samples a second       {float(samples[0]['value'][1]) / interval:12.0f}")
                each = memory * 1024 / series
                print(f"  resident memory        {memory:12.0f} MiB ({each:.1f} KiB a series)")
                for group in prometheus.api("rules")["groups"]:
                    print(f"  rules {group['name']:<16} {group['evaluationTime'] * 1e3:12.1f} ms")
                times = {}
                for expression in expressions(MONITORING / "dashboard.json"):
                    runs = []
                    for _ in range(3):
                        started = time.perf_counter()
                        now = time.time()
                        prometheus.api(
                            "query_range",
                            query=expression,
                            start=str(now - interval * rounds),
                            end=str(now),
                            step=str(interval),
                        )
                        runs.append(time.perf_counter() - started)
                    times[expression] = statistics.median(runs)
                print(f"  panels, together       {sum(times.values()) * 1e3:12.1f} ms")
                for expression, seconds in sorted(times.items(), key=lambda x: -x[1])[:3]:
                    print(f"  {seconds * 1e3:8.1f} ms  {expression[:78]}")
        finally:
            server.terminate()
            server.join()


def main() -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--machines", type=int, nargs="+", default=[100, 1000])
    parser.add_argument("--interval", type=int, default=15, help="seconds between scrapes")
    parser.add_argument("--rounds", type=int, default=6)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as top:
        texts = [textfile(Path(top), kernel) for kernel in KERNELS]
    for count in given.machines:
        measure(count, texts, given.interval, given.rounds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
