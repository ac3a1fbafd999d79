# SPDX-License-Identifier: MIT
"""Small files that could take all memory or all day are read or refused with little of both."""

from __future__ import annotations

import itertools
import subprocess
import sys
from pathlib import Path

import pytest

LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_AS, (512 << 20, 512 << 20))
# Long enough for slow processors; the faults that this finds took minutes or had no end.
resource.setrlimit(resource.RLIMIT_CPU, (20, 20))
from pyzram.cli.pyzram import main
sys.exit(main([WORD, FILE]))
"""
LONG = 1 << 18
LETTERS = "ABCDEFGHIJ"
INIT = "num_devices=1\nsize0="
GENERATOR = "[zram0]\nzram-size = "


def grows(operator: str, times: int) -> str:
    return GENERATOR + operator.join(["ram"] * times) + "\n"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(
            "ZRAM_SIZE_0=1G\nA=xxxxxxxx\n"
            + "".join(f"{b}={f'${a}' * 16}\n" for a, b in itertools.pairwise(LETTERS)),
            id="values-of-values",
        ),
        pytest.param(f"A={'x' * 4000}\n" + "B=$A\n" * (LONG // 6), id="a-long-value-often"),
        pytest.param("A=1\nexport " + "A " * (LONG // 3), id="exports"),
        pytest.param("A=" + '""' * (LONG // 3), id="quotes"),
        pytest.param('A=""\n' * (LONG // 6) + 'A="', id="an-open-quote"),
        pytest.param("A='\n" * (LONG // 6), id="lines-in-quotes"),
        pytest.param("a\n" * (LONG // 2), id="no-assignments"),
        pytest.param(INIT + "`free" + " " * (LONG // 2) + "`\n", id="blanks-in-a-command"),
        pytest.param(INIT + "`free" + " #" * (LONG // 3) + "`\n", id="comments-in-a-command"),
        pytest.param(
            INIT + "`free -m | awk '/Mem:/ { print" + "\t ;}" * (LONG // 8) + "x'`\n", id="awk"
        ),
        pytest.param(grows("+", 3000), id="sum"),
        pytest.param(grows("^", 3000), id="power"),
        pytest.param(grows("||", 45), id="or"),
        pytest.param(grows("&&", 45), id="and"),
        pytest.param(
            GENERATOR + "round(" * 22 + "ram" + ",ram)" * 22 + "\n", id="rounded-to-the-memory"
        ),
        pytest.param(GENERATOR + "(" * 3000 + "\n", id="brackets"),
        pytest.param("[zram0]\n" + "zram-size = ram\n" * (LONG // 17), id="keys"),
        pytest.param("[" * LONG, id="sections"),
        pytest.param("#" * (LONG - 1) + "\n", id="comments"),
        pytest.param("zram_size=$(( " + "RAM_SIZE / 2 " * (LONG // 16) + "))\n", id="systemd-swap"),
        pytest.param(
            "AUTO_SETUP_SWAPFILE_SIZE=" + " " * (LONG // 2) + "\n" * (LONG // 3), id="dietpi"
        ),
        pytest.param("swap " * (LONG // 6) + "\n", id="ztab"),
        pytest.param("\\\n" * (LONG // 3), id="continued"),
    ],
)
@pytest.mark.parametrize("word", ["import", "check"])
def test_a_hostile_file_is_read_in_little_memory_and_time(text: str, word: str, tmp_path: Path):
    file = tmp_path / "file"
    file.write_text(text)
    file.chmod(0o644)
    program = LIMITED.replace("WORD", repr(word)).replace("FILE", repr(str(file)))
    if word == "check":
        program = program.replace(f"[{word!r}, ", "['--config', ").replace("])", ", 'check'])")
    done = subprocess.run(
        [sys.executable, "-Ic", program], capture_output=True, text=True, check=False
    )
    assert done.returncode in (0, 1, 2), (done.returncode, done.stderr[-500:])
    assert "Traceback" not in done.stderr
