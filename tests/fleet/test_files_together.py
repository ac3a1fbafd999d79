# SPDX-License-Identifier: MIT
"""Everything that pyzram writes into one folder, with the survey, served by a real node_exporter.

It leaves out samples of a family whose help or type differs from another file's, without an
error in its metrics. So these must stay the same between releases, since a survey is a day old.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest
from fake_roots import Machine
from fleet import programs
from fleet.programs import TREE, UnavailableError
from fleet.textfiles import COLLECTORS, command, write_all

DESCRIPTION = re.compile(r"^# (?:HELP|TYPE) (\w+) .*$", re.M)
SAMPLE = re.compile(r"^((?:zram|pyzram)_\w+)(?:\{(.*)\})? ", re.M)
LABEL = re.compile(r'\w+="(?:[^"\\]|\\.)*"')
FILES = {*COLLECTORS, "estimate"}
SHARED = {"zram_scrape_success", "pyzram_build_info"}


@pytest.fixture
def folder(tmp_path) -> Path:
    """The four files of a machine with two devices."""
    here = Machine(tmp_path / "root", "vm-7.x-multi")
    here.add(1)
    here.swap("/dev/zram0 partition 65532 1468 -2")
    here.block("loop7", 8192)
    files = tmp_path / "files"
    write_all(here, files)
    (tmp_path / "data").write_bytes(bytes(range(256)) * 64)
    command("pyzram", "estimate", "--textfile", files / "estimate.prom", tmp_path / "data")
    return files


def served(folder: Path) -> tuple[str, str]:
    """What node_exporter serves, and what it logs."""
    log = folder.parent / "node_exporter.log"
    try:
        server = programs.node_exporter(folder, log)
    except UnavailableError as err:
        pytest.skip(str(err))
    with server:
        server.wait("/metrics")
        return programs.get(server.url + "/metrics"), log.read_text()


def samples(text: str) -> Counter[tuple[str, ...]]:
    """The name and labels of each; node_exporter puts labels into its own order."""
    found = SAMPLE.findall(text)
    return Counter((name, *sorted(LABEL.findall(labels))) for name, labels in found)


def written(folder: Path) -> Counter[tuple[str, ...]]:
    """Those of all files."""
    return samples("".join(path.read_text() for path in folder.glob("*.prom")))


def test_node_exporter_hands_all_of_them_on(folder):
    assert {path.stem for path in folder.glob("*.prom")} == FILES
    text, said = served(folder)
    assert "error" not in said
    assert "\nnode_textfile_scrape_error 0\n" in text
    wanted = written(folder)
    assert samples(text) == wanted
    assert len(wanted) > 100 and set(wanted.values()) == {1}


def test_families_of_several_files_have_one_help_and_type_which_are_kept(folder):
    found: dict[str, set[str]] = {}
    files: Counter[str] = Counter()
    for path in folder.glob("*.prom"):
        lines = [match[0] for match in DESCRIPTION.finditer(path.read_text())]
        files.update({line.split()[2] for line in lines})
        for line in lines:
            found.setdefault(line.split()[2], set()).add(line)
    assert {name for name, count in files.items() if count > 1} == SHARED
    kept = (TREE / "docs/frozen.txt").read_text().split("\n")
    for name in SHARED:
        assert files[name] == len(FILES)
        assert len(found[name]) == 2, "its help or type differs"
        assert found[name] <= set(kept)


def test_another_help_would_lose_samples(folder):
    path = folder / "estimate.prom"
    text = path.read_text()
    path.write_text(re.sub("(?m)^(# HELP zram_scrape_success .*)$", r"\1 Or not.", text))
    assert path.read_text() != text
    text, said = served(folder)
    assert "has help" in said
    assert "\nnode_textfile_scrape_error 0\n" in text
    assert samples(text) < written(folder)
