# SPDX-License-Identifier: MIT
"""Write docs/frozen.txt: every name that RELEASING.md promises to keep, made from the code.

``python tools/frozen.py`` rewrites it, ``--check`` says whether it is out of date. Its diff shows
what a change does to what others rely on: added lines need a new release, changed and removed
ones a new major version.
"""

from __future__ import annotations

import contextlib
import difflib
import inspect
import io
import json
import os
import re
import sys
import tempfile
from dataclasses import replace
from functools import partial
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pyzram
from pyzram.cli import (
    bench,
    doctor,
    json_documents,
    postprocess_report,
    service,
    stats_columns,
    zram_stats,
)
from pyzram.cli import pyzram as command
from pyzram.cli.estimate import command as estimate
from pyzram.cli.tend import daemon, dry_run, textfile
from pyzram.cli.tend.reclaim import ReclaimPlan
from pyzram.config.parser import read_config
from pyzram.config.variables import GLOBALS, PER_DEVICE
from pyzram.doctor.checks import CHECKS
from pyzram.field_docs import own_fields
from pyzram.hints import as_written
from pyzram.kernel.figures import FIGURES
from pyzram.tend.actions import Compact, Recompress, WriteBack
from pyzram.tend.observation import DeviceObserved, Observation
from pyzram.tend.policy import Decision
from pyzram.tend.state import State
from pyzram.tend.tender import Report
from pyzram.tend_status import read_status, write_status

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pyzram.cli.options import Option

TREE = Path(__file__).resolve().parents[1]
LISTING = TREE / "docs/frozen.txt"
sys.path.insert(0, str(TREE / "tests"))

from fake_roots import Machine  # noqa: E402

# Short names in annotations, which stand for words or kinds of values, and the module with them.
ALIASES = {
    "Algorithms": "pages.api",
    "Buffer": "pages.codec.codec",
    "Discard": "limits",
    "DiscardPolicy": "limits",
    "Goal": "service.service",
    "Needs": "config.variables",
    "Paths": "pages.api",
    "Progress": "postprocess.writeback",
    "RecompressType": "limits",
    "Setting": "service.diff",
    "SomePaths": "pages.api",
    "Stopped": "postprocess.bounded_steps",
    "WritebackType": "limits",
}
# Classes that others may instantiate. pyzram makes all others, so their constructors are not
# promised: from_dict() and replace() make more of them.
MADE = {"Algorithm", "Chain", "Config", "DeviceConfig", "PoolModel", "Service", "Sysfs", "Zram"}
# What operators and statements call.
SPECIAL = {"__add__", "__enter__", "__iter__", "__len__", "__sub__"}
KERNEL = "vm-7.x-multi"


# ---- Python --------------------------------------------------------------------------------------


def written(annotation: object) -> str:
    """A type as it stands in the source."""
    return annotation if isinstance(annotation, str) else inspect.formatannotation(annotation)


def signature(function: Callable[..., object]) -> str:
    """Parameters by name, with types and defaults."""
    found = inspect.signature(function)
    texts = as_written(inspect.unwrap(getattr(function, "__func__", function)))
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
        if name in texts:
            word += f": {written(texts[name])}"
        if parameter.default is not parameter.empty:
            default = parameter.default
            word += f" = {default.__name__ if callable(default) else repr(default)}"
        words.append(word)
    back = f" -> {written(texts['return'])}" if "return" in texts else ""
    return f"({', '.join(words)}){back}"


def members(name: str, kind: type) -> Iterator[str]:
    """Lines for the members of a class, its own and those of its private bases."""
    exception = issubclass(kind, BaseException)
    for base in reversed(kind.__mro__):
        if not base.__module__.startswith("pyzram."):
            continue
        if exception and base is not kind and base.__name__ in pyzram.__all__:
            continue  # listed there
        for field in own_fields(base):
            yield f"{name}.{field.name}: {field.kind}"
        for attribute, value in vars(base).items():
            if attribute.startswith("_") and attribute not in SPECIAL:
                continue
            if isinstance(value, property):
                kind_of = written(as_written(value.fget)["return"])
                yield f"{name}.{attribute}: {kind_of}"
            elif isinstance(value, (classmethod, staticmethod)) or inspect.isfunction(value):
                yield f"{name}.{attribute}{signature(getattr(kind, attribute))}"


