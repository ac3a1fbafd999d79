# SPDX-License-Identifier: MIT
"""Metrics as Prometheus reads them: text format 0.0.4 and OpenMetrics 1.0.

Names and help are given where the values are: those of a device's figures in
:mod:`pyzram.kernel.figures`, the others beside the command that writes them.

The text format is what node_exporter's textfile collector accepts. In it, a counter's family has
the name of its sample; in OpenMetrics, it has the name without ``_total``.

Sources: https://prometheus.io/docs/instrumenting/exposition_formats/ and
https://prometheus.io/docs/specs/om/open_metrics_spec/
"""

from __future__ import annotations

from .._version import __version__
from ..kernel.figures import COUNTER, GAUGE, INFO

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

# What a sample of each kind appends to the name of its family.
SUFFIX = {GAUGE: "", COUNTER: "_total", INFO: "_info"}


class Family:
    """One metric family with its samples; ``name`` ends in its unit, without ``_total``."""

    __slots__ = ("help", "kind", "name", "samples", "unit")

    def __init__(self, name: str, kind: str, text: str, unit: str = "") -> None:
        self.name = f"{name}_{unit}" if unit else name
        self.kind = kind
        self.help = f"{text[0].upper()}{text[1:]}."
        self.unit = unit
        self.samples: list[str] = []

    def add(self, value: float, labels: str = "") -> None:
        """Add a sample; ``labels`` come from :func:`labels`."""
        self.samples.append(f"{self.name}{SUFFIX[self.kind]}{labels} {value!r}\n")


def labels(**values: str) -> str:
    """A sample's labels, escaped; bytes that are not UTF-8 become U+FFFD, since the formats are."""
    return "{" + ",".join(f'{key}="{escape(value)}"' for key, value in values.items()) + "}"


def escape(text: str) -> str:
    """A label's value: backslash, quote and newline get a backslash; NUL and CR stay."""
    if not text.isascii():
        text = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def scrape(collector: str, success: bool) -> list[Family]:
    """Return metrics about the metrics: whether they are complete, and which version wrote them.

    ``collector`` distinguishes several textfiles of one machine.
    """
    of = labels(collector=collector)
    whole = Family("zram_scrape_success", GAUGE, "whether everything asked for could be read")
    whole.add(int(success), of)
    build = Family("pyzram_build", INFO, "version of pyzram that wrote these metrics")
    build.add(1, labels(collector=collector, version=__version__))
    return [whole, build]


def text_format(families: Iterable[Family]) -> str:
    """Prometheus text format 0.0.4; a family without samples is left out."""
    out = []
    for family in families:
        if family.samples:
            name = family.name + SUFFIX[family.kind]
            kind = GAUGE if family.kind == INFO else family.kind
            out.append(f"# HELP {name} {family.help}\n# TYPE {name} {kind}\n")
            out += family.samples
    return "".join(out)


def openmetrics(families: Iterable[Family]) -> str:
    """OpenMetrics 1.0; a family without samples is left out."""
    out = []
    for family in families:
        if family.samples:
            out.append(f"# HELP {family.name} {family.help}\n# TYPE {family.name} {family.kind}\n")
            if family.unit:
                out.append(f"# UNIT {family.name} {family.unit}\n")
            out += family.samples
    return "".join([*out, "# EOF\n"])
