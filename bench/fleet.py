# SPDX-License-Identifier: MIT
"""What Prometheus needs for a fleet: series, samples, memory, processor, each panel and rule.

Machines are simulated: zram_stats, pyzram doctor and a pyzram tend at work make their textfiles
from the captured trees of tests/data/sysfs, and their figures walk at random. On one in fifty the
doctor finds what it finds on the tree, on the others nothing. One server serves all of them, each
as a separate target, to Debian's Prometheus with the rules and alerts of monitoring/.

    bench/fleet.py --machines 100 1000 10000 --extrapolate 50000

With ``--only``, machines have only the metrics of that name, and queries for others are left out:
so a fleet that is too large to be scraped whole beside other work can still be asked a few things.

Both run on this machine, so the figures are those of a Prometheus that has to share it. Measuring
starts once every machine has answered; panels and rules are queried after scraping has stopped. A
panel is queried for 360 points, as many as six hours have at one a minute. Time is processor time
as Prometheus counts its own, so other work on the machine does not show in it. A fleet that does
not answer as a whole is not measured and has no row, and the exit status is 1.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import re
import resource
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

TREE = Path(__file__).resolve().parents[1]
# This file has the same name as the folder there.
sys.path[:] = [str(TREE / "tests"), *(path for path in sys.path if path != str(TREE / "bench"))]

from fleet.programs import Prometheus, free_port, get, panels  # noqa: E402
from fleet.simulated import serve, textfiles  # noqa: E402

MONITORING = TREE / "monitoring"
KERNELS = ("vm-6.1", "vm-6.12", "6.18", "vm-7.x-multi")
RULES = ("rules.yml", "alerts.yml")
POINTS = 360
SETTLING = 10  # intervals, at most, until every machine has answered
PATIENCE = 600  # seconds for a query
CPU = "process_cpu_seconds_total"
# These grow with the fleet, and a line is fitted to them.
GROWING = ("series", "samples_per_second", "memory_mib", "cpu_percent", "rules_s", "alerts_s")


def configuration(folder: Path, port: int, count: int, interval: int) -> Path:
    """Each machine is a separate target, distinguished by its path.

    A scrape may take as long as the interval: better a late answer of a busy machine than none.
    """
    targets = "".join(
        f"      - targets: ['127.0.0.1:{port}']\n"
        f"        labels: {{instance: machine-{n}, zram: expected,"
        f" __metrics_path__: /{n}/metrics}}\n"
        for n in range(count)
    )
    every = f"{interval}s"
    for name in RULES:
        text = (MONITORING / name).read_text()
        text = re.sub(r"^( +)interval: .*\n", "", text, flags=re.M)
        (folder / name).write_text(text)
    path = folder / "prometheus.yml"
    path.write_text(
        f"global: {{scrape_interval: {every}, scrape_timeout: {every}, "
        f"evaluation_interval: {every}}}\n"
        f"rule_files: {[str(folder / name) for name in RULES]}\n"
        "scrape_configs:\n"
        "  - job_name: node\n    static_configs:\n" + targets
    )
    return path


def own(prometheus: Prometheus, name: str) -> float:
    """One of Prometheus' own metrics."""
    text = get(prometheus.url + "/metrics", PATIENCE)
    found = re.search(rf"^{re.escape(name)} (\S+)$", text, re.M)
    if found is None:
        raise SystemExit(f"Prometheus does not tell {name}")
    return float(found[1])


def measure(
    count: int, texts: list[str], interval: int, rounds: int, only: re.Pattern[str]
) -> dict[str, Any]:
    """One fleet: what it takes over the rounds, and then, at rest, each panel and rule.

    The rounds begin when every machine has answered; ``up`` shows one that does not.
    """
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
                deadline = time.monotonic() + SETTLING * interval
                while up(prometheus) < count and time.monotonic() < deadline:
                    time.sleep(interval / 10)
                started, cpu = time.monotonic(), own(prometheus, CPU)
                time.sleep(interval * rounds)
                cpu = own(prometheus, CPU) - cpu
                cpu /= time.monotonic() - started
                found = grown(prometheus, interval, rounds)
                found.update(machines=count, cpu_percent=100 * cpu)
                if found["up"] == count:
                    asked(prometheus, config, folder, interval * rounds, found, only)
                return found
        finally:
            server.terminate()
            server.join()


def up(prometheus: Prometheus) -> int:
    """Machines whose last scrape went well."""
    found = prometheus.query("sum(up)")
    return int(float(found[0]["value"][1])) if found else 0


def grown(prometheus: Prometheus, interval: int, rounds: int) -> dict[str, Any]:
    """What grows with the fleet."""
    scraped = prometheus.query("sum(scrape_samples_scraped)")[0]["value"][1]
    failed = prometheus.query(f"1 - avg(avg_over_time(up[{interval * rounds}s]))")[0]["value"][1]
    return {
        "up": up(prometheus),
        "failed_percent": 100 * float(failed),
        "series": int(own(prometheus, "prometheus_tsdb_head_series")),
        "samples_per_second": float(scraped) / interval,
        "memory_mib": own(prometheus, "process_resident_memory_bytes") / (1 << 20),
    }


