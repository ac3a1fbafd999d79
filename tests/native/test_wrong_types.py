# SPDX-License-Identifier: MIT
"""Every parameter refuses wrong values, by its name and before anything is done."""

from __future__ import annotations

import ast
import contextlib
import errno
import inspect
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from fake_roots import Machine

import pyzram
from pyzram.hints import as_written

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PAGE = 4096
# Samples for each kind of value. The list holds what no list may.
SAMPLES: dict[str, object] = {
    "int": 5,
    "float": 1.5,
    "bool": True,
    "str": "x",
    "bytes": b"x",
    "path": Path("x"),
    "list": [object()],
    "dict": {object(): object()},
    "None": None,
    "object": object(),
}
# What each name in an annotation accepts.
KINDS: dict[str, set[str]] = {
    "int": {"int"},
    "float": {"int", "float"},
    "bool": {"bool"},
    "str": {"str"},
    "None": {"None"},
    "os.PathLike": {"path"},
    "Buffer": {"bytes"},
    "Any": set(SAMPLES),
    "object": set(SAMPLES),
    "Algorithms": {"str", "None"},
    "Paths": {"str", "path", "None"},
    **{
        name: {"str"}
        for name in ("Discard", "DiscardPolicy", "Goal", "RecompressType", "WritebackType")
    },
}


def taken(annotation: ast.expr) -> set[str]:
    """The kinds of values that an annotation allows."""
    if isinstance(annotation, ast.BinOp):
        return taken(annotation.left) | taken(annotation.right)
    if isinstance(annotation, ast.Subscript):
        annotation = annotation.value
    # Nothing here is an instance of a class, and no item of a list is right.
    return KINDS.get(ast.unparse(annotation), set())


# Messages that use another word for a parameter, which is the class's. Those of Zram.set_X say X.
WORDS = {
    "Algorithm": {"name": "algorithm"},
    "Algorithm.parse": {"text": "algorithm"},
}


