# SPDX-License-Identifier: MIT
"""The rule of the house: imports point down, and rooms of one floor do not import each other."""

from __future__ import annotations

import ast
import graphlib
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

import pyzram

PACKAGE = Path(pyzram.__file__).parent
FLOORS = {
    "cli": 4,
    "service": 3,
    "postprocess": 3,
    "doctor": 3,
    "tend": 3,
    "device": 2,
    "pages": 2,
    "config": 2,
    "kernel": 1,
}
# The rooms within pages/, and the one file beside them.
PAGES_FLOORS = {
    "api": 4,
    "plot": 4,
    "estimate": 3,
    "source": 2,
    "shared_memory": 1,
    "codec": 1,
    "process": 0,
    "pool": 0,
}
# The rooms within cli/; beside them lies what they share.
CLI_ROOMS = sorted(path.parent.name for path in PACKAGE.glob("cli/*/__init__.py"))
# Above all rooms; what is not listed here is on the ground floor.
TOP = {"pyzram.__init__", "pyzram.__main__"}


def module_of(path: Path) -> str:
    return ".".join(["pyzram", *path.relative_to(PACKAGE).with_suffix("").parts])


def room_of(module: str) -> str:
    """The folder; empty on the ground floor."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in FLOORS else ""


def floor_of(module: str) -> int:
    return 4 if module in TOP or module == "pyzram" else FLOORS.get(room_of(module), 0)


def imports(tree: ast.AST, module: str) -> Iterator[tuple[int, str]]:
    """Line and module of every import from this package, even within functions."""
    package = module.split(".")[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for name in node.names:
                if name.name.split(".")[0] == "pyzram":
                    yield node.lineno, name.name
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                base = package[: len(package) - node.level + 1]
            elif node.module and node.module.split(".")[0] == "pyzram":
                base = []
            else:
                continue
            whole = ".".join([*base, *filter(None, [node.module])])
            for name in node.names:
                # `from . import x` may import a module or a name of the package.
                inner = PACKAGE.joinpath(*whole.split(".")[1:], name.name)
                is_module = inner.with_suffix(".py").exists() or inner.is_dir()
                yield node.lineno, f"{whole}.{name.name}" if is_module else whole


def pages_room_of(module: str) -> str:
    """The room within pages/, or the file beside the rooms; empty elsewhere."""
    _, *rest = module.split(".")
    return rest[1] if len(rest) > 1 and rest[0] == "pages" else ""


def leaves_pages_room(module: str, other: str) -> bool:
    """Whether an import within pages/ points up or aside."""
    here, there = pages_room_of(module), pages_room_of(other)
    return here != there and PAGES_FLOORS[there] >= PAGES_FLOORS[here]


def cli_room_of(module: str) -> str:
    """The room within cli/; empty elsewhere."""
    _, *rest = module.split(".")
    return rest[1] if len(rest) > 1 and rest[0] == "cli" and rest[1] in CLI_ROOMS else ""


def leaves_cli_room(module: str, other: str) -> bool:
    """Whether a room within cli/ imports another."""
    here, there = cli_room_of(module), cli_room_of(other)
    return bool(here and there) and here != there


def faults(source: str, module: str) -> list[str]:
    """What breaks the rule in one module."""
    found = []
    here, room = floor_of(module), room_of(module)
    for line, other in imports(ast.parse(source), module):
        there, theirs = floor_of(other), room_of(other)
        beside = there == here and room != theirs and here > 0 and module not in TOP
        within = room == theirs == "pages" and leaves_pages_room(module, other)
        if there > here or beside or within or leaves_cli_room(module, other):
            found.append(f"{module}:{line}: {room or 'ground'} imports {other}")
    return found


MODULES = sorted(PACKAGE.rglob("*.py"))


def test_imports_point_down() -> None:
    assert len(MODULES) > 50
    assert [fault for path in MODULES for fault in faults(path.read_text(), module_of(path))] == []


def architecture() -> str:
    """The text of the page on architecture."""
    page = Path(__file__).parents[2] / "docs/architecture.md"
    if not page.exists():
        pytest.skip("the tree is not here")
    return page.read_text()


def test_the_page_on_architecture_lists_what_is_on_each_floor() -> None:
    page = architecture()
    listed: dict[int, set[str]] = {}
    for floor, names in re.findall(r"^\| (\d) \| (.*?) \|", page, re.M):
        listed[int(floor)] = {name.rstrip("/") for name in re.findall(r"`([\w/]+)`", names)}
    there: dict[int, set[str]] = {floor: set() for floor in listed}
    for module in map(module_of, MODULES):
        name = module.split(".")[1]
        kind = "_native" if name.startswith("_native") else name
        if name != "_version":
            there[floor_of(module)].add(kind)
    assert there == listed


def test_the_page_on_architecture_lists_the_floors_of_pages() -> None:
    page = architecture()
    _, table = page.split("| floor of `pages/` | holds |")
    rows = re.findall(r"^\| (`\w+`.*?) \|", table.split("\n\n")[0], re.M)
    floors = [set(re.findall(r"`(\w+)`", row)) for row in rows]
    heights = sorted({*PAGES_FLOORS.values()}, reverse=True)
    assert floors == [{r for r, f in PAGES_FLOORS.items() if f == height} for height in heights]
    there = {pages_room_of(module) for module in map(module_of, MODULES)} - {"", "__init__"}
    assert there == {*PAGES_FLOORS}


def test_the_page_on_architecture_lists_what_is_in_cli() -> None:
    page = architecture()
    _, table = page.split("| in `cli/` | holds |")
    rows = re.findall(r"^\| (`\w+/?`.*?) \|", table.split("\n\n")[0], re.M)
    listed = re.findall(r"`(\w+/?)`", " ".join(rows))
    there = {path.stem for path in (PACKAGE / "cli").glob("*.py")} - {"__init__"}
    assert sorted(listed) == sorted(there | {f"{room}/" for room in CLI_ROOMS})


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("pyzram.units", "from .kernel.sysfs import Sysfs"),
        ("pyzram.kernel.parse", "from ..device.zram import Zram"),
        ("pyzram.kernel.parse", "from ..device import zram"),
        ("pyzram.kernel.parse", "import pyzram.device.zram"),
        ("pyzram.device.zram", "def f():\n    from ..service import plan"),
        ("pyzram.device.zram", "from ..pages import codec"),
        ("pyzram.pages.process.walk", "from ..shared_memory.leases import Leases"),
        ("pyzram.pages.shared_memory.closed", "from ..source import sources"),
        ("pyzram.pages.pool.chain", "import pyzram.pages.codec.batches"),
        ("pyzram.pages.codec.batches", "from ..shared_memory import tmpfs"),
        ("pyzram.pages.estimate.tally", "def f():\n    from ..plot import plot"),
        ("pyzram.pages.source.cold", "from .. import api"),
        ("pyzram.config.parser", "from ..device.zram import Zram"),
        ("pyzram.postprocess.writeback", "from ..service.service import Service"),
        ("pyzram.service.plan", "from .. import cli"),
        ("pyzram.cli.top.look", "from ..tend.report import describe"),
        ("pyzram.cli.tend.report", "def f():\n    from ..estimate import report"),
        ("pyzram.service.plan", "import pyzram"),
    ],
)
def test_an_arrow_that_points_up_or_aside_is_seen(module: str, line: str) -> None:
    assert len(faults(line, module)) == 1


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("pyzram.cli.doctor", "from ..doctor.checks import examine"),
        ("pyzram.cli.tend.daemon", "from .report import round_line"),
        ("pyzram.cli.tend.daemon", "from ...tend.state import HELD"),
        ("pyzram.cli.top.parts", "from ..bars import bar"),
        ("pyzram.device.zram", "from ..kernel import holders"),
        ("pyzram.device.zram", "from .. import _native"),
        ("pyzram.device.zram", "from . import backing"),
        ("pyzram.pages.api", "from .estimate import benchmark"),
        ("pyzram.pages.estimate.tally", "from ..codec.codec import analyse"),
        ("pyzram.pages.process.walk", "from . import rollup"),
        ("pyzram.units", "from .errors import ZramError"),
        ("pyzram.units", "import os"),
    ],
)
def test_an_arrow_that_points_down_is_fine(module: str, line: str) -> None:
    assert faults(line, module) == []


def circle(sources: dict[str, str]) -> list[str]:
    """Modules that import each other, even within functions; imports for types do not count."""
    graph = {}
    for module, source in sources.items():
        tree = ast.parse(source)
        for node in ast.walk(tree):
            if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
                node.body = []
        graph[module] = {name for _line, name in imports(tree, module)}
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as err:
        found: list[str] = err.args[1]
        return found
    return []


def test_imports_lead_back_nowhere() -> None:
    assert circle({module_of(path): path.read_text() for path in MODULES}) == []


def test_a_circle_is_seen() -> None:
    holders = "from .btrfs import filesystems"
    back = "def f():\n    from . import holders"
    assert circle({"pyzram.kernel.holders": holders, "pyzram.kernel.btrfs": back})
    types = "if TYPE_CHECKING:\n    from .holders import Mount"
    assert circle({"pyzram.kernel.holders": holders, "pyzram.kernel.btrfs": types}) == []


def classes(tree: ast.Module) -> Iterator[str]:
    """The names of a module's classes, private or not, also of those for type checkers alone."""
    blocks: list[ast.Module | ast.If] = [tree]
    blocks += [node for node in tree.body if isinstance(node, ast.If)]
    for block in blocks:
        yield from (node.name.lstrip("_") for node in block.body if isinstance(node, ast.ClassDef))


