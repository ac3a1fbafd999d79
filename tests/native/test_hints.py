# SPDX-License-Identifier: MIT
"""``typing.get_type_hints`` finds the types of everything public, at no cost for commands."""

from __future__ import annotations

import collections.abc
import inspect
import pickle
import subprocess
import sys
import threading
import typing

import pytest

import pyzram
from pyzram import hints
from pyzram.hints import Hints, as_written


def public() -> dict[str, typing.Any]:
    """Public classes and functions, and the methods and properties of the classes."""
    found: dict[str, typing.Any] = {}
    for name in pyzram.__all__:
        value = getattr(pyzram, name)
        if not callable(value):
            continue
        found[name] = value
        for base in value.__mro__ if inspect.isclass(value) else ():
            if not base.__module__.startswith("pyzram"):
                continue
            for attribute, member in vars(base).items():
                function = getattr(member, "fget", getattr(member, "__func__", member))
                if inspect.isfunction(function) and not attribute.startswith("_"):
                    found.setdefault(f"{name}.{attribute}", function)
            if "__init__" in vars(base):
                found.setdefault(f"{name}.__init__", base.__init__)
    return found


def texts_within(hint: object) -> bool:
    """Whether a part of a type is still text."""
    if isinstance(hint, (str, typing.ForwardRef)):
        return typing.get_origin(hint) is not typing.Literal
    if typing.get_origin(hint) is typing.Literal:
        return False
    return any(map(texts_within, typing.get_args(hint)))


@pytest.mark.parametrize("name", public())
def test_every_public_annotation_is_a_type(name):
    value = public()[name]
    found = typing.get_type_hints(value)
    assert not [key for key, hint in found.items() if texts_within(hint)]
    if not inspect.isclass(value):
        assert set(found) == set(as_written(value))
        given = inspect.signature(value).parameters
        assert {key for key in given if key != "self"} - {"cls"} <= set(found)


def test_the_types_are_those_that_the_words_mean():
    hints = typing.get_type_hints(pyzram.Zram.swapon)
    assert hints["priority"] is int
    assert hints["discard"] == typing.Literal["once", "pages", "both"] | None
    assert typing.get_type_hints(pyzram.Stats)["swap"] == pyzram.SwapArea | None
    assert typing.get_type_hints(pyzram.slots)["return"] == collections.abc.Iterator[pyzram.Slot]
    assert typing.get_type_hints(pyzram.estimate)["return"] is pyzram.Estimate
    assert as_written(pyzram.Zram.swapon)["discard"] == "Discard | None"


def test_a_dictionary_of_hints_is_one_however_it_is_asked():
    texts = {"a": "int", "b": "Nowhere", "c": "dict[str, int]"}
    right = {"a": int, "b": "Nowhere", "c": dict[str, int]}
    asks = {
        "dict": dict,
        "items": lambda hints: dict(hints.items()),
        "keys": lambda hints: {key: hints[key] for key in hints.keys()},  # noqa: SIM118
        "get": lambda hints: {key: hints.get(key) for key in texts},
        "index": lambda hints: {key: hints[key] for key in texts},
        "values": lambda hints: dict(zip(texts, hints.values(), strict=True)),
        "copy": lambda hints: hints.copy(),
        "stars": lambda hints: {**hints},
        "itself": lambda hints: hints,
    }
    for name, ask in asks.items():
        assert ask(Hints(texts, "pyzram.value")) == right, name


def test_a_thread_that_looks_meanwhile_finds_types_too(monkeypatch):
    found, real = [], hints._names_of
    looked_at = Hints({"a": "int"}, "pyzram.value")
    second = threading.Thread(target=lambda: found.append(looked_at["a"]), daemon=True)

    def names_of(module):
        second.start()
        second.join(0.2)  # it ends only if it does not wait for us
        return real(module)

    monkeypatch.setattr(hints, "_names_of", names_of)
    assert looked_at["a"] is int
    second.join(60)
    assert found == [int]


def test_values_are_still_pickled_and_read_back():
    value = pyzram.Algorithm("zstd", level=3)
    typing.get_type_hints(pyzram.Algorithm.from_dict)
    assert pickle.loads(pickle.dumps(value)) == value
    assert pyzram.Algorithm.from_dict(value.as_dict()) == value
    with pytest.raises(pyzram.InvalidValueError, match="level 'x': not int"):
        pyzram.Algorithm.from_dict({**value.as_dict(), "level": "x"})


def loaded(program: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-I", "-c", f"import sys; {program}; print(*sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())


def test_nothing_is_loaded_for_it_before_somebody_asks():
    slow = {"typing", "ast", "inspect", "dataclasses"}
    bare = loaded("pass")
    names = loaded("import pyzram; pyzram.Zram, pyzram.devices, pyzram.Service, pyzram.Config")
    assert "pyzram.hints" in names
    assert not (names - bare) & slow
    asked = loaded("import pyzram, typing; typing.get_type_hints(pyzram.Zram.stats)")
    assert {"pyzram.device.stats", "ast"} <= asked
