# SPDX-License-Identifier: MIT
"""Policies of writeback and recompression on made-up machines: stall against bytes to flash.

Each trace (desktop, server, builds, board, calm, leak, laptop) is drawn from a seed and run under
each policy: none, an hourly cron job, both generations of ChromeOS's, Android's mmd, and pyzram's
own, which is the very function that its daemon calls. It prints medians over the seeds: seconds a
day in which somebody waited for memory, MiB a day to flash, the share of it that came back, and how
often more was written in 24 hours than the policy promises (as a sum).

`tend` has mmd's budget, 1 GiB in any 24 hours; `tend_4gib` has that of a SATA or NVMe medium. The
policy was tuned on seeds from 500000 on. With --replay the machines are drawn to fit a recording of
a real one instead. It needs a C compiler, and matplotlib for --plot. These make docs/tend.md:

    python bench/tend.py --seeds 100 --first 30001 --kills 12 --json > docs/tend.json
    python bench/tend.py --from docs/tend.json --markdown
    python bench/tend.py --from docs/tend.json --plot docs/tend.svg
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path

from simulator import fleet, model, plotting, replay, tables, traces
from simulator.policies import POLICIES


def none_or_more(word: str) -> int:
    """Accept a number from 0 up."""
    number = int(word)
    if number < 0:
        raise argparse.ArgumentTypeError(f"{word}: not a number from 0 up")
    return number


def some(word: str) -> int:
    """Accept a number from 1 up."""
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
        "--first", type=none_or_more, default=1, metavar="SEED", help="the first (default 1)"
    )
    parser.add_argument("--days", type=some, default=2, metavar="N", help="of each run (default 2)")
    parser.add_argument(
        "--replay", metavar="FILE", help="machines that fit what pyzram tend --record wrote"
    )
    parser.add_argument("--traces", nargs="+", choices=traces.TRACES, default=list(traces.TRACES))
    parser.add_argument("--policies", nargs="+", choices=POLICIES, default=list(POLICIES))
    parser.add_argument(
        "--medium", choices=model.MEDIA, default="", help="of all machines, instead of their own"
    )
    parser.add_argument(
        "--kills",
        type=none_or_more,
        default=0,
        metavar="N",
        help="also run tend on each machine killed and restarted this often",
    )
    parser.add_argument(
        "--from", dest="before", metavar="FILE", help="run nothing: what --json printed before"
    )
    ways = parser.add_mutually_exclusive_group()
    ways.add_argument("--json", action="store_true", help="print JSON")
    ways.add_argument("--markdown", action="store_true", help="print the tables of docs/tend.md")
    parser.add_argument("--plot", metavar="FILE", help="draw stall against bytes to flash")
    return parser


def main() -> int:
    """Run the fleet and print the outcome."""
    parser = arguments()
    options = parser.parse_args()
    if options.plot and (why := plotting.why_not(options.plot)):
        parser.error(f"--plot {options.plot}: {why}")  # before it runs for minutes
    try:
        found = earlier(options.before) if options.before else run(options)
        if options.plot:
            plotting.plot(found["traces"], options.plot)
    except OSError as err:
        path = err.filename or options.before or options.replay or options.plot
        raise SystemExit(f"{path}: {err.strerror}") from err
    if options.json:
        print(json.dumps(found, indent=2))
    elif options.markdown:
        print(tables.markdown(found))
    else:
        print(tables.table(found))
    return 0


def earlier(path: str) -> dict:
    """What an earlier run printed with --json."""
    try:
        found = json.loads(Path(path).read_text(encoding="utf-8"))
        for rows in (*found["traces"].values(), *found.get("killed", {}).values()):
            for row in rows.values():
                if set(row) != set(fleet.Outcome._fields):
                    raise ValueError("not the figures of a run")
    except (ValueError, KeyError, TypeError, AttributeError) as err:
        raise SystemExit(f"{path}: not what --json prints: {err}") from err
    return found


def run(options: argparse.Namespace) -> dict:
    """Run the fleet; stderr says how long that took, and what was recorded."""
    began = time.monotonic()
    if options.replay:
        rows = replay.load(options.replay)
        traces.TRACES["replay"] = lambda chance, _days: replay.draw(rows, chance)
        options.traces, options.days = ["replay"], rows[-1]["at"] / fleet.DAY
    own = [name for name in options.policies if name.startswith("tend")]
    found = {"traces": outcomes(options, options.policies, 0)}
    if options.kills and own:
        found["killed"] = outcomes(options, own, options.kills)
    policies = len(options.policies) + len(own) * ("killed" in found)
    count, seconds = options.seeds * len(options.traces) * policies, time.monotonic() - began
    print(
        f"{count} runs of {options.days:.3g} days in {seconds:.0f} s "
        f"on {len(os.sched_getaffinity(0))} processors",
        file=sys.stderr,
    )
    if options.replay and (real := replay.stalled(rows)) is not None:
        print(f"stall that was recorded: {real:.1f} s a day", file=sys.stderr)
    asked = ("seeds", "first", "days", "kills", *(["medium"] if options.medium else []))
    settings = {name: getattr(options, name) for name in asked}
    return {**settings, **found}


def outcomes(options: argparse.Namespace, policies: list[str], kills: int) -> dict:
    """Medians over the seeds, by trace and policy."""
    jobs = [
        fleet.Job(name, seed, tuple(policies), options.days, kills, options.medium)
        for name in options.traces
        for seed in range(options.first, options.first + options.seeds)
    ]
    return {
        trace: {policy: fleet.medians(runs) for policy, runs in by_policy.items()}
        for trace, by_policy in fleet.fleet(jobs).items()
    }


if __name__ == "__main__":
    sys.exit(main())
