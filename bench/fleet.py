# SPDX-License-Identifier: MIT
"""What Prometheus needs for a fleet: series, samples, memory, processor, each panel and rule.

Machines are simulated: their textfiles are made from the captured trees of tests/data/sysfs by
zram_stats, pyzram doctor and a pyzram tend at work, and their figures walk at random; of one in
fifty the doctor finds what it finds on the tree, of the others nothing. One server hands all of
them out, each as a target of its own, to a Prometheus of Debian with the rules and alerts of
monitoring/.

    bench/fleet.py --machines 100 1000 10000 --extrapolate 50000

With ``--only`` machines have the metrics of that name alone, and what asks for others is left out:
a fleet too large to be scraped whole beside other work can still be asked a few questions.

Both run on this machine, so the figures are those of a Prometheus that has to share it. A panel is
asked for 360 points, as many as six hours have at one a minute. Time is the processor's, as
Prometheus counts its own, so other work on the machine does not show in it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import random
import re
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

TREE = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(TREE / "tests"))

from fake_roots import Machine  # noqa: E402
from fleet.programs import Prometheus, free_port, get, panels  # noqa: E402
from fleet.textfiles import COLLECTORS, write_all  # noqa: E402

MONITORING = TREE / "monitoring"
KERNELS = ("vm-6.1", "vm-6.12", "6.18", "vm-7.x-multi")
# Of these a figure is a bound or a constant, and does not walk.
FIXED = re.compile(r"size_bytes|limit|priority|_info|success|finding|tend_|_up|error")
POINTS = 360
PATIENCE = 600  # seconds for a query
CPU = "process_cpu_seconds_total"
UNWELL = 50
# What grows with the fleet, and is fitted by a line over it.
GROWING = ("series", "samples_per_second", "memory_mib", "cpu_percent", "rules_s", "alerts_s")


def textfiles(folder: Path, kernel: str, only: re.Pattern[str]) -> str:
    """All files of a machine like a captured one, as node_exporter merges them."""
    here = Machine(folder / "root", kernel)
    here.swap("/dev/zram0 partition 65532 1468 100")
    here.block("loop7", 1 << 21)
    texts = write_all(here, folder)
    lines = dict.fromkeys("".join(texts.values()).splitlines(keepends=True))
    kept = [line for line in lines if only.search(re.sub("^# (HELP|TYPE) ", "", line))]
    return "".join(kept) + "node_textfile_scrape_error 0\n"


class Machines:
    """Targets ``/0/metrics`` and on, each with figures of its own that walk at every scrape."""

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
            out.append(f'node_textfile_mtime_seconds{{file="/textfiles/{name}.prom"}} {now}\n')
        for at, name in enumerate(names):
            if "failed" in name:
                pass
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


def own(prometheus: Prometheus, name: str) -> float:
    """One of Prometheus' own metrics."""
    found = re.search(rf"^{re.escape(name)} (\S+)$", get(prometheus.url + "/metrics"), re.M)
    if found is None:
        raise SystemExit(f"Prometheus does not tell {name}")
    return float(found[1])


def measure(
    count: int, texts: list[str], interval: int, rounds: int, only: re.Pattern[str]
) -> dict[str, Any]:
    """One fleet: what was seen in the last half of the rounds, and each panel asked for once."""
    with tempfile.TemporaryDirectory() as top:
        folder = Path(top)
        port = free_port()
        server = multiprocessing.Process(target=serve, args=(port, texts), daemon=True)
        server.start()
        config = configuration(folder, port, count, interval)
        try:
            patient = f"--query.timeout={PATIENCE}s"
            with Prometheus(config, folder / "data", folder / "log", patient) as prometheus:
                prometheus.wait("/-/ready")
                time.sleep(interval * rounds / 2)
                started, cpu = time.monotonic(), own(prometheus, CPU)
                time.sleep(interval * rounds / 2)
                cpu = own(prometheus, CPU) - cpu
                cpu /= time.monotonic() - started
                found = {"machines": count, "cpu": cpu}
                return look(prometheus, interval, rounds, found, only)
        finally:
            server.terminate()
            server.join()


def look(
    prometheus: Prometheus,
    interval: int,
    rounds: int,
    found: dict[str, Any],
    only: re.Pattern[str],
) -> dict[str, Any]:
    """What is known of it now."""
    scraped = prometheus.query("sum(scrape_samples_scraped)")[0]["value"][1]
    found.update(
        up=int(float(prometheus.query("sum(up)")[0]["value"][1])),
        series=int(own(prometheus, "prometheus_tsdb_head_series")),
        samples_per_second=float(scraped) / interval,
        memory_mib=own(prometheus, "process_resident_memory_bytes") / (1 << 20),
        cpu_percent=100 * found.pop("cpu"),
    )
    rules = [rule for group in prometheus.api("rules")["groups"] for rule in group["rules"]]
    recorded = {rule["name"]: rule["query"] for rule in rules if rule["type"] == "recording"}
    rules = [rule for rule in rules if answered(rule["query"], recorded, only)]
    instants = {rule["name"]: [(rule["query"], True)] for rule in rules}
    span = interval * rounds
    background = found["cpu_percent"] / 100
    found["rules"] = {n: ask(prometheus, q, span, background) for n, q in instants.items()}
    for key, kind in (("rules_s", "recording"), ("alerts_s", "alerting")):
        of_kind = [rule["name"] for rule in rules if rule["type"] == kind]
        found[key] = sum(found["rules"][name] for name in of_kind)
    shown = {
        name: queries
        for name, queries in panels(MONITORING / "dashboard.json").items()
        if all(answered(query, recorded, only) for query, _ in queries)
    }
    found["panels"] = {n: ask(prometheus, q, span, background) for n, q in shown.items()}
    return found