class Bench:
    """What is needed to call everything that is public."""

    def __init__(self, folder: Path) -> None:
        self.machine = Machine(folder / "root", "vm-7.x-multi")
        (folder / "root/dev").mkdir()
        self.sysfs = pyzram.Sysfs(folder / "root")
        self.file = folder / "file"
        self.file.write_bytes(os.urandom(4 * PAGE))
        self.folder = folder
        self.device: pyzram.Zram  # which a call may close
        self.model = pyzram.PoolModel(page_size=PAGE)
        self.stats = self.model.store([5])
        self.estimate = pyzram.estimate(files=self.file, algorithms="lz4", timing=False)
        self.config = pyzram.Config("zram", [pyzram.DeviceConfig(0, 1 << 20)])
        self.state = pyzram.BlockState(1, {}, (1, 0))
        self.zeros = bytes(PAGE)

    def calls(self) -> dict[str, tuple[Callable[..., object], dict[str, object]]]:
        """Each by its name in docs/frozen.txt, with everything that it needs."""
        zram, page = self.device, self.zeros
        packed = pyzram.compress_page(page, "lz4")
        service = pyzram.Service(
            str(self.folder / "zram"), sysfs=self.sysfs, directory=str(self.folder / "run")
        )
        known = {
            "Algorithm": {"name": "lz4"},
            "Algorithm.parse": {"text": "lz4"},
            "analyse": {"buffer": page, "algorithms": "lz4"},
            "bench": {"files": self.file},
            "BlockState.older_than": {"seconds": 1},
            "Chain": {"size": 8, "rule": "waste"},
            "compress_page": {"page": page, "algorithm": "lz4"},
            "compressed_sizes": {"buffer": page, "algorithm": "lz4"},
            "Config": {"path": "zram"},
            "Config.device": {"index": 0},
            "decompress_page": {"data": packed, "algorithm": "lz4"},
            "devices": {},
            "DeviceConfig": {"index": 0, "disksize": 1 << 20},
            "diagnose": {"sysfs": self.sysfs, "config_path": str(self.folder / "zram")},
            "estimate": {"files": self.file},
            "estimate_pages": {"source": None},
            "features": {"sysfs": self.sysfs},
            "format_size": {"value": 5},
            "open_files": {"paths": self.file},
            "open_processes": {"pids": os.getpid()},
            "open_stream": {"fd": 0},
            "parse_size": {"text": "1M"},
            "PoolModel": {"page_size": PAGE},
            "PoolModel.class_of": {"length": 5},
            "PoolModel.join": {"one": self.stats, "other": self.stats},
            "PoolModel.recompress": {"lengths": [5], "second": [4]},
            "PoolModel.scale": {"figures": self.stats, "pages": 2},
            "PoolModel.store": {"lengths": [5]},
            "recommend": {"estimate": self.estimate},
            "recompress_pages": {"device": zram},
            "Service": {"sysfs": self.sysfs, "directory": str(self.folder / "run")},
            "Service.plan": {"goal": "start"},
            "slots": {"device": zram},
            "StatsChange.rate": {"difference": 1},
            "Sysfs": {},
            "Sysfs.block": {"name": "zram0"},
            "Sysfs.path": {},
            "Sysfs.read": {"path": "proc/swaps"},
            "writeback_pages": {"device": zram},
            "writeback_ranges": {"device": zram, "ranges": [(0, 1)]},
            "Zram": {"device": 0, "sysfs": self.sysfs},
            "Zram.add": {"sysfs": self.sysfs},
            "Zram.configure": {"disksize": "1M"},
            "Zram.has": {"name": "disksize"},
            "Zram.mount": {"point": "/"},
            "Zram.read": {"name": "disksize"},
            "Zram.read_numbers": {"name": "mm_stat"},
            "Zram.set_backing_dev": {"path": "/dev/null"},
            "Zram.set_comp_algorithm": {"algorithm": "lz4"},
            "Zram.set_compressed_writeback": {"enable": True},
            "Zram.set_disksize": {"size": "1M"},
            "Zram.set_max_comp_streams": {"streams": 1},
            "Zram.set_mem_limit": {"size": 1},
            "Zram.set_recomp_algorithm": {"algorithm": "lz4"},
            "Zram.set_writeback_batch_size": {"requests": 1},
            "Zram.set_writeback_limit": {"units": 1},
            "Zram.set_writeback_limit_enable": {"enable": True},
            "Zram.write": {"name": "mem_limit", "value": 1},
        }
        before = self.device.stats()
        change = self.device.stats() - before
        owners = {
            "Algorithm": pyzram.Algorithm,
            "BlockState": self.state,
            "Config": self.config,
            "PoolModel": self.model,
            "Service": service,
            "StatsChange": change,
            "Sysfs": self.sysfs,
            "Zram": zram,
        }
        found = {}
        for name in public_calls():
            owner, _, method = name.rpartition(".")
            function = getattr(owners[owner], method) if owner else getattr(pyzram, name)
            found[name] = function, known.get(name, {})
        return found


# For every class; test_values.py checks field by field what they take.
RECORD = {"as_dict", "from_dict", "replace"}
MADE = ("Algorithm", "Chain", "Config", "DeviceConfig", "PoolModel", "Service", "Sysfs", "Zram")


def public_calls() -> Iterator[str]:
    """Everything that is promised and has a parameter."""
    for name in pyzram.__all__:
        value = getattr(pyzram, name)
        if not inspect.isclass(value):
            if callable(value) and inspect.signature(value).parameters:
                yield name
            continue
        if issubclass(value, BaseException):
            continue
        if name in MADE:
            yield name
        if issubclass(value, (tuple, list)):
            continue
        for attribute, member in inspect.getmembers(value, inspect.isroutine):
            if attribute.startswith("_") or attribute in RECORD:
                continue
            if set(inspect.signature(member).parameters) - {"self"}:
                yield f"{name}.{attribute}"


def parameters(function: Callable[..., object]) -> Iterator[tuple[str, ast.expr, bool]]:
    target = function.__init__ if inspect.isclass(function) else function
    texts = as_written(getattr(target, "__func__", target))
    for name, parameter in inspect.signature(target).parameters.items():
        if name != "self":
            text = texts[name]
            yield (
                name,
                ast.parse(text, mode="eval").body,
                parameter.kind is parameter.VAR_POSITIONAL,
            )


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return Bench(tmp_path_factory.mktemp("types"))


@pytest.fixture
def bench(made):
    with pyzram.Zram(0, sysfs=made.sysfs) as made.device:
        yield made


def answer(function: Callable[..., object], several: bool, words: dict[str, object], name: str):
    """What a call says about a wrong value, or that it accepted it."""
    try:
        got = function(words[name]) if several else function(**words)
        if inspect.isgenerator(got):
            got = next(got)
        getattr(got, "close", int)()
        return f"takes it: {got!r:.60}"
    except Exception as err:
        return err


