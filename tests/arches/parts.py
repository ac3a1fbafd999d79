# SPDX-License-Identifier: MIT
"""Parts of the rings in the roots of other processors, and what was counted there.

A whole run takes hours, so a part that passed is kept in .cache/arches/results, and not run again
as long as the tree is the same and the root is not made anew. Remove that folder to run
everything again.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import xml.etree.ElementTree as ElementTree
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest
from arches.differences import differences
from arches.roots import Arch, cache, enter, make_root, snapshot
from vm.archive import TREE, UnavailableError

# It only checks that the benchmarks compile, which takes an emulated compiler minutes and says
# nothing about a processor.
SLOW = "tests/native/test_bench.py"
# Seconds: several times what the slowest took, on the slowest emulator.
PATIENCE = 3 * 3600


@dataclass(frozen=True)
class Part:
    """Some of the tests: what the table calls them, and pytest's arguments that choose them."""

    name: str
    arguments: tuple[str, ...]

    @property
    def file(self) -> str:
        return self.name.replace("/", "-")


@dataclass(frozen=True)
class Counts:
    """How a part's tests ended (as `ending` says it), and how many seconds they took."""

    arch: str
    part: str
    ended: Counter[str]
    seconds: float
    said: str = ""  # the end of pytest's output

    @property
    def skipped(self) -> int:
        return self.ended.total() - self.ended["passed"] - self.ended["failed"]


def parts() -> list[Part]:
    """The unit and native rings, folder by folder, and the files that lie in none."""
    found = []
    for ring in ("unit", "native"):
        top = TREE / "tests" / ring
        for folder in sorted(path for path in top.iterdir() if any(path.rglob("test_*.py"))):
            found.append(Part(f"{ring}/{folder.name}", (str(folder.relative_to(TREE)),)))
        files = sorted(str(path.relative_to(TREE)) for path in top.glob("test_*.py"))
        found.append(Part(f"{ring}/files", tuple(files)))
    return found


def ending(test: ElementTree.Element) -> str:
    """How a test ended, in pytest's report: failed, passed, or skipped for which reason."""
    found = {part.tag: part for part in test}
    if "failure" in found or "error" in found:
        return "failed"
    return f"skipped, {found['skipped'].get('message')}" if "skipped" in found else "passed"


def state(tree: Path, root: Path) -> str:
    """Differs if any file of the tree does, or the root was made anew."""
    found = hashlib.sha256(f"{(root / 'etc/group').stat().st_mtime_ns}\n".encode())
    for path in sorted(path for path in tree.rglob("*") if path.is_file()):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
        line = f"{path.relative_to(tree)}\0{path.stat().st_mode} {content}\n"
        found.update(line.encode())
    return found.hexdigest()


@dataclass(frozen=True)
class Place:
    """A folder with a copy of the tree, what was built of it, and its parts' logs and reports."""

    arch: Arch
    root: Path
    out: Path

    def inside(self, name: str, *command: str) -> int:
        with (self.out / f"{name}.log").open("wb") as log:
            return subprocess.run(
                enter(self.root, self.arch, self.out / "tree", self.out, *command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                check=False,
                timeout=PATIENCE,
            ).returncode

    def said(self, name: str, lines: int) -> str:
        log = (self.out / f"{name}.log").read_text(errors="replace")
        return "\n".join(log.split("\n")[-lines:])

    def run(self, part: Part) -> Counts:
        """Run a part, or read the report of when it passed."""
        passed = self.out / f"{part.file}.xml"
        report = passed if passed.exists() else self.out / f"{part.file}.failed.xml"
        if not passed.exists():
            options = [f"--deselect={test}" for test in differences(self.arch.emulator)]
            if self.arch.emulator:
                options.append(f"--ignore={SLOW}")
            status = self.inside(
                part.file,
                *("env", f"PYZRAM_EMULATED={self.arch.emulator}", "python3", "-Im", "pytest", "-q"),
                *("-p", "no:cacheprovider", f"--junitxml=/out/{report.name}"),
                *(*options, *part.arguments),
            )
            # Otherwise it ended before the last test, and the report has no word of the others.
            assert status in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED), self.said(
                part.file, 60
            )
            if status == pytest.ExitCode.OK:
                report = report.rename(passed)
        tests = ElementTree.parse(report).getroot()
        seconds = sum(float(suite.get("time", 0)) for suite in tests.iter("testsuite"))
        ended = Counter(map(ending, tests.iter("testcase")))
        said = "; ".join(f"{number} {how}" for how, number in ended.most_common())
        print(f"{self.arch.name} {part.name}: {said}", flush=True)
        return Counts(self.arch.name, part.name, ended, seconds, self.said(part.file, 60))


def prepare(arch: Arch, name: str) -> Place:
    """Build the tree in the processor's root, in the folder ``name`` of the results.

    If that holds the same tree, it is left as it is, with the reports of what passed.
    """
    root = make_root(arch)
    out = cache() / "results" / name
    new = out.with_name(f"{name}.new")
    shutil.rmtree(new, ignore_errors=True)
    new.mkdir(parents=True)
    now = state(snapshot(new), root)
    built = out / "built"
    if built.exists() and built.read_text() == now:
        shutil.rmtree(new)
        return Place(arch, root, out)
    shutil.rmtree(out, ignore_errors=True)
    new.rename(out)
    place = Place(arch, root, out)
    if place.inside("enter", "true"):
        raise UnavailableError(f"{arch.name}: cannot enter its root: {place.said('enter', 3)}")
    assert place.inside("build", "sh", "tests/arches/build.sh") == 0, place.said("build", 40)
    built.write_text(now)
    return place


def table(rows: list[Counts]) -> list[str]:
    """The lines of all counts, and of each ring of a processor in all."""
    if not rows:
        return []
    sums: dict[tuple[str, str], list[Counts]] = {}
    for row in rows:
        sums.setdefault((row.arch, row.part.split("/")[0]), []).append(row)
    lines = [f"{'processor':10}{'part':18}{'passed':>8}{'skipped':>8}{'failed':>8}{'seconds':>9}"]
    for (arch, ring), several in sums.items():
        ended = sum((row.ended for row in several), Counter())
        whole = Counts(arch, f"{ring}, in all", ended, sum(row.seconds for row in several))
        for row in [*several, *([whole] if len(several) > 1 else [])]:
            lines.append(
                f"{row.arch:10}{row.part:18}{row.ended['passed']:8}{row.skipped:8}"
                f"{row.ended['failed']:8}{row.seconds:9.0f}"
            )
    return lines
