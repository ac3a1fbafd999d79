# SPDX-License-Identifier: MIT
"""Every result of the API is a value: frozen, comparable, hashable, and it survives JSON."""

from __future__ import annotations

import copy
import dataclasses
import errno
import inspect
import json
import os
import pickle
import random
import subprocess
import sys
import time

import pytest

import pyzram
from pyzram.value import JsonValue

PAGE = 4096
MEMORY = pyzram.MmStat(orig_data_size=8 * PAGE, compr_data_size=9000, mem_used_total=12288)
BACKING = pyzram.BdStat(bd_count=3, bd_writes=3)


def estimate() -> pyzram.Estimate:
    chance = random.Random(1)
    kinds = [bytes(PAGE), chance.randbytes(1000) + bytes(PAGE - 1000), chance.randbytes(PAGE)]
    path = ESTIMATED[0]
    path.write_bytes(b"".join(chance.choice(kinds) for _ in range(64)))
    return pyzram.estimate(files=path, algorithms=["lzo-rle", "zstd:3"], seed=1)


ESTIMATED: list = []


def values() -> dict[type, object]:
    """One of each, with different figures."""
    found = estimate()
    part = found.algorithms["zstd:3"]
    stats = pyzram.Stats(
        name="zram7",
        disksize=1 << 20,
        comp_algorithm="lzo-rle",
        recomp_algorithms={1: "zstd", 2: None},
        mm_stat=MEMORY,
        io_stat=pyzram.IoStat(failed_writes=1),
        bd_stat=BACKING,
        debug_stat=pyzram.DebugStat(miss_free=2),
        stat=pyzram.BlockStat(read_ios=5),
        backing_dev="/dev/loop3",
        swap=pyzram.SwapArea("/dev/zram7", "partition", 1 << 20, 4096, 100),
        mount_points=("/a", "/b"),
        diskseq=9,
        time=time.time(),
        monotonic=time.monotonic(),
    )
    made = [
        stats,
        stats - dataclasses.replace(stats, monotonic=stats.monotonic - 2),
        stats.mm_stat,
        stats.io_stat,
        stats.bd_stat,
        stats.debug_stat,
        stats.stat,
        stats.swap,
        pyzram.Algorithm("zstd", level=3, dictionary="/a/b"),
        pyzram.BlockState(5, {"huge": 2, "idle": 1}, (1, 0, 4), time=1.5, monotonic=2.5),
        pyzram.Features(
            driver=True,
            hot_add=True,
            algorithms=("lzo-rle", "zstd"),
            default_algorithm="lzo-rle",
            writeback=True,
            writeback_batch=False,
            compressed_writeback=False,
            recompression=None,
            algorithm_params=True,
            memory_tracking=None,
            idle_age=False,
            pool_classes=None,
            psi=True,
        ),
        pyzram.PostprocessResult(
            mm_before=MEMORY,
            mm_after=pyzram.MmStat(orig_data_size=PAGE),
            bd_before=BACKING,
            bd_after=None,
            seconds=0.25,
            stopped="limit",
            time=3.5,
            monotonic=4.5,
        ),
        pyzram.Finding("zswap", "zram7", "what", "figure", "remedy"),
        pyzram.Obstacle(0, "ZRAM_SIZE_0", "zram:3", "why", True),
        pyzram.DeviceConfig(0, 1 << 20, algorithms=(pyzram.Algorithm("zstd", level=3),)),
        pyzram.Config("zram", (pyzram.DeviceConfig(0, 1 << 20, mkfs_options=("-q",)),)),
        pyzram.Difference(0, "zram7", "disksize", 1 << 20, 1 << 21, "new device"),
        pyzram.Step("add", 0, "add a device"),
        pyzram.LeftOut(1, "device 1: why"),
        pyzram.StepFailure(0, "add a device", "device 0: why", 28),
        pyzram.PoolClass(
            number=3,
            size=80,
            fullness={"10%": 1, "100%": 0},
            obj_allocated=102,
            obj_used=7,
            pages_used=2,
            pages_per_zspage=2,
            freeable=0,
        ),
        found,
        part,
        part.compression_ratio,
        found.parts[0],
        found.parts[0].owner,
        part.figures,
        pyzram.PoolModel(page_size=16384, word_size=8, chain=(8, "waste")),
        pyzram.Chain(8, "waste"),
        pyzram.PoolModel(page_size=16384).classes[3],
        pyzram.recommend(found, ram=8 << 30),
        pyzram.bench(files=ESTIMATED[0], algorithms="zstd:3")[0],
    ]
    return {type(value): value for value in made}