def python() -> Iterator[str]:
    """Every public name, its parameters, and its members."""
    for name in sorted(pyzram.__all__, key=str.lower):
        value = getattr(pyzram, name)
        if inspect.isclass(value):
            bases = [base for base in value.__mro__[1:] if base is not object]
            known = [
                b.__name__
                for b in bases
                if b.__name__ in pyzram.__all__ or b.__module__ == "builtins"
            ]
            made = name in MADE
            taken = signature(value.__init__).removesuffix(" -> None") if made else ""
            yield f"{name}{taken}" + (f" is {', '.join(known)}" if known else "")
            yield from sorted(set(members(name, value)))
        elif callable(value):
            yield f"{name}{signature(value)}"
        else:
            home = import_module(f"pyzram.{vars(pyzram)['_DEFINED_IN'][name]}")
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
    """The spellings of an option, and the words that it accepts."""
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
            line = service.command_line(name)
        else:
            line = import_module(f"pyzram.cli.{module}").COMMAND
        yield f"pyzram {name} {line.operands}".rstrip()
        yield from (f"pyzram {name} {option(each)}" for each in line.options)
    yield f"zram_stats {zram_stats.COMMAND.operands}"
    yield from (f"zram_stats {option(each)}" for each in zram_stats.COMMAND.options)


def columns() -> Iterator[str]:
    """What ``zram_stats --output`` accepts."""
    yield from (stats_columns.heading(column) for column in stats_columns.COLUMNS)


def json_keys() -> Iterator[str]:
    """What ``zram_stats --json --output-all`` says about a device."""
    yield from (f"{figure.name}: {figure.unit or 'text'}" for figure in FIGURES)


# Dictionaries whose keys vary: names of algorithms, reasons, variables or groups.
BY_NAME = {
    "algorithms",
    "asked",
    "devices",
    "groups",
    "left_out",
    "mem_used_total",
    "recomp_algorithms",
    "skipped",
    "sources",
}


# Lists of texts, which may be empty.
OF_TEXTS = {"also_mounted", "mount_points", "problems", "refusals", "warnings"}
# What tend's policy is based on is not promised; of an action, only its kind and device are.
NOT_PROMISED = {"seen", "state"}
PROMISED_OF = {path: {"action", "device"} for path in ("actions[]", "last_round.actions[]")}


def keys(value: object, path: str = "") -> Iterator[str]:
    """The paths of everything in a document; ``[]`` is each item of a list, ``.*`` each key.

    Raises:
        ValueError: a dictionary or list of the sample is empty, so its contents are unknown.
    """
    if path in NOT_PROMISED:
        return
    empty = isinstance(value, (dict, list, tuple)) and not value
    if empty and path.rpartition(".")[2] not in OF_TEXTS:
        raise ValueError(f"{path}: the sample has nothing in it")
    if isinstance(value, (list, tuple)):
        for item in value:
            yield from keys(item, f"{path}[]")
    elif isinstance(value, dict):
        for name, item in value.items():
            if name not in PROMISED_OF.get(path, value):
                continue
            step = "*" if path.rpartition(".")[2] in BY_NAME else name
            yield f"{path}.{step}".lstrip(".")
            yield from keys(item, f"{path}.{step}".lstrip("."))


def printed(call: Callable[[list[str]], object], *words: str) -> Any:
    """What a command prints with ``--json``."""
    with (
        contextlib.redirect_stdout(io.StringIO()) as out,
        contextlib.redirect_stderr(io.StringIO()),
    ):
        call([*words, "--json"])
    return json.loads(out.getvalue())


def tended(run: str) -> tuple[dict[str, object], dict[str, object] | None]:
    """What ``pyzram tend --json`` and ``--status --json`` print if there is everything to do."""
    seen = Observation(0, 0, 0, started=0, resumed=0, devices=(DeviceObserved("zram0", "1"),))
    actions = (WriteBack("", 0, 0, 0), Recompress("", 0, 0), Compact(""))
    report = Report(seen, Decision(actions, State(now=0.0, round=0.0), ("",)), 0, 0)
    group = SimpleNamespace(current=0, protected=0, some10=0.0)
    groups: Any = SimpleNamespace(
        reason="", groups={"user.slice": group}, sizes={"user.slice": 0}, left_out={"gone": "why"}
    )
    reclaimer: Any = SimpleNamespace(names=("user.slice",), asked={}, reason="")
    write_status(run, daemon.Told().status(report, reclaimer, 0.0))
    groups.as_dict = partial(ReclaimPlan.as_dict, groups)
    beside = dry_run.Beside()
    return dry_run.document(report, [0, 0, None], beside, groups), read_status(run)


