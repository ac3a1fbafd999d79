# SPDX-License-Identifier: MIT
"""Many runs on all processors: each trace and seed under each policy, and the outcomes."""

from __future__ import annotations

import multiprocessing
import os
import random
import statistics
from concurrent.futures import ProcessPoolExecutor
from typing import NamedTuple

from . import traces
from .model import DAY, PAGE, Machine, library
from .policies import POLICIES, Policy


class Outcome(NamedTuple):
    """The outcome of one run."""

    stall_seconds: float
    """Seconds in a day in which a task waited for memory."""
    flash_bytes_per_day: float
    regret: float
    """Bytes that came back from flash for each byte written to it."""
    violations: int
    """Writes that exceeded what the policy promises for any 24 hours."""


def run(trace: traces.Trace, policy: Policy, days: float, kills: tuple[float, ...] = ()) -> Outcome:
    """Run a policy on a trace; kill and restart it at the given times (seconds awake)."""
    machine = Machine(trace, days)
    m = machine.m
    pending = sorted(kills)
    wake = policy.start(machine)
    while m.now < m.end:
        if pending and m.now >= pending[0]:
            pending.pop(0)
            wake = policy.restart(machine)
        tripped = machine.run(min([wake, *pending[:1]]), policy.trigger) == 1
        if m.now < m.end and (tripped or m.now >= wake):
            wake = m.now + max(1.0, policy.wake(machine))
    passed = machine.boottime / DAY
    return Outcome(
        m.stall / passed,
        m.writes * PAGE / passed,
        m.reads / m.writes if m.writes else 0.0,
        violations(machine.log, policy.budget),
    )


def violations(log: list[tuple[float, float]], budget: float) -> int:
    """How often more than the budget was written within 24 hours."""
    found, total, first = 0, 0.0, 0
    for when, size in log:
        total += size
        while log[first][0] <= when - DAY:
            total -= log[first][1]
            first += 1
        found += total > budget
    return found


class Job(NamedTuple):
    """One trace and seed under all policies."""

    trace: str
    seed: int
    policies: tuple[str, ...]
    days: float
    kills: int
    medium: str = ""
    """Instead of the trace's own."""


def do(job: Job) -> dict[str, Outcome]:
    """All policies meet the same trace, and the same kills."""
    trace = traces.draw(job.trace, job.seed, job.days)
    trace.medium = job.medium or trace.medium
    chance = random.Random(f"kills {job.trace} {job.seed}")
    kills = tuple(chance.uniform(0, job.days * DAY) for _ in range(job.kills))
    return {name: run(trace, POLICIES[name](), job.days, kills) for name in job.policies}


def fleet(jobs: list[Job]) -> dict[str, dict[str, list[Outcome]]]:
    """Run all jobs; return the outcomes by trace, policy and seed."""
    library()  # compile it once, before there are many processes
    found: dict[str, dict[str, list[Outcome]]] = {}
    workers = len(os.sched_getaffinity(0))
    # Forked, because only this process has the trace of a replayed recording.
    with ProcessPoolExecutor(workers, multiprocessing.get_context("fork")) as pool:
        for job, outcomes in zip(jobs, pool.map(do, jobs, chunksize=4), strict=True):
            for name, outcome in outcomes.items():
                found.setdefault(job.trace, {}).setdefault(name, []).append(outcome)
    return found


def medians(outcomes: list[Outcome]) -> dict[str, float]:
    """The median of each figure over the seeds; violations are summed, because one is too many."""
    return {
        "stall_seconds": statistics.median(o.stall_seconds for o in outcomes),
        "flash_bytes_per_day": statistics.median(o.flash_bytes_per_day for o in outcomes),
        "regret": statistics.median(o.regret for o in outcomes),
        "violations": sum(o.violations for o in outcomes),
    }
