# SPDX-License-Identifier: MIT
"""Policies of writeback and recompression on made-up machines: stall against bytes to flash.

Each trace (desktop, server, builds, board, calm, leak, laptop) is drawn from a seed and run under
each policy: none, an hourly cron job, both generations of ChromeOS's, Android's mmd, and pyzram's
own, which is the very function that its daemon calls. Printed are medians over the seeds: seconds a
day that somebody waited for memory, MiB a day to flash, the share of it that came back, and how
often more was written in 24 hours than the policy promises (summed up).

`tend` has mmd's budget, 1 GiB in any 24 hours; `tend_4gib` has what a SATA or NVMe medium is given.
The policy was tuned on seeds from 500000 on. With --replay the machines are drawn to fit a record
of a real one instead. Needs a C compiler, and matplotlib for --plot.
"""

from __future__ import annotations

import argparse
import json
import sys
import time

from simulator import fleet, replay, traces
from simulator.policies import POLICIES

MIB = 1 << 20


def some(word: str) -> int:
    """Take a number from 1 up."""
    number = int(word)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{word}: not a number from 1 up")
    return number


def arguments() -> argparse.ArgumentParser:
    """Describe the arguments."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=some, default=20, metavar="N", help="how many (default 20)")
    parser.add_argument(
        "--first", type=int, default=1, metavar="SEED", help="the first (default 1)"
    )
    parser.add_argument("--days", type=some, default=2, metavar="N", help="of each run (default 2)")
    parser.add_argument(
        "--replay", metavar="FILE", help="machines that fit what pyzram tend --record wrote"
    )
    parser.add_argument("--traces", nargs="+", choices=traces.TRACES, default=list(traces.TRACES))
    parser.add_argument("--policies", nargs="+", choices=POLICIES, default=list(POLICIES))
    parser.add_argument("--kills", type=int, default=0, metavar="N", help="restarts in each run")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--plot", metavar="FILE", help="draw stall against bytes to flash")
    return parser


def main() -> int:
    """Run the fleet and print what came of it."""
    options = arguments().parse_args()
    began = time.monotonic()
    if options.replay:
        rows = replay.load(options.replay)
        traces.TRACES["replay"] = lambda chance, _days: replay.draw(rows, chance)
        options.traces, options.days = ["replay"], rows[-1]["at"] / fleet.DAY
    jobs = [
        fleet.Job(name, seed, tuple(options.policies), options.days, options.kills)
        for name in options.traces
        for seed in range(options.first, options.first + options.seeds)
    ]
    outcomes = fleet.fleet(jobs)
    found = {
        trace: {policy: fleet.medians(runs) for policy, runs in by_policy.items()}
        for trace, by_policy in outcomes.items()
    }
    if options.plot:
        plot(found, options.plot)
    if options.json:
        settings = {"seeds": options.seeds, "first": options.first, "days": options.days}
        print(json.dumps({**settings, "traces": found}, indent=2))
    else:
        print(table(found))
        runs = len(jobs) * len(options.policies)
        print(f"{runs} runs of {options.days:.3g} days in {time.monotonic() - began:.0f} s")
        if options.replay and (real := replay.stalled(rows)) is not None:
            print(f"stall that was recorded: {real:.1f} s a day")
    return 0


def table(found: dict) -> str:
    """For people; with mmd and cron there, what tend has of theirs."""
    lines = []
    for trace, policies in found.items():
        lines.append(f"{trace:<14} {'stall s':>9} {'MiB/day':>9} {'regret':>7} {'violations':>10}")
        for name, row in policies.items():
            line = f"  {name:<12} {row['stall_seconds']:9.1f} "
            line += f"{row['flash_bytes_per_day'] / MIB:9.0f} {row['regret']:7.2f} "
            line += f"{row['violations']:10d}"
            if name.startswith("tend"):
                line += "".join(
                    beside(other, row, policies.get(other)) for other in ("mmd", "cron")
                )
            lines.append(line)
    return "\n".join(lines)


def beside(name: str, row: dict, other: dict | None) -> str:
    """Ratios of the figures to those of another policy."""
    if not other or not all(
        (other["stall_seconds"], other["flash_bytes_per_day"], other["regret"])
    ):
        return ""
    stall, flash, regret = (
        row[key] / other[key] for key in ("stall_seconds", "flash_bytes_per_day", "regret")
    )
    return f"   of {name}'s: stall {stall:.2f} flash {flash:.2f} regret {regret:.2f}"


def plot(found: dict, path: str) -> None:
    """A panel for each trace: left and low is good."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    columns = min(4, len(found))
    rows = -(-len(found) // columns)
    figure, panels = pyplot.subplots(
        rows, columns, figsize=(4 * columns, 3.4 * rows), squeeze=False, layout="constrained"
    )
    markers = dict(zip(POLICIES, "ox^vsDP", strict=False))
    for panel in panels.flat[len(found) :]:
        panel.axis("off")
    for panel, (trace, policies) in zip(panels.flat, found.items(), strict=False):
        for name, row in policies.items():
            own = name.startswith("tend")
            panel.plot(
                row["flash_bytes_per_day"] / MIB,
                max(0.1, row["stall_seconds"]),
                markers[name],
                color="#c1272d" if own else "#4d4d4d",
                markerfacecolor=None if own else "none",
                markersize=8,
                label=name,
                clip_on=False,  # what writes nothing lies on the edge
                zorder=3,
            )
        panel.set_yscale("log")
        panel.set_xscale("symlog", linthresh=10)
        panel.set_xlim(left=-1)
        panel.set_title(trace)
        panel.set_xlabel("MiB to flash a day")
        panel.set_ylabel("stall, s a day")
        panel.grid(alpha=0.3)
    handles, labels = panels.flat[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    sys.exit(main())
