# SPDX-License-Identifier: MIT
"""``pyzram doctor``: what the kernel offers, what is used, and what should be changed."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from ..config.layers import DEFAULT_PATH
from ..doctor.checks import CHECKS, examine
from ..doctor.finding import Finding
from ..doctor.snapshot import Snapshot, take_snapshot
from ..errors import ZramError
from ..kernel.sysfs import given_sysfs
from ..text import quote
from ..units import format_size
from .options import FILE, Command, Option, at_most_one

if TYPE_CHECKING:
    from ..device.stats import Stats

# pyzram turns our errors into status 2: the machine was not examined, or the output not written.
NOTHING, FINDINGS = 0, 1
LEAST = 40  # no terminal is narrower
NOT_WRITTEN = 1  # the textfile, as with the other collectors
# Findings of these checks can cost data or the next start; the others cost only memory or time.
WRONG = frozenset({"failed-writes", "hibernation", "config", "algorithm"})


COMMAND = Command(
    "pyzram doctor",
    "Show what this kernel's zram offers, what the running setup uses, and what is wrong or "
    "wasteful, with the figure that shows it and the command that fixes it.",
    (
        Option(
            "c",
            "config",
            "FILE",
            f"configuration to compare with (default {DEFAULT_PATH})",
            values=FILE,
            default=DEFAULT_PATH,
        ),
        Option("", "json", "", "print JSON"),
        Option(
            "",
            "textfile",
            "FILE",
            "write the findings into FILE, for node_exporter's textfile collector",
            values=FILE,
        ),
    ),
    notes="Exit status: 0 if there is nothing to fix, 1 if there are findings, 2 if the machine "
    "could not be examined or the output could not be written. With --textfile it is 0 if the file "
    "was written, whatever its contents, and 1 if it could not be.",
)


def main(argv: list[str]) -> int:
    """Run the command."""
    options = COMMAND.arguments(argv)
    if options is None:
        return NOTHING
    at_most_one(options, "textfile", "json")
    if options.textfile:
        return _textfile(options.textfile, options.config)
    snapshot = _snapshot(options.config)
    findings = examine(snapshot)
    if options.json:
        from .json_documents import of_doctor

        print(json.dumps(of_doctor(snapshot, findings), indent=2))
    else:
        from . import colour
        from .output import output_width

        coloured, width = colour.wanted(sys.stdout), output_width(100)
        print(text(snapshot, findings, coloured=coloured, width=width), end="")
    return FINDINGS if findings else NOTHING


def _snapshot(config: str) -> Snapshot:
    return take_snapshot(sysfs=given_sysfs(), config_path=config)


def _textfile(path: str, config: str) -> int:
    """Write a 0 or 1 for each check; no samples if the machine could not be examined.

    Failures are reported here, because they exit with status 1, which otherwise means findings.
    """
    from ..kernel.figures import GAUGE
    from ..named_files import write_textfile
    from .metrics import Family, labels, scrape, text_format

    family = Family(
        "zram_doctor_finding", GAUGE, "whether this check of pyzram doctor has a finding"
    )
    success = True
    try:
        found = {finding.check for finding in examine(_snapshot(config))}
        for code in CHECKS:
            family.add(int(code in found), labels(check=code))
    except ZramError as err:
        success = False
        _complain(str(err))
    except OSError as err:
        success = False
        _complain(f"{err.filename}: {err.strerror}")
    try:
        write_textfile(path, text_format([family, *scrape("doctor", success)]))
    except ZramError as err:
        _complain(str(err))
        return NOT_WRITTEN
    return NOTHING


def _complain(message: str) -> None:
    print(quote(f"pyzram doctor: {message}"), file=sys.stderr)


def text(
    snapshot: Snapshot,
    findings: list[Finding],
    *,
    coloured: bool = False,
    width: int | None = None,
) -> str:
    """The report for people, at most ``width`` columns wide if that is given."""
    from . import colour

    def fold(text: str, hanging: str) -> str:
        return "\n".join(folded(quote(text), width, hanging))

    def paint(text: str, role: str) -> str:
        return colour.paint(text, role) if coloured else text

    lines = [fold(line, " " * 24) for line in offers(snapshot)]
    lines.append("")
    lines += [fold(uses(stats), "   ") for stats in snapshot.devices] or [
        "no zram device is in use"
    ]
    lines.append("")
    # What is wrong comes first, in the order of the checks.
    ordered = sorted(findings, key=lambda finding: finding.check not in WRONG)
    severity = ""
    for number, finding in enumerate(ordered, 1):
        role = colour.BAD if finding.check in WRONG else colour.WARN
        word = "wrong:" if finding.check in WRONG else "wasteful:"
        if word != severity:
            severity = word
            lines.append(paint(word, role))
        who = f"{finding.device}: " if finding.device else ""
        what = f"{number}. {who}{finding.what} [{finding.check}]"
        lines += [
            *(paint(line, role) for line in folded(quote(what), width, "   ")),
            fold(f"   figure: {finding.figure}", " " * 11),
            fold(f"   remedy: {finding.remedy}", " " * 11),
        ]
    if not findings:
        lines.append(paint("nothing to fix", colour.GOOD))
    return "\n".join(lines) + "\n"


def folded(text: str, width: int | None, hanging: str) -> list[str]:
    """Fold into lines of at most ``width`` columns; all but the first begin with ``hanging``."""
    if width is None or len(text) <= width:
        return [text]
    import textwrap

    return textwrap.wrap(
        text,
        max(width, LEAST),
        subsequent_indent=hanging,
        break_long_words=False,
        break_on_hyphens=False,
    )


def offers(snapshot: Snapshot) -> list[str]:
    """What the kernel has; ``?`` if that is unknown."""
    kernel = snapshot.features
    answers = {True: "yes", False: "no", None: "?"}
    rows = {
        "algorithms": " ".join(kernel.algorithms) if kernel.algorithms else "?",
        "levels, dictionaries": answers[kernel.algorithm_params],
        "recompression": answers[kernel.recompression],
        "writeback": answers[kernel.writeback],
        "compressed writeback": answers[kernel.compressed_writeback],
        "page ages": answers[kernel.idle_age],
        "block_state": answers[kernel.memory_tracking],
        "pressure (PSI)": answers[kernel.psi],
    }
    return ["This kernel's zram:", *(f"  {name:<21} {value}" for name, value in rows.items())]


def uses(stats: Stats) -> str:
    """One line about a device."""
    words = [stats.comp_algorithm or "no algorithm selected"]
    words += [f"{name} at priority {at}" for at, name in (stats.recomp_algorithms or {}).items()]
    if stats.backing_dev:
        words.append(f"backed by {stats.backing_dev}")
    if stats.swap:
        words.append(f"swap with priority {stats.swap.priority}")
    words += [f"mounted on {point}" for point in stats.mount_points]
    stored, used = stats.mm_stat.orig_data_size, stats.mm_stat.mem_used_total
    words.append(f"{format_size(stored)} in {format_size(used)} of {format_size(stats.disksize)}")
    return quote(f"{stats.name}: {', '.join(words)}")
