# SPDX-License-Identifier: MIT
"""``pyzram estimate``: what zram would make of given memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...errors import InvalidValueError, ZramError
from ...limits import total_memory
from ...pages.estimate.estimate import Estimate
from ...pages.estimate.estimator import estimate_pages
from ...pages.pool.chain import Chain, running_chain
from ...pages.pool.zsmalloc import PoolModel
from ...units import format_size, parse_size
from ..durations import durations
from ..options import FILE, TEXTFILE, Command, Option, UsageError, whole
from ..output import output_width
from ..source_arguments import (
    ALGORITHM_OPTION,
    SOURCES,
    SOURCES_ARE,
    algorithm_names,
    opened,
    progress_bar,
    say,
    source_options,
)
from ..stalled_command import end_when_stalled
from .report import report

if TYPE_CHECKING:
    from ...device.features import Features

COMMAND = Command(
    "pyzram estimate",
    "Estimate what zram would save on the memory of processes, on files, core dumps and block "
    "devices, or on this whole system.",
    (
        *source_options(),
        ALGORITHM_OPTION,
        Option(
            "",
            "chain",
            "PAGES",
            "CONFIG_ZSMALLOC_CHAIN_SIZE of the target kernel (default: this kernel's)",
            convert=whole,
        ),
        Option(
            "",
            "ram",
            "SIZE",
            "memory of the target machine (default: this machine's)",
            convert=parse_size,
        ),
        Option(
            "",
            "idle",
            "[TIME,...]",
            "watch how much memory is not touched for this long (default 5m; e.g. 30s,2m,10m)",
            convert=durations,
        ),
        Option("", "watch", "", "with --idle: repeat until Ctrl-C, one line each time"),
        Option(
            "",
            "record",
            "FILE",
            "with --watch: append lines like pyzram tend --record, as if zram held the cold memory",
            values=FILE,
        ),
        Option("", "no-timing", "", "do not measure times"),
        Option("", "json", "", "print JSON, sizes in bytes"),
        TEXTFILE,
        Option(
            "",
            "plot",
            "FILE",
            "draw the stored sizes into a .png, .svg or .pdf file (needs matplotlib)",
            values=FILE,
        ),
    ),
    operands=SOURCES,
    takes=FILE,
    count=(0, None),
    notes=f"{SOURCES_ARE} The ratio is compr_data_size / orig_data_size as mm_stat would show it: "
    "smaller is better. The bounds are its 95 % confidence interval. Same-filled pages take no "
    "memory; raw pages did not compress well enough and are stored as they are.",
)


def main(argv: list[str]) -> int:
    """Run the command."""
    options = COMMAND.arguments(argv)
    if options is None:
        return 0
    if options.watch and (options.idle is None or options.plot or options.textfile):
        raise UsageError("--watch needs --idle and cannot be combined with --plot or --textfile")
    if options.record and not options.watch:
        raise UsageError("--record needs --watch")
    if options.textfile:
        from .textfile import nothing, textfile

        end_when_stalled("pyzram estimate", lambda: nothing(options.textfile))
        return textfile(options, lambda: estimated(options)[0])
    end_when_stalled("pyzram estimate")
    if options.idle is not None:
        from .idle import show_cold

        try:
            return show_cold(options, *machine_to_be(options), this_kernel())
        except InvalidValueError as err:
            raise UsageError(str(err)) from None
    result, ram = estimated(options)
    if options.json:
        import json

        from ..json_documents import of_estimate

        say(json.dumps(of_estimate(result), indent=2))
    else:
        say(report(result, ram, this_kernel(), output_width(100)))
    if options.plot:
        from ...pages.plot.estimate import plot_estimate

        plot_estimate(result, options.plot)
    return 0


def machine_to_be(options: Any) -> tuple[Chain, int]:
    """Return the target's rule for zspages and its bytes of memory; refuse an impossible plot."""
    chain = running_chain()
    if options.chain is not None:
        chain = Chain(options.chain, "waste")
    if options.plot:
        from ...pages.plot.plot import check_plot

        check_plot(options.plot)
    ram: int = total_memory() if options.ram is None else options.ram
    if ram < 1 << 20:
        raise UsageError(f"--ram: {format_size(ram)}: no machine has so little memory")
    return chain, ram


def estimated(options: Any) -> tuple[Estimate, int]:
    """Do what the options say; return the result and the machine's memory.

    Raises:
        UsageError: an invalid value.
        ZramError: a source cannot be read.
    """
    try:
        chain, ram = machine_to_be(options)
        names = algorithm_names(options)
        with opened(options) as source:
            pool = PoolModel(page_size=source.page_size, chain=chain)
            with progress_bar("estimating") as progress:
                result = estimate_pages(
                    source,
                    list(dict.fromkeys(names)) or None,
                    pool=pool,
                    precision=options.precision / 100,
                    full=options.full,
                    timing=not options.no_timing,
                    threads=options.threads,
                    seed=options.seed,
                    progress=progress,
                )
    except InvalidValueError as err:
        raise UsageError(str(err)) from None
    return result, ram


def this_kernel() -> Features | None:
    """What this kernel's driver offers; ``None`` if that cannot be determined."""
    from ...device.features import features

    try:
        return features()
    except ZramError:
        return None
