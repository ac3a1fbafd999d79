# SPDX-License-Identifier: MIT
"""The kernels on which pyzram is tested: one list for the tests, tox and the documentation.

``python tests/vm/kernels.py`` prints the support table.
"""

from __future__ import annotations

from dataclasses import dataclass

WRITEBACK = "writeback"
TRACKING = "block_state"
PARAMETERS = "algorithm_params"
RECOMPRESSION = "recompress"
COMPRESSED_WRITEBACK = "compressed_writeback"

# What a feature is called in the documentation; each key is the file that shows it.
FEATURES = {
    WRITEBACK: "writeback",
    TRACKING: "page ages",
    PARAMETERS: "levels, dictionaries",
    RECOMPRESSION: "recompression",
    COMPRESSED_WRITEBACK: "compressed writeback",
}


@dataclass(frozen=True)
class Kernel:
    """One kernel of the matrix and its features, which the tests check."""

    name: str
    origin: str
    suites: tuple[str, ...] = ()  # of Debian's archive, the newest of all is taken; none: running
    rebuilt: bool = False  # its zram module is built again with multi-compression, LZO and 842
    algorithms: frozenset[str] = frozenset()
    features: frozenset[str] = frozenset()


OWN_BACKENDS = frozenset({"lz4", "lz4hc", "zstd", "deflate"})
LZO = frozenset({"lzo", "lzo-rle"})
EVERY = OWN_BACKENDS | LZO | {"842"}
SINCE_6_12 = frozenset({WRITEBACK, TRACKING, PARAMETERS})

KERNELS = (
    Kernel("running", "the machine's own"),
    Kernel(
        "6.1",
        "Debian bookworm",
        ("bookworm",),
        algorithms=LZO | {"lz4", "lz4hc", "zstd"},
        features=frozenset({WRITEBACK, TRACKING}),
    ),
    Kernel(
        "6.12",
        "Debian bookworm-backports",
        ("bookworm-backports",),
        algorithms=OWN_BACKENDS,
        features=SINCE_6_12,
    ),
    Kernel(
        "6.12-multi",
        "the same, module rebuilt with ZRAM_MULTI_COMP",
        ("bookworm-backports",),
        rebuilt=True,
        algorithms=EVERY,
        features=SINCE_6_12 | {RECOMPRESSION},
    ),
    Kernel(
        "7.x",
        "Debian trixie-backports or sid, the newer",
        ("trixie-backports", "sid"),
        algorithms=OWN_BACKENDS,
        features=SINCE_6_12 | {COMPRESSED_WRITEBACK},
    ),
    Kernel(
        "7.x-multi",
        "the same, module rebuilt with ZRAM_MULTI_COMP",
        ("trixie-backports", "sid"),
        rebuilt=True,
        algorithms=EVERY,
        features=SINCE_6_12 | {COMPRESSED_WRITEBACK, RECOMPRESSION},
    ),
)


def support_table() -> str:
    """Markdown, one line per kernel; the running kernel is another one on each machine."""
    lines = [
        "| kernel | from | algorithms | " + " | ".join(FEATURES.values()) + " |",
        "|---" * (3 + len(FEATURES)) + "|",
    ]
    for kernel in KERNELS:
        if kernel.suites:
            marks = ("yes" if feature in kernel.features else "-" for feature in FEATURES)
            names = " ".join(sorted(kernel.algorithms))
            lines.append(f"| {kernel.name} | {kernel.origin} | {names} | {' | '.join(marks)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(support_table())