# Never written as JSON: handles, whatever holds open files, whatever acts, and a place.
OTHERS = {"DeviceList", "Zram", "Source", "Stream", "Service", "Sysfs", "Plan"}
# Named tuples: of these there may be millions.
TUPLES = {"Slot"}


@pytest.fixture(scope="module")
def all_values(tmp_path_factory):
    ESTIMATED[:] = [tmp_path_factory.mktemp("values") / "data"]
    return values()


def test_none_is_forgotten(all_values):
    public = {
        name
        for name in pyzram.__all__
        if inspect.isclass(getattr(pyzram, name))
        and not issubclass(getattr(pyzram, name), BaseException)
    }
    assert public - OTHERS - TUPLES == {kind.__name__ for kind in all_values}


def test_they_go_through_json_and_come_back(all_values):
    for kind, value in all_values.items():
        text = json.dumps(value.as_dict())
        back = kind.from_dict(json.loads(text))
        assert back == value, kind
        assert type(back) is kind
        assert hash(back) == hash(value), kind
        assert json.dumps(back.as_dict()) == text, kind
        if hasattr(value, "time"):
            assert (back.time, back.monotonic) == (value.time, value.monotonic), kind
            assert value.time > 0


def test_what_a_later_release_adds_is_passed_over(all_values):
    for kind, value in all_values.items():
        assert kind.from_dict({**value.as_dict(), "added_in_2031": 5}) == value


def test_what_is_something_else_is_refused(all_values):
    for kind in all_values:
        for wrong in (5, None, "text", [], {}):
            with pytest.raises(pyzram.InvalidValueError):
                kind.from_dict(wrong)


def test_every_field_is_looked_at(all_values):
    """For each field, a value that no class accepts, and a misspelt name in its place."""
    for kind, value in all_values.items():
        right = value.as_dict()
        for name in right:
            for wrong in ([[]], {"odd": {"odd": []}}, object()):
                with pytest.raises(pyzram.InvalidValueError, match=kind.__name__):
                    print(kind, kind.from_dict({**right, name: wrong}))
            misspelt = {key + "_" * (key == name): item for key, item in right.items()}
            with pytest.raises(pyzram.InvalidValueError, match=name):
                print(kind, kind.from_dict(misspelt))


@pytest.mark.parametrize(
    ("kind", "change", "words"),
    [
        (pyzram.MmStat, {"orig_data_size": "x"}, "orig_data_size 'x': not int"),
        (pyzram.MmStat, {"orig_data_size": None}, "orig_data_size None: not int"),
        (pyzram.MmStat, {"orig_data_size": True}, "orig_data_size True: not int"),
        (pyzram.Stats, {"mount_points": "abc"}, "mount_points 'abc': not tuple"),
        (pyzram.Stats, {"mount_points": [5]}, "mount_points .5.: not tuple"),
        (pyzram.Stats, {"recomp_algorithms": {"1": 5}}, "recomp_algorithms .*: not Mapping"),
        (pyzram.Stats, {"recomp_algorithms": {"x": "lz4"}}, "invalid literal"),
        (pyzram.Stats, {"swap": []}, "swap .*: not SwapArea"),
        (pyzram.StatsChange, {"seconds": "x"}, "seconds 'x': not float"),
        (pyzram.Features, {"algorithms": "lz4"}, "algorithms 'lz4': not tuple"),
        (pyzram.Config, {"tend_reclaim": "user.slice"}, "tend_reclaim 'user.slice': not tuple"),
        (pyzram.Config, {"devices": "ab"}, "devices 'ab': not tuple"),
        (pyzram.DeviceConfig, {"mkfs_options": "-q"}, "mkfs_options '-q': not tuple"),
        (pyzram.DeviceConfig, {"discard": "yes"}, "discard 'yes': not one of"),
        (pyzram.PostprocessResult, {"stopped": "bogus"}, "stopped 'bogus': not one of"),
        (pyzram.Difference, {"needs": "luck"}, "needs 'luck': not one of"),
        (pyzram.BlockState, {"ages": "12"}, "ages '12': not tuple"),
        (pyzram.Interval, {"low": "1"}, "'1'"),
    ],
    ids=lambda item: getattr(item, "__name__", str(item)),
)
def test_a_field_of_another_type_is_refused_by_name(all_values, kind, change, words):
    with pytest.raises(pyzram.InvalidValueError, match=words):
        kind.from_dict({**all_values[kind].as_dict(), **change})