def answered(query: str, recorded: dict[str, str], only: re.Pattern[str]) -> bool:
    """Whether all metrics that a query asks for are there."""
    for name in re.findall(r"[\w:]*zram_[\w:]*", query):
        there = answered(recorded[name], recorded, only) if name in recorded else only.search(name)
        if not there:
            return False
    return True


def ask(
    prometheus: Prometheus, queries: list[tuple[str, bool]], span: float, background: float
) -> float:
    """Processor seconds that Prometheus takes to answer, beyond what it takes anyway."""
    started, cpu = time.monotonic(), own(prometheus, CPU)
    turns = 0
    # Its own clock of processor time goes by hundredths.
    while not turns or (turns < 10 and own(prometheus, CPU) - cpu < 1):
        turns += 1
        for expression, instant in queries:
            if instant:
                prometheus.api("query", PATIENCE, query=expression)
            else:
                now = time.time()
                range_of = {"start": str(now - span), "end": str(now), "step": str(span / POINTS)}
                prometheus.api("query_range", PATIENCE, query=expression, **range_of)
    taken = own(prometheus, CPU) - cpu - background * (time.monotonic() - started)
    return max(taken, 0) / turns


def line(points: list[dict[str, Any]], key: str) -> tuple[float, float]:
    """What there is without a machine, and what each adds, by the two largest fleets measured.

    Rules take more for a machine the more machines there are, so smaller fleets say too little.
    """
    small, large = sorted(points, key=lambda p: p["machines"])[-2:]
    each = (large[key] - small[key]) / (large["machines"] - small["machines"])
    return large[key] - each * large["machines"], each


def show(points: list[dict[str, Any]], counts: list[int]) -> None:
    """The tables of docs/fleet.md."""
    print("| machines | series | samples/s | memory | processor | recording rules | alerts |")
    print("|---------:|-------:|----------:|-------:|----------:|----------------:|-------:|")

    def row(p: dict[str, Any], name: str) -> None:
        print(
            f"| {name} | {p['series']:,.0f} | {p['samples_per_second']:,.0f} "
            f"| {p['memory_mib']:,.0f} MiB | {p['cpu_percent']:.1f} % | {p['rules_s']:.3f} s "
            f"| {p['alerts_s']:.3f} s |".replace(",", " ")
        )

    for point in points:
        row(point, f"{point['machines']:,}".replace(",", " "))
    for count in counts:
        fitted = {}
        for key in GROWING:
            at_none, each = line(points, key)
            fitted[key] = at_none + each * count
        row(fitted, f"{count:,} (line)".replace(",", " "))
    for what in ("panels", "rules"):
        heads = [f"{point['machines']:,}".replace(",", " ") for point in points]
        print(f"\n| {what[:-1]}, ms | {' | '.join(heads)} |\n|---{'|--:' * len(points)}|")
        for name in points[0][what]:
            times = (f"{point[what][name] * 1e3:,.1f}".replace(",", " ") for point in points)
            print(f"| {name} | {' | '.join(times)} |")


def main() -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--machines", type=int, nargs="*", default=[])
    parser.add_argument("--interval", type=int, default=60, help="seconds between scrapes")
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--extrapolate", type=int, nargs="*", default=[], metavar="MACHINES")
    parser.add_argument("--only", type=re.compile, default="", metavar="REGEX")
    parser.add_argument("--json", type=Path, help="keep what was measured in this file")
    parser.add_argument("--read", type=Path, help="begin with what was kept in this file")
    given = parser.parse_args()
    points = json.loads(given.read.read_text()) if given.read else []
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # a connection for each machine
    with tempfile.TemporaryDirectory() as top:
        texts = [textfiles(Path(top) / kernel, kernel, given.only) for kernel in KERNELS]
    for count in given.machines:
        points.append(measure(count, texts, given.interval, given.rounds, given.only))
        if points[-1]["up"] != count:
            print(f"only {points[-1]['up']} of {count} machines answered", file=sys.stderr)
        if given.json:
            given.json.write_text(json.dumps(points, indent=1))
    show(points, given.extrapolate)
    return 0


if __name__ == "__main__":
    sys.exit(main())