def documents() -> Iterator[str]:
    """What other commands print with ``--json``: each key once, in the order of the document."""
    with tempfile.TemporaryDirectory() as top:
        here = Machine(Path(top) / "root", KERNEL)
        os.environ.update(PYZRAM_ROOT=str(here.root), PYZRAM_RUN=f"{top}/run")
        file, config = f"{top}/data", f"{top}/zram"
        Path(file).write_bytes(os.urandom(8192))
        Path(config).write_text("ZRAM_SIZE_0=64M\nZRAM_FSTYPE_0=nofs\nZRAM_MOUNT_0=/nowhere\n")
        found = pyzram.estimate(files=file, algorithms="zstd", full=True)
        found = replace(found, skipped={"why": 1}, left_out={"why": 1})
        age = SimpleNamespace(seconds=1.0, cold_bytes=8192, returns=1.0)
        look: Any = SimpleNamespace(age=age, estimate=found)
        watched: Any = ("x", 1, {"why": 1}, [look])
        plan = pyzram.Plan()
        plan._steps.append(pyzram.Step("add", 0, "add a device"))
        plan._left_out.append(pyzram.LeftOut(0, "why"))
        plan._changes.append(pyzram.Difference(0, "zram0", "disksize", 1, 2, "new device"))
        plan._config = read_config(config, ram=1 << 30)
        obstacle = pyzram.Obstacle(0, "ZRAM_SIZE_0", "zram:1", "why", True)
        obstacles = {"obstacles": [obstacle.as_dict()]}
        mm, bd = pyzram.MmStat(), pyzram.BdStat()
        result = pyzram.PostprocessResult(
            mm_before=mm, mm_after=mm, bd_before=bd, bd_after=bd, seconds=0.0, stopped=None
        )
        moved = {"device": "zram0", **postprocess_report.figures(result)}
        tend, tend_status = tended(f"{top}/run")
        said = {
            "bench": printed(bench.main, file, "-a", "lz4:1"),
            "check": {**printed(service.check, "-c", config), **obstacles},
            "doctor": printed(doctor.main, "-c", config),
            "estimate": json_documents.of_estimate(found),
            "estimate --idle": json_documents.of_idle(*watched),
            "estimate --idle --watch": json_documents.of_watch(*watched),
            "plan": {**plan.as_dict(), **obstacles},
            "start, stop, reload": plan.as_dict(),
            "status": printed(service.status, "-c", config),
            "tend": tend,
            "tend --status": tend_status,
            "writeback, recompress": moved,
        }
    for name, document in said.items():
        yield from (f"{name}: {key}" for key in dict.fromkeys(keys(document)))


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
        device = {"name": "zram0", "medium": "8:3", "budget": 9, "left": 8, "free": 7}
        known = {"written": 6, "regret": 0.1, "caution": 1.0, "backoff": 0.0}
        status = {"mode": "calm", "pressure": 0.5, "time": 1e9, "seen": {"devices": [device]}}
        status["devices"] = {"zram0": known}
        textfile.read_status = lambda _run: status
        file = f"{top}/data"
        Path(file).write_bytes(os.urandom(8192))
        calls = {
            "stats": lambda path: zram_stats.main(["--textfile", path]),
            "doctor": lambda path: doctor.main(["--textfile", path]),
            "tend": lambda path: textfile.textfile(path, top),
            "estimate": lambda path: estimate.main([file, "--textfile", path]),
        }
        texts = []
        for name, call in calls.items():
            path = f"{top}/{name}.prom"
            with contextlib.redirect_stderr(io.StringIO()):
                call(path)
            texts.append(Path(path).read_text())
    text = "".join(texts)
    kinds = dict(re.findall(r"^# TYPE (\w+) (\w+)$", text, re.M))
    found: dict[str, set[str]] = {}
    for name, labels in re.findall(r"^(\w+)(?:\{(.*)\})? ", text, re.M):
        if name[0] != "#":
            found.setdefault(name, set()).update(re.findall(r'(\w+)="', labels))
    for name, labels in found.items():
        yield f"{name}{{{','.join(sorted(labels))}}} {kinds[name]}".replace("{}", "")
    # Of a family in several files node_exporter leaves out what another file describes otherwise,
    # and one of the files may be of another release.
    described = [set(re.findall(r"^# (?:HELP|TYPE) .*$", text, re.M)) for text in texts]
    yield from sorted(set.intersection(*described))


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
    "JSON of the other commands": documents,
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
    """Return 1 with ``--check`` if the file differs, and print how."""
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
