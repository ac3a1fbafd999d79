# SPDX-License-Identifier: MIT
"""Write docs/frozen.txt: every name that RELEASING.md promises to keep, made from the code.

``python tools/frozen.py`` writes it anew, ``--check`` says whether it is out of date. So whatever a
change does to what others rely on stands in its diff: added lines are a new release, changed and
lost ones a new first number of the version.
"""

from __future__ import annotations

import contextlib
import difflib
import inspect
import io
import os
import re
import sys
import tempfile
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import pyzram
from pyzram.cli import doctor, estimate, stats_columns, tend_textfile, zram_stats
from pyzram.cli import pyzram as command
from pyzram.cli.service import command_line
from pyzram.config.variables import GLOBALS, PER_DEVICE
from pyzram.doctor.checks import CHECKS
from pyzram.field_docs import own_fields
from pyzram.kernel.figures import FIGURES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pyzram.cli.options import Option

TREE = Path(__file__).resolve().parents[1]
LISTING = TREE / "docs/frozen.txt"
sys.path.insert(0, str(TREE / "tests"))

from fake_roots import Machine  # noqa: E402

# Short names in annotations: words or kinds of values, and the module that says which.
ALIASES = {
    "Algorithms": "pages.question",
    "Buffer": "pages.codec",
    "Discard": "limits",
    "DiscardPolicy": "limits",
    "Goal": "service.service",
    "Needs": "config.variables",
    "Paths": "pages.question",
    "Progress": "postprocess.writeback",
    "RecompressType": "limits",
    "Stopped": "postprocess.bounded_steps",
    "Value": "service.diff",
    "WritebackType": "limits",
}
# Those of every result.
RECORD = {"as_dict", "from_dict", "replace"}
KERNEL = "vm-7.x-multi"


# ---- Python --------------------------------------------------------------------------------------


def written(annotation: object) -> str:
    """A type as it stands in the source."""
    return annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)


def signature(function: Callable[..., object]) -> str:
    """Parameters by name, with types and defaults."""
    found = inspect.signature(function)
    words, star, last = [], False, None
    for name, parameter in found.parameters.items():
        if name in ("self", "cls"):
            continue
        if parameter.kind is parameter.KEYWORD_ONLY and not star:
            words.append("*")
            star = True
        if last is inspect.Parameter.POSITIONAL_ONLY and parameter.kind is not last:
            words.append("/")
        last = parameter.kind
        mark = {parameter.VAR_POSITIONAL: "*", parameter.VAR_KEYWORD: "**"}.get(last, "")
        star = star or mark == "*"
        word = f"{mark}{name}"
        if parameter.annotation is not parameter.empty:
            word += f": {written(parameter.annotation)}"
        if parameter.default is not parameter.empty:
            default = parameter.default
            word += f" = {default.__name__ if callable(default) else repr(default)}"
        words.append(word)
    back = (
        "" if found.return_annotation is found.empty else f" -> {written(found.return_annotation)}"
    )
    return f"({', '.join(words)}){back}"


def members(name: str, kind: type) -> Iterator[str]:
    """Lines for what a class has, its own and of its private bases."""
    exception = issubclass(kind, BaseException)
    for base in reversed(kind.__mro__):
        if not base.__module__.startswith("pyzram."):
            continue
        if exception and base is not kind and base.__name__ in pyzram.__all__:
            continue  # listed there
        for field in own_fields(base):
            yield f"{name}.{field.name}: {field.kind}"
        for attribute, value in vars(base).items():
            if attribute.startswith("_") or attribute in RECORD:
                continue
            if isinstance(value, property):
                kind_of = written(inspect.get_annotations(value.fget)["return"])
                yield f"{name}.{attribute}: {kind_of}"
            elif isinstance(value, (classmethod, staticmethod)) or inspect.isfunction(value):
                yield f"{name}.{attribute}{signature(getattr(kind, attribute))}"


def python() -> Iterator[str]:
    """Every public name, what it takes, and its members."""
    for name in sorted(pyzram.__all__, key=str.lower):
        value = getattr(pyzram, name)
        if inspect.isclass(value):
            bases = [base for base in value.__mro__[1:] if base is not object]
            known = [
                b.__name__
                for b in bases
                if b.__name__ in pyzram.__all__ or b.__module__ == "builtins"
            ]
            made = not issubclass(value, BaseException) and "__init__" in {
                attribute for base in value.__mro__[:-1] for attribute in vars(base)
            }
            taken = signature(value.__init__).removesuffix(" -> None") if made else ""
            yield f"{name}{taken}" + (f" is {', '.join(known)}" if known else "")
            yield from sorted(set(members(name, value)))
        elif callable(value):
            yield f"{name}{signature(value)}"
        else:
            home = import_module(f"pyzram.{vars(pyzram)['_HOME'][name]}")
            kind = inspect.get_annotations(home).get(name, type(value).__name__)
            yield f"{name}: {kind}"