def rest(prometheus: Prometheus, config: Path) -> None:
    """Stop scrapes and rules, so that queries have the processor to themselves."""
    text = re.sub(r"(scrape|evaluation)_interval: \d+s", r"\1_interval: 1000h", config.read_text())
    config.write_text(re.sub(r"scrape_timeout: \d+s, ", "", text))
    reloaded = "prometheus_config_last_reload_success_timestamp_seconds"
    before = own(prometheus, reloaded)
    prometheus.process.send_signal(signal.SIGHUP)
    deadline = time.monotonic() + PATIENCE
    cpu, idle = 0.0, False
    while own(prometheus, reloaded) == before or not idle:
        if time.monotonic() > deadline:
            raise SystemExit("Prometheus does not come to rest")
        time.sleep(2)
        idle, cpu = own(prometheus, CPU) - cpu < 0.1, own(prometheus, CPU)


def asked(
    prometheus: Prometheus,
    config: Path,
    folder: Path,
    span: float,
    found: dict[str, Any],
    only: re.Pattern[str],
) -> None:
    """Add what each panel and rule takes, for the last moment before Prometheus came to rest."""
    rules = [rule for group in prometheus.api("rules")["groups"] for rule in group["rules"]]
    recorded = {rule["name"]: rule["query"] for rule in rules if rule["type"] == "recording"}
    rules = [rule for rule in rules if answered(rule["query"], recorded, only)]
    now = time.time()
    rest(prometheus, config)
    instants = {rule["name"]: [(rule["query"], True)] for rule in rules}
    found["rules"] = {name: ask(prometheus, q, now, span) for name, q in instants.items()}
    for key, kind in (("rules_s", "recording"), ("alerts_s", "alerting")):
        of_kind = [rule["name"] for rule in rules if rule["type"] == kind]
        found[key] = sum(found["rules"][name] for name in of_kind)
    shown = {
        name: queries
        for name, queries in panels(MONITORING / "dashboard.json").items()
        if all(answered(query, recorded, only) for query, _ in queries)
    }
    found["panels"] = {name: ask(prometheus, q, now, span) for name, q in shown.items()}


def answered(query: str, recorded: dict[str, str], only: re.Pattern[str]) -> bool:
    """Whether all metrics that a query asks for are there."""
    for name in re.findall(r"[\w:]*zram_[\w:]*", query):
        there = answered(recorded[name], recorded, only) if name in recorded else only.search(name)
        if not there:
            return False
    return True


def ask(prometheus: Prometheus, queries: list[tuple[str, bool]], now: float, span: float) -> float:
    """Processor seconds that Prometheus takes to answer.

    For long queries this is the least of three, since in some the garbage collector goes through
    all of the fleet's data; for short ones the mean of ten, as the clock counts hundredths.
    """
    turns: list[float] = []
    while len(turns) < (3 if turns and turns[0] > 0.1 else 10):
        cpu = own(prometheus, CPU)
        for expression, instant in queries:
            if instant:
                prometheus.api("query", PATIENCE, query=expression, time=str(now))
            else:
                range_of = {"start": str(now - span), "end": str(now), "step": str(span / POINTS)}
                prometheus.api("query_range", PATIENCE, query=expression, **range_of)
        turns.append(own(prometheus, CPU) - cpu)
    return min(turns) if len(turns) == 3 else sum(turns) / len(turns)


def line(points: list[dict[str, Any]], key: str) -> tuple[float, float]:
    """The cost without machines, and what each adds, from the two largest fleets measured.

    The cost of rules per machine grows with the fleet, so smaller fleets would give too little.
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
            f"| {p['alerts_s']:.3f} s |".replace(",", "\u202f")
        )

    for point in points:
        row(point, f"{point['machines']:,}".replace(",", "\u202f"))
    for count in counts:
        fitted = {}
        for key in GROWING:
            at_none, each = line(points, key)
            fitted[key] = at_none + each * count
        row(fitted, f"{count:,} (line)".replace(",", "\u202f"))
    for what in ("panels", "rules"):
        heads = [f"{point['machines']:,}".replace(",", "\u202f") for point in points]
        print(f"\n| {what[:-1]}, ms | {' | '.join(heads)} |\n|---{'|--:' * len(points)}|")
        for name in points[0][what]:
            times = (f"{point[what][name] * 1e3:,.1f}".replace(",", "\u202f") for point in points)
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
    status = 0
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # a connection for each machine
    with tempfile.TemporaryDirectory() as top:
        texts = [textfiles(Path(top) / kernel, kernel, given.only) for kernel in KERNELS]
    for count in given.machines:
        load = os.getloadavg()[0]
        found = measure(count, texts, given.interval, given.rounds, given.only)
        whole = found["up"] == count
        print(
            f"{count} machines: {found['up']} answered, {found['failed_percent']:.2f} % of scrapes "
            f"failed, load {load:.0f} to {os.getloadavg()[0]:.0f}"
            + ("" if whole else ": not measured, try again with less load or a longer --interval"),
            file=sys.stderr,
            flush=True,
        )
        if not whole:
            status = 1
            continue
        points = sorted([*points, found], key=lambda point: point["machines"])
        if given.json:
            given.json.write_text(json.dumps(points, indent=1))
    if points:
        show(points, given.extrapolate if len(points) > 1 else [])
    return status


if __name__ == "__main__":
    sys.exit(main())
