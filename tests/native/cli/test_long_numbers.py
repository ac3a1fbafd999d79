# SPDX-License-Identifier: MIT
"""Numbers of thousands of digits, which int() refuses, are refused in one line."""

from __future__ import annotations

import pytest

from pyzram.cli import pyzram, zram_stats
from pyzram.text import is_whole

LONG = "9" * 5000


@pytest.mark.parametrize(
    "words",
    [
        "estimate --pid N",
        "estimate --user N",
        "estimate --idle N",
        "estimate -a zstd:N",
        "estimate --precision N",
        "writeback zram0 --pages N",
        "writeback zram0 --pages 0-N",
        "writeback zram0 --limit N",
        "writeback zramN",
        "recompress zram0 --threshold N",
        "recompress zram0 --age Nh",
        "tend --budget N --dry-run",
        "zram_stats --watch=N",
        "zram_stats --estimate pid:N",
        "zram_stats N",
    ],
)
def test_it_is_one_line_in_our_words(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    command, *rest = words.replace("N", LONG).split()
    main, argv = (pyzram.main, [command, *rest])
    if command == "zram_stats":
        main, argv = (zram_stats.main, rest)
    assert main(argv) in (1, 2)
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert "int_max_str_digits" not in err


@pytest.mark.parametrize("text", ["", "-1", "+1", " 1", "1_0", "\u0663", "1.0", "0x1", LONG])
def test_no_whole_number(text: str) -> None:
    assert not is_whole(text)


def test_a_whole_number() -> None:
    assert is_whole("0") and is_whole(str((1 << 64) - 1)) and not is_whole("12345", 4)