def aliases() -> Iterator[str]:
    """What the short names in annotations stand for."""
    for name, home in ALIASES.items():
        source = inspect.getsource(import_module(f"pyzram.{home}"))
        match = re.search(rf"^    {name}(?:: TypeAlias)? = (.*)$", source, re.M)
        if match:
            yield f"{name}: {match[1]}"
        else:  # Python's own
            assert re.search(rf"^    from typing_extensions import {name}$", source, re.M), name
            yield f"{name}: typing_extensions.{name}"


# ---- commands and what they print ----------------------------------------------------------------


def option(line: Option) -> str:
    """The spellings of an option, and the words it takes."""
    spellings = f"-{line.short}, --{line.long}" if line.short else f"--{line.long}"
    taken = (
        "" if isinstance(line.values, str) or not line.values else f" ({', '.join(line.values)})"
    )
    return f"{spellings} {line.metavar}".rstrip() + taken


def commands() -> Iterator[str]:
    """Every command with its operands, and every option."""
    for name, (home, _) in sorted(command.COMMANDS.items()):
        module = home.partition(":")[0]
        if module == "service":
            line = command_line(name)
        else:
            line = import_module(f"pyzram.cli.{module}").COMMAND
        yield f"pyzram {name} {line.operands}".rstrip()
        yield from (f"pyzram {name} {option(each)}" for each in line.options)
    yield f"zram_stats {zram_stats.COMMAND.operands}"
    yield from (f"zram_stats {option(each)}" for each in zram_stats.COMMAND.options)


def columns() -> Iterator[str]:
    """What ``zram_stats --output`` takes."""
    yield from (stats_columns.heading(column) for column in stats_columns.COLUMNS)


def json_keys() -> Iterator[str]:
    """What ``zram_stats --json --output-all`` says of a device."""
    yield from (f"{figure.name}: {figure.unit or 'text'}" for figure in FIGURES)


def checks() -> Iterator[str]:
    """What ``pyzram doctor`` looks for."""
    yield from CHECKS


def metrics() -> Iterator[str]:
    """Every metric with its type and the names of its labels."""
    with tempfile.TemporaryDirectory() as top:
        here = Machine(Path(top) / "root", KERNEL)
        here.swap("/dev/zram0 partition 65532 1468 -2")
        here.mount("/mnt")
        here.block("loop7", 8192)
        os.environ["PYZRAM_ROOT"] = str(here.root)
        device = {"name": "zram0", "budget": 9, "left": 8, "free": 7}
        status = {"mode": "calm", "pressure": 0.5, "seen": {"devices": [device]}}
        tend_textfile.read_status = lambda _run: status
        file = f"{top}/data"
        Path(file).write_bytes(os.urandom(8192))
        calls = {
            "stats": lambda path: zram_stats.main(["--textfile", path]),
            "doctor": lambda path: doctor.main(["--textfile", path]),
            "tend": lambda path: tend_textfile.textfile(path, top),
            "estimate": lambda path: estimate.main([file, "--textfile", path]),
        }
        text = ""
        for name, call in calls.items():
            path = f"{top}/{name}.prom"
            with contextlib.redirect_stderr(io.StringIO()):
                call(path)
            text += Path(path).read_text()
    kinds = dict(re.findall(r"^# TYPE (\w+) (\w+)$", text, re.M))
    found: dict[str, set[str]] = {}
    for name, labels in re.findall(r"^(\w+)(?:\{(.*)\})? ", text, re.M):
        if name[0] != "#":
            found.setdefault(name, set()).update(re.findall(r'(\w+)="', labels))
    for name, labels in found.items():
        yield f"{name}{{{','.join(sorted(labels))}}} {kinds[name]}".replace("{}", "")


def variables() -> Iterator[str]:
    """What a configuration file can say; N is the number of a device."""
    yield from GLOBALS
    yield from (f"{name}_N" for name in PER_DEVICE)


def services() -> Iterator[str]:
    """Units and scripts that an administrator enables."""
    for folder in ("openrc", "systemd", "cron"):
        for path in sorted((TREE / "initscripts" / folder).iterdir()):
            if path.suffix != ".confd":
                yield f"{folder}: {path.name.removesuffix('.initd')}"


SECTIONS = {
    "Python": python,
    "Words and kinds of values in these": aliases,
    "Commands": commands,
    "Columns of zram_stats": columns,
    "JSON of zram_stats": json_keys,
    "Checks of pyzram doctor": checks,
    "Metrics": metrics,
    "Variables of /etc/conf.d/zram": variables,
    "Services": services,
}


def listing() -> str:
    """All of it."""
    parts = []
    for title, lines in SECTIONS.items():
        parts.append("\n".join([f"== {title} ==", "", *lines()]) + "\n")
    return "SPDX-License-Identifier: MIT\nMade by tools/frozen.py.\n\n" + "\n".join(parts)


def main() -> int:
    """1 with ``--check`` if the file says something else, which is printed."""
    now = listing()
    if "--check" not in sys.argv[1:]:
        LISTING.write_text(now)
        return 0
    before = LISTING.read_text()
    changes = difflib.unified_diff(
        before.splitlines(), now.splitlines(), "frozen", "now", n=0, lineterm=""
    )
    print("\n".join(changes))
    return int(before != now)


if __name__ == "__main__":
    sys.exit(main())
