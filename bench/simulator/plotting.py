# SPDX-License-Identifier: MIT
"""The outcome of a fleet as a picture: stall against bytes to flash."""

from __future__ import annotations

import io
import os
import re
from pathlib import Path

from .policies import POLICIES

MIB = 1 << 20
LICENCE = "<!-- SPDX-License-Identifier: MIT -->\n"


def why_not(path: str) -> str:
    """Why no picture can be written there; empty if one can."""
    try:
        from matplotlib.backend_bases import FigureCanvasBase
    except ImportError as err:
        return f"needs matplotlib ({err})"
    kinds = FigureCanvasBase.get_supported_filetypes()
    if Path(path).suffix[1:].lower() not in kinds:
        return f"no picture of that kind (.{', .'.join(sorted(kinds))})"
    if Path(path).is_dir():
        return "a folder"
    folder = Path(path).parent
    if not folder.is_dir():
        return f"{folder}: no such folder"
    return "" if os.access(path if os.path.exists(path) else folder, os.W_OK) else "not writable"


def plot(found: dict, path: str) -> None:
    """A panel for each trace; further left and lower is better."""
    import matplotlib

    matplotlib.use("Agg")
    # The same figures give the same file.
    matplotlib.rcParams["svg.hashsalt"] = "pyzram"
    from matplotlib import pyplot, ticker

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
                clip_on=False,  # a policy that writes nothing lies on the edge
                zorder=3,
            )
        panel.set_yscale("log")
        panel.yaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5), numticks=12))
        panel.yaxis.set_minor_formatter(ticker.NullFormatter())
        panel.set_xscale("symlog", linthresh=10)
        panel.set_xlim(left=-1)
        for axis in (panel.xaxis, panel.yaxis):
            axis.set_major_formatter(ticker.StrMethodFormatter("{x:g}"))
        panel.set_title(trace)
        panel.set_xlabel("MiB to flash a day")
        panel.set_ylabel("stall, s a day")
        panel.grid(alpha=0.3)
    handles, labels = panels.flat[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
    if not path.endswith(".svg"):
        figure.savefig(path, dpi=120)
        return
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None})
    # As the tree requires: with a licence, and no line that ends in blanks.
    drawn = re.sub(r"[ \t]+$", "", text.getvalue(), flags=re.M).rstrip() + "\n"
    Path(path).write_text(drawn.replace("<svg ", LICENCE + "<svg ", 1), encoding="utf-8")