def test_what_an_earlier_release_did_not_have_has_its_default(all_values):
    for kind, name in ((pyzram.Estimate, "parts"), (pyzram.Algorithm, "winbits")):
        right = all_values[kind].as_dict()
        del right[name]
        assert getattr(kind.from_dict(right), name) in ((), None)


def test_they_are_copied_and_pickled(all_values):
    for kind, value in all_values.items():
        for other in (copy.copy(value), copy.deepcopy(value), pickle.loads(pickle.dumps(value))):
            assert other == value, kind


def test_a_copy_of_a_step_does_the_same():
    step = pyzram.Step("swapon", 0, "swap on with priority 7", priority=7)
    copies = [copy.copy(step), copy.deepcopy(step), pickle.loads(pickle.dumps(step))]
    for other in (*copies, step.replace(), step.replace(text="as above")):
        assert other._args == {"priority": 7}
    assert all(map(step._is_like, copies))


def test_replace_makes_another_and_names_a_field_that_is_not_there(all_values):
    for kind, value in all_values.items():
        assert value.replace() == value, kind
        with pytest.raises(pyzram.InvalidTypeError, match=f"{kind.__name__}: no field bogus: it"):
            value.replace(bogus=5)
        name = next(iter(value.as_dict()))
        other = value.replace(**{name: getattr(value, name)})
        assert other == value and type(other) is kind


def test_a_field_that_is_a_list_is_looked_at():
    @dataclasses.dataclass(frozen=True)
    class Listed(JsonValue):
        names: list[str]

    assert Listed.from_dict({"names": ["a"]}).names == ["a"]
    for wrong in ("a", [5], {"a": "b"}):
        with pytest.raises(pyzram.InvalidValueError, match=r"not list\[str\]"):
            Listed.from_dict({"names": wrong})


def test_they_are_frozen(all_values):
    for value in all_values.values():
        name = next(iter(value.as_dict()))
        with pytest.raises(AttributeError):
            setattr(value, name, None)


def test_the_moment_does_not_count(all_values):
    for kind in (pyzram.Stats, pyzram.BlockState, pyzram.PostprocessResult, pyzram.Estimate):
        value = all_values[kind]
        assert dataclasses.replace(value, time=0.0, monotonic=0.0) == value


def test_a_source_is_not_a_value(tmp_path):
    path = tmp_path / "data"
    path.write_bytes(bytes(PAGE))
    with (
        pyzram.open_files(path) as source,
        path.open("rb") as file,
        pyzram.open_stream(file.fileno()) as stream,
    ):
        for other in (source, stream):
            for refuse in (copy.copy, copy.deepcopy, pickle.dumps):
                with pytest.raises(TypeError, match="open it there"):
                    refuse(other)


def test_where_the_kernels_files_are_is_a_value():
    tree = pyzram.Sysfs("/a/b/")
    for other in (pyzram.Sysfs("/a/b"), pickle.loads(pickle.dumps(tree)), copy.deepcopy(tree)):
        assert other == tree and hash(other) == hash(tree) and other.root == "/a/b"
    assert tree not in (pyzram.Sysfs(), "/a/b")
    assert pickle.loads(pickle.dumps(pyzram.Sysfs())) == pyzram.Sysfs("/")
    with pytest.raises(AttributeError):
        tree.root = "/c"
    assert tree.root == "/a/b"


def test_one_path_is_not_a_list_of_letters(tmp_path):
    path = tmp_path / "data"
    path.write_bytes(bytes(3 * PAGE))
    for given in (path, str(path), [path], (str(path),)):
        with pyzram.open_files(given) as source:
            assert source.pages * source.page_size == 3 * PAGE
            assert source.label == str(path)


@pytest.mark.parametrize("wrong", ["12", b"12", ["1", "2"], True, 1.0, [None]], ids=repr)
def test_a_text_is_not_a_list_of_processes(wrong):
    for ask in (pyzram.open_processes, lambda pids: pyzram.estimate(pids=pids)):
        with pytest.raises(pyzram.InvalidValueError, match="pass a process's number, such as 12"):
            ask(wrong)