def test_a_class_name_means_one_class() -> None:
    counts = Counter(name for path in MODULES for name in classes(ast.parse(path.read_text())))
    assert len(counts) > 100
    assert [name for name, times in counts.items() if times > 1] == []


def importers(*names: str) -> set[str]:
    """The modules that import one of these, even within functions."""
    return {
        module_of(path)
        for path in MODULES
        for _line, name in imports(ast.parse(path.read_text()), module_of(path))
        if name in names
    }


def test_only_the_border_sees_the_extensions() -> None:
    assert importers("pyzram._device") == {"pyzram._native"}
    seen_by = importers("pyzram._pages")
    assert "pyzram._native_codec" in seen_by
    assert {module for module in seen_by if not module.startswith("pyzram._native_")} == set()


def test_what_is_for_devices_does_without_the_extension_for_pages() -> None:
    users = importers(*importers("pyzram._pages"))
    assert "pyzram.pages.codec.codec" in users
    assert {module for module in users if room_of(module) != "pages"} == set()


ROOMS = [
    *FLOORS,
    *(f"pages/{room}" for room in PAGES_FLOORS if room != "api"),
    *(f"cli/{room}" for room in CLI_ROOMS),
]


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_s_init_is_a_docstring_and_nothing_else(room: str) -> None:
    path = PACKAGE / room / "__init__.py"
    (docstring,) = ast.parse(path.read_text()).body
    assert isinstance(docstring, ast.Expr)
    assert isinstance(docstring.value, ast.Constant)
