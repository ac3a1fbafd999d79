# SPDX-License-Identifier: MIT
"""The outcome of a fleet as text, for a terminal and for the documentation."""

from __future__ import annotations

from .model import DAY

MIB = 1 << 20
COMPARED = ("mmd", "cron", "tend", "tend_4gib")
STALL, FLASH, REGRET = "stall_seconds", "flash_bytes_per_day", "regret"


def table(found: dict) -> str:
    """For people; if mmd and cron are there, also tend's share of theirs."""
    lines = []
    killed = {f"{trace}, killed": rows for trace, rows in found.get("killed", {}).items()}
    for trace, policies in {**found["traces"], **killed}.items():
        lines.append(f"{trace:<14} {'stall s':>9} {'MiB/day':>9} {'regret':>7} {'violations':>10}")
        for name, row in policies.items():
            line = f"  {name:<12} {row[STALL]:9.1f} {row[FLASH] / MIB:9.0f} {row[REGRET]:7.2f} "
            line += f"{row['violations']:10d}"
            if name.startswith("tend"):
                for other in ("mmd", "cron"):
                    line += _beside(other, row, policies.get(other))
            lines.append(line)
    return "\n".join(lines)


def _beside(name: str, row: dict, other: dict | None) -> str:
    """The figures as ratios to those of another policy."""
    if not other or not all(other[key] for key in (STALL, FLASH, REGRET)):
        return ""
    stall, flash, regret = (row[key] / other[key] for key in (STALL, FLASH, REGRET))
    return f"   of {name}'s: stall {stall:.2f} flash {flash:.2f} regret {regret:.2f}"


def markdown(found: dict) -> str:
    """The figures, and tend's share of its peers' with the most that it is meant to have."""
    kills, killed = found.get("kills", 0), found.get("killed", {})
    found = found["traces"]
    names = list(next(iter(found.values())))
    lines = ["stall in s a day, MiB to flash a day, regret:", ""]
    lines += _row(["trace", *names]) + _row(["---"] * (1 + len(names)))
    for trace, policies in found.items():
        cells = (
            f"{row[STALL]:.1f}, {row[FLASH] / MIB:.0f}, {row[REGRET]:.2f}"
            for row in policies.values()
        )
        lines += _row([trace, *cells])
    if not all(policies.keys() >= set(COMPARED) for policies in found.values()):
        return "\n".join(lines)
    lines += ["", "tend as a share of its peers, and the aim:", ""]
    lines += _row(
        ["trace", "stall of mmd's", "regret of mmd's", "stall of cron's", "flash of cron's"]
    )
    lines += _row(["---"] * 5)
    for trace, policies in found.items():
        mmd, cron, own, large = (policies[name] for name in COMPARED)
        lines += _row(
            [
                trace,
                _aim(own, mmd, STALL, 0.9 if trace in ("server", "builds") else 1.05),
                _aim(own, mmd, REGRET, 0.8),
                _aim(large, cron, STALL, 1.0),
                _aim(large, cron, FLASH, 0.4),
            ]
        )
    calm = [found["calm"][name] for name in ("tend", "tend_4gib")] if "calm" in found else []
    for name, row, part in zip(("tend", "tend_4gib"), calm, (128, 512), strict=False):
        lines += [
            "",
            f"calm, {name}: stalled for {100 * row[STALL] / DAY:.4f} % of the time (at most "
            f"0.01 %{_missed(row[STALL] <= DAY / 10_000)}), {row[FLASH] / MIB:.0f} MiB written "
            f"a day (at most {part}{_missed(row[FLASH] <= part * MIB)}).",
        ]
    over = _over(found)
    promised = "Writes above what a policy promises for 24 hours, in all runs"
    lines += ["", f"{promised}: {over}{_missed(not over)}."]
    if killed:
        stall, flash = (_worst(killed, found, key) for key in (STALL, FLASH))
        over = _over(killed)
        lines += [
            "",
            f"Killed and restarted {kills} times at random moments of each run, tend stalls for at "
            f"most {stall:.2f} times as long and writes at most {flash:.2f} times as much; "
            f"writes above its budget: {over}{_missed(not over)}.",
        ]
    return "\n".join(lines)


def _over(found: dict) -> int:
    return sum(row["violations"] for policies in found.values() for row in policies.values())


def _worst(killed: dict, found: dict, key: str) -> float:
    """The largest share of what it was undisturbed."""
    return max(
        row[key] / found[trace][name][key]
        for trace, policies in killed.items()
        for name, row in policies.items()
        if found[trace][name][key]
    )


def _row(cells: list[str]) -> list[str]:
    return [f"| {' | '.join(cells)} |"]


def _aim(row: dict, other: dict, key: str, most: float) -> str:
    share = row[key] / other[key]
    return f"{share:.2f} (at most {most:g}{_missed(share <= most)})"


def _missed(met: bool) -> str:
    return "" if met else ", **missed**"