def test_settings_take_lists_in_every_form_and_keep_values():
    plain = pyzram.DeviceConfig(
        0,
        1 << 20,
        algorithms=(pyzram.Algorithm("zstd", level=3), pyzram.Algorithm("lz4")),
        recompression=(pyzram.Algorithm("lz4"),),
        mkfs_options=("-O", "64bit"),
    )
    given = pyzram.DeviceConfig(
        0,
        1 << 20,
        algorithms=["zstd:3", "lz4"],
        recompression="lz4",
        mkfs_options=iter(["-O", "64bit"]),
    )
    assert given == plain
    assert hash(given) == hash(plain)
    assert given.replace(recompression=["lz4"]) == plain
    whole = pyzram.Config("zram", [given], tend_reclaim=["a.slice"], warnings=["odd"])
    assert whole == pyzram.Config("zram", (plain,), tend_reclaim=("a.slice",), warnings=("odd",))
    assert hash(whole) == hash(whole.replace())
    for refused in (
        lambda: pyzram.DeviceConfig(0, 1 << 20, mkfs_options="-q"),
        lambda: pyzram.DeviceConfig(0, 1 << 20, mkfs_options=5),
        lambda: pyzram.Config("zram", tend_reclaim="a.slice"),
        lambda: pyzram.Config("zram", warnings="odd"),
        lambda: pyzram.Config("zram", plain),
    ):
        with pytest.raises(pyzram.InvalidValueError, match="not a list: for a single one"):
            refused()
    with pytest.raises(pyzram.InvalidValueError, match="not a valid name"):
        pyzram.DeviceConfig(0, 1 << 20, algorithms="lz4 zstd")


@pytest.mark.parametrize(
    "form", ["zstd:3", "zstd(level=3)", pyzram.Algorithm("zstd", level=3)], ids=str
)
def test_codecs_take_an_algorithm_in_every_form(form):
    page = bytes(random.Random(2).choices(range(20), k=PAGE))
    packed = pyzram.compress_page(page, "zstd", level=3)
    assert pyzram.compress_page(page, form) == packed
    assert pyzram.decompress_page(packed, form, page_size=PAGE) == page
    assert list(pyzram.compressed_sizes(page, form, page_size=PAGE)) == [len(packed)]
    assert list(pyzram.analyse(page, [form, "lzo"], page_size=PAGE)) == ["zstd:3", "lzo"]
    with pytest.raises(pyzram.InvalidValueError, match="given twice: level"):
        pyzram.compress_page(page, form, level=4)


def test_codecs_read_the_dictionary_that_an_algorithm_names(tmp_path):
    page = bytes(random.Random(3).choices(range(200), k=PAGE))
    path = tmp_path / "dictionary"
    path.write_bytes(page)
    algorithm = pyzram.Algorithm("zstd", dictionary=path)
    packed = pyzram.compress_page(page, algorithm)
    assert packed == pyzram.compress_page(page, "zstd", dictionary=path.read_bytes())
    assert len(packed) < len(pyzram.compress_page(page, "zstd")) / 4
    assert pyzram.decompress_page(packed, str(algorithm), page_size=PAGE) == page
    path.unlink()
    with pytest.raises(pyzram.NotFoundError, match="dictionary"):
        pyzram.compress_page(page, algorithm)


@pytest.mark.parametrize(
    ("what", "code"),
    [
        ("pipe", errno.EINVAL),
        ("endless", errno.EINVAL),
        ("folder", errno.EISDIR),
        ("huge", errno.EFBIG),
    ],
)
def test_what_is_no_dictionary_is_refused_at_once(tmp_path, what, code):
    path = tmp_path / "dictionary"
    if what == "pipe":
        os.mkfifo(path)
    elif what == "endless":
        path.symlink_to("/dev/zero")
    elif what == "folder":
        path.mkdir()
    else:
        with path.open("wb") as file:
            file.truncate(1 << 40)
    ask = f"import pyzram; pyzram.compress_page(bytes({PAGE}), 'zstd(dict={path})')"
    words = ["prlimit", f"--as={1 << 30}", sys.executable, "-Ic", ask]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=20)
    said = done.stderr.rstrip().split("\n")[-1]
    wanted = "file smaller than 2 GiB" if what == "huge" else "regular file"
    assert f"dictionary {path}: {os.strerror(code)} (give a {wanted})" in said