@pytest.mark.parametrize("name", list(public_calls()))
def test_a_value_of_another_type_is_refused_by_the_name_of_its_parameter(bench, name):
    function, needed = bench.calls()[name]
    wrong = []
    for parameter, annotation, several in parameters(function):
        for kind, value in SAMPLES.items():
            if kind in taken(annotation):
                continue
            words = {**needed, parameter: value}
            if parameter in ("pids", "system") and "files" in words:
                del words["files"]
                if value is None:
                    continue
            with contextlib.ExitStack() as stack:
                if "source" in words and parameter != "source":
                    words["source"] = stack.enter_context(pyzram.open_files(bench.file))
                said = answer(function, several, words, parameter)
            if isinstance(said, pyzram.InvalidTypeError) and "\n" not in str(said):
                attribute = name.partition("Zram.set_")[2]
                called = WORDS.get(name, {}).get(parameter, attribute or parameter)
                if parameter in str(said) or called in str(said):
                    continue
            wrong.append(f"{name}({parameter}={value!r:.30}): {said!r}")
    assert not wrong, "\n".join(wrong)


class Whole:
    """A number from another library, such as NumPy."""

    def __index__(self) -> int:
        return 5

    def __float__(self) -> float:
        return 5.0

    __hash__ = None  # type: ignore[assignment]


@pytest.mark.parametrize("name", list(public_calls()))
def test_a_whole_number_of_another_library_is_one(bench, name):
    """Where a number is expected it works like an int; at most its value is refused."""
    function, needed = bench.calls()[name]
    for parameter, annotation, several in parameters(function):
        if not {"int", "float"} & taken(annotation) or "Any" in ast.unparse(annotation):
            continue
        words = {**needed, parameter: Whole()}
        if parameter == "pids":
            words.pop("files", None)
        with contextlib.ExitStack() as stack:
            if "source" in words and parameter != "source":
                words["source"] = stack.enter_context(pyzram.open_files(bench.file))
            said = answer(function, several, words, parameter)
        assert not isinstance(said, TypeError), (parameter, said)
        assert not isinstance(said, AttributeError), (parameter, said)


@pytest.mark.parametrize(
    "call",
    [
        lambda: pyzram.estimate(files=[]),
        lambda: pyzram.estimate(pids=[]),
        lambda: pyzram.estimate(pids=os.getpid(), algorithms=[], timing=False),
        lambda: pyzram.bench(files=__file__, algorithms=[]),
        lambda: pyzram.open_files([]),
        lambda: pyzram.open_processes([]),
        lambda: pyzram.analyse(bytes(PAGE), [], page_size=PAGE),
    ],
    ids=["files", "pids", "algorithms", "bench", "open_files", "open_processes", "analyse"],
)
def test_a_list_that_names_nothing_is_no_question(call):
    with pytest.raises(pyzram.InvalidValueError, match="the list is empty") as caught:
        call()
    assert not isinstance(caught.value, TypeError)


def test_a_process_that_is_not_there_is_told_as_python_does():
    for ask in (pyzram.open_processes, lambda pid: pyzram.estimate(pids=pid)):
        with pytest.raises(ProcessLookupError) as caught:
            ask(NO_PROCESS)
        assert isinstance(caught.value, pyzram.ProcessNotFoundError)
        assert caught.value.errno == errno.ESRCH


# More than pid_max can be (proc(5)).
NO_PROCESS = 1 << 23


@pytest.mark.parametrize("wrong", [-1, -0.5, float("nan"), float("-inf")], ids=str)
def test_a_time_is_from_nothing_to_for_ever(bench, wrong):
    """Both ends are accepted, and C can hold both."""
    for timeout in (0, 0.5, 10**9, float("inf")):
        bench.device.write("mem_limit", 1, timeout=timeout)
    for ask in (
        lambda: bench.device.reset(timeout=wrong),
        lambda: bench.device.remove(timeout=wrong),
        lambda: bench.device.write("mem_limit", 1, timeout=wrong),
        lambda: pyzram.writeback_pages(bench.device, timeout=wrong),
        lambda: pyzram.recompress_pages(bench.device, timeout=wrong),
    ):
        with pytest.raises(pyzram.InvalidValueError, match=r"timeout .*: not a number of seconds"):
            ask()
