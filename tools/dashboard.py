# SPDX-License-Identifier: MIT
"""Make monitoring/dashboard.json: ``make dashboard``. Needs grafana-foundation-sdk, pinned there.

Panels of the fleet use recorded sums, which are for whole jobs. Panels of machines show the twenty
that rank first at the end of the displayed range, by Prometheus' ``@ end()``, over all of that
range: a plain ``topk`` is evaluated for each point, and draws all that ever ranked first.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from grafana_foundation_sdk.builders import dashboard, prometheus, stat, table, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import DataSourceRef, VariableRefresh

TREE = Path(__file__).resolve().parents[1]
OF = '{job=~"$job",instance=~"$instance"}'
SOURCE = DataSourceRef(type_val="prometheus", uid="$datasource")
NAME = "{{instance}} {{device}}"
MOST = 20


def first(metric: str, *, lowest: bool = False) -> str:
    """The most of something, or the least, at the end, so that the legend stays readable."""
    chosen = "bottomk" if lowest else "topk"
    return f"{metric}{OF} and {chosen}({MOST}, {metric}{OF} @ end())"


def first_rates(counter: str) -> str:
    """The fastest at the end."""
    of = f"{counter}{OF}"
    return f"rate({of}[$__rate_interval]) and topk({MOST}, rate({of}[$__rate_interval] @ end()))"


def first_increases(counter: str) -> str:
    """What grew most over the displayed range, per hour; by its end it may have stopped."""
    of = f"{counter}{OF}"
    return f"increase({of}[1h]) and topk({MOST}, increase({of}[$__range] @ end()) > 0)"


def query(expression: str, legend: str, *, instant: bool = False) -> prometheus.Dataquery:
    """One query of a panel."""
    built = prometheus.Dataquery().expr(expression).legend_format(legend)
    return built.instant() if instant else built


def graph(title: str, unit: str, text: str, *queries: tuple[str, str]) -> timeseries.Panel:
    """Lines over time."""
    panel = timeseries.Panel().title(title).description(text).unit(unit).datasource(SOURCE)
    for letter, (expression, legend) in zip("ABCD", queries, strict=False):
        panel = panel.with_target(query(expression, legend).ref_id(letter))
    return panel.span(12).height(8)


def number(title: str, unit: str, text: str, expression: str) -> stat.Panel:
    """One number."""
    panel = stat.Panel().title(title).description(text).unit(unit).datasource(SOURCE)
    return panel.with_target(query(expression, "", instant=True)).span(6).height(4)


def build() -> dashboard.Dashboard:
    """Put it together."""
    job, instance = (
        dashboard.QueryVariable(name)
        .datasource(SOURCE)
        .query(f"label_values({metric}, {name})")
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .multi(True)
        .include_all(True)
        .all_value(".*")
        for name, metric in (
            ("job", "zram_scrape_success"),
            ("instance", 'zram_scrape_success{job=~"$job"}'),
        )
    )
    return (
        dashboard.Dashboard("zram")
        .uid("pyzram")
        .description("What zram devices of a fleet hold and what it costs. Needs rules.yml.")
        .tags(["zram", "memory"])
        .refresh("1m")
        .time("now-6h", "now")
        .with_variable(dashboard.DatasourceVariable("datasource").type("prometheus"))
        .with_variable(job)
        .with_variable(instance)
        .with_row(dashboard.Row("Fleet: whole jobs, whichever instances are chosen"))
        .with_panel(
            number(
                "Saved memory",
                "bytes",
                "Stored data less the memory it takes.",
                'sum(job:zram_saved_bytes:sum{job=~"$job"})',
            )
        )
        .with_panel(
            number(
                "Stored per byte of memory",
                "none",
                "Overhead included: bigger is better.",
                'sum(job:zram_orig_data_size_bytes:sum{job=~"$job"})'
                ' / sum(job:zram_mem_used_bytes:sum{job=~"$job"})',
            )
        )
        .with_panel(
            number(
                "Machines that report",
                "none",
                "All that their files were to tell could be read.",
                'count(zram_scrape_success{job=~"$job",collector="zram_stats"} == 1)',
            )
        )
        .with_panel(
            number(
                "Wear a day",
                "bytes",
                "Written to all backing devices in the last day.",
                'sum(job:zram_bd_writes_bytes:increase1d{job=~"$job"})',
            )
        )
        .with_panel(
            graph(
                "Data and the memory it takes",
                "bytes",
                "Of all devices.",
                ('sum(job:zram_orig_data_size_bytes:sum{job=~"$job"})', "stored"),
                ('sum(job:zram_mem_used_bytes:sum{job=~"$job"})', "memory taken"),
            )
        )
        .with_panel(
            graph(
                "Devices by algorithm",
                "none",
                "Devices that compress with each.",
                (
                    'count by (algorithm) (zram_comp_algorithm_info{job=~"$job",priority="0"})',
                    "{{algorithm}}",
                ),
            )
        )
        .with_row(dashboard.Row(f"Devices: the first {MOST} at the end"))
        .with_panel(
            graph(
                "Memory taken",
                "bytes",
                "mem_used_total of each device.",
                (first("zram_mem_used_bytes"), NAME),
            )
        )
        .with_panel(
            graph(
                "Stored per byte of memory, the lowest",
                "none",
                "Below 1 zram takes more than it holds.",
                (first("instance_device:zram_stored_per_used:ratio", lowest=True), NAME),
            )
        )
        .with_panel(
            graph(
                "Part of mem_limit",
                "percentunit",
                "Of devices that have a limit; writes fail at 1.",
                (first("instance_device:zram_mem_limit_used:ratio"), NAME),
            )
        )
        .with_panel(
            graph(
                "Swap used",
                "percentunit",
                "Slots in use; not data stored in zram.",
                (first("instance_device:zram_swap_used:ratio"), NAME),
            )
        )
        .with_panel(
            graph(
                "Reads and writes",
                "Bps",
                "Uncompressed.",
                (first_rates("zram_read_bytes_total"), f"read {NAME}"),
                (first_rates("zram_written_bytes_total"), f"write {NAME}"),
            )
        )
        .with_panel(
            graph(
                "Incompressible pages",
                "none",
                "Pages now stored as they are.",
                (first("zram_huge_pages"), NAME),
            )
        )
        .with_row(dashboard.Row("Backing devices"))
        .with_panel(
            graph(
                "Part in use",
                "percentunit",
                "bd_count of the device's size.",
                (first("instance_device:zram_bd_used:ratio"), NAME),
            )
        )
        .with_panel(
            graph(
                "Written for a byte stored",
                "none",
                "Write amplification, over the last hour.",
                (first("instance_device:zram_write_amplification:ratio_rate1h"), NAME),
            )
        )
        .with_row(dashboard.Row("pyzram tend"))
        .with_panel(
            graph(
                "Budget left, the least",
                "percentunit",
                "Of what may be written to a medium in 24 hours; at 0 nothing is written back.",
                (first("instance_device:zram_tend_budget_left:ratio", lowest=True), NAME),
            )
        )
        .with_panel(
            graph(
                "Machines by mode",
                "none",
                "What the daemons of whole jobs take their machines for.",
                ('sum by (mode) (job_mode:zram_tend_mode:sum{job=~"$job"})', "{{mode}}"),
            )
        )
        .with_panel(
            graph(
                "Shortage of memory",
                "none",
                "As the daemons see it, 0 to 1.",
                (first("zram_tend_pressure_ratio"), "{{instance}}"),
            )
        )
        .with_row(dashboard.Row("Health"))
        .with_panel(
            graph(
                "Requests that failed",
                "none",
                "In an hour.",
                (
                    first_increases("zram_failed_writes_total"),
                    f"writes {NAME}",
                ),
                (first_increases("zram_failed_reads_total"), f"reads {NAME}"),
            )
        )
        .with_panel(
            table.Panel()
            .title("Findings of pyzram doctor")
            .description("Machines with each; pyzram doctor there says what mends it.")
            .datasource(SOURCE)
            .with_target(
                query(
                    f"count by (check) (zram_doctor_finding{OF} == 1)", "{{check}}", instant=True
                ).format("table")
            )
            .span(12)
            .height(8)
        )
    )


def main() -> int:
    """Write the file."""
    made = json.loads(JSONEncoder().encode(build().build()))
    for number_of_panel, panel in enumerate(made["panels"], 1):
        panel["id"] = number_of_panel
    text = json.dumps(made, sort_keys=True, indent=2) + "\n"
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else TREE / "monitoring/dashboard.json"
    path.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
