# SPDX-License-Identifier: MIT
"""Whatever files, processes and devices are called, no command lets a name control a terminal."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

EVIL = "x\x1b]0;evil\x07\x9b31m\x7f\r\u2028\nforged: y"
SHOWN = "x\\x1b]0;evil\\x07\\x9b31m\\x7f\\x0d\\u2028\\x0aforged: y"


def run(*words: str, cwd: Path | None = None) -> str:
    """Run a command, and return everything that it prints, none of it folded."""
    done = subprocess.run(
        [sys.executable, "-Im", f"pyzram.cli.{words[0]}", *words[1:]],
        cwd=cwd,
        env={**os.environ, "PYTHONIOENCODING": "utf-8", "COLUMNS": "4000"},
        capture_output=True,
        check=False,
        timeout=120,
    )
    text = (done.stdout + done.stderr).decode()
    assert "Traceback" not in text
    left = [c for c in text if not c.isprintable() and c != "\n"]
    assert not left, text
    assert not any(line.startswith("forged") for line in text.split("\n")), text
    return text


@pytest.mark.parametrize("there", [True, False])
@pytest.mark.parametrize(
    "command",
    [
        ("pyzram", "estimate", "--no-timing", "-a", "lzo"),
        ("pyzram", "bench", "-a", "lzo"),
        ("pyzram", "import"),
        ("pyzram", "check", "-c"),
        ("pyzram", "plan", "-c"),
        ("pyzram", "status", "-c"),
        ("pyzram", "doctor", "-c"),
        ("pyzram", "tend", "--once", "-c"),
        ("pyzram", "writeback"),
        ("pyzram", "recompress"),
        ("zram_stats",),
        ("zram_stats", "--estimate"),
        ("zram_stats", "--textfile"),
    ],
    ids=" ".join,
)
def test_names_of_files(tmp_path, command, there):
    folder = tmp_path / (EVIL.replace("/", "_"))
    folder.mkdir()
    path = folder / "file"
    if there:
        path.write_text("ZRAM_SIZE_0=\x1b]0;evil\x07\n" + "word\n" * 1000)
    run(*command, str(path))
    run(*command, str(folder))


@pytest.mark.parametrize(
    "words",
    [
        (EVIL,),
        ("estimate", f"--{EVIL}"),
        ("estimate", "--name", EVIL),
        ("estimate", "--user", EVIL),
        ("estimate", "--cgroup", EVIL),
        ("estimate", "--unit", EVIL),
        ("estimate", "--container", EVIL),
        ("estimate", "-a", EVIL, "/bin/true"),
        ("estimate", "--ram", EVIL, "/bin/true"),
        ("estimate", f"--idle={EVIL}"),
        ("writeback", "--type", EVIL, "zram0"),
        ("tend", "--budget", EVIL, "--once"),
    ],
    ids=range(12),
)
def test_words(words):
    run("pyzram", *words)


@pytest.mark.parametrize("option", ["--json", ""])
def test_names_of_processes(tmp_path, option):
    """By name: a process that calls itself that, and maps a file with such a name."""
    name = tmp_path / EVIL.replace("/", "_")
    name.write_bytes(b"data" * 5000)
    code = (
        "import mmap, sys\n"
        "open('/proc/self/comm', 'w').write('x\\x1b]0;e\\x07\\n')\n"
        "file = open(sys.argv[1], 'r+b')\n"
        "memory = mmap.mmap(file.fileno(), 0, flags=mmap.MAP_PRIVATE)\n"
        "memory[0:5] = b'other'\n"
        "print(flush=True)\n"
        "sys.stdin.read()\n"
    )
    words = [sys.executable, "-Ic", code, str(name)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout
            process.stdout.readline()
            said = run(
                "pyzram",
                *("estimate", "--pid", str(process.pid), "--no-timing", "-a", "lzo"),
                *filter(None, [option]),
            )
        finally:
            process.kill()
    assert str(process.pid) in said


def test_they_are_shown_with_escapes(tmp_path):
    path = tmp_path / EVIL
    path.write_bytes(bytes(8192))
    said = run("pyzram", "estimate", "--no-timing", "-a", "lzo", str(path))
    assert said.startswith(f"{tmp_path}/{SHOWN}: ")
