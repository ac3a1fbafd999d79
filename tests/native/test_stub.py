# SPDX-License-Identifier: MIT
"""The stubs of the extensions say what the extensions have."""

import ast
import ctypes
from importlib.resources import files

import pytest

from pyzram import _device, _pages

both = pytest.mark.parametrize("extension", [_device, _pages], ids=lambda each: each.__name__)


def stub(extension):
    name = extension.__name__.removeprefix("pyzram.")
    tree = ast.parse((files("pyzram") / f"{name}.pyi").read_text(encoding="utf-8"))
    (body,) = (n.body for n in tree.body if isinstance(n, ast.ClassDef) and n.name == "_Lib")
    return body


@both
def test_names_are_those_of_the_extension(extension):
    body = stub(extension)
    names = [n.target.id for n in body if isinstance(n, ast.AnnAssign)]
    names += [n.name for n in body if isinstance(n, ast.FunctionDef)]
    assert sorted(names) == sorted(name for name in dir(extension.lib) if name[:2] != "__")


@both
def test_arguments_are_those_of_the_extension(extension):
    def real(name):
        return len(extension.ffi.typeof(getattr(extension.lib, name)).args)

    functions = [n for n in stub(extension) if isinstance(n, ast.FunctionDef)]
    written = {n.name: len(n.args.posonlyargs) - 1 for n in functions}
    assert written == {name: real(name) for name in written}


@both
def test_functions_of_c_are_seen_by_nobody_else(extension):
    names = {*dir(extension.lib), "pyzram_codec_lz4", "pyzram_frames_open", "pyzram_seen_before"}
    library = ctypes.PyDLL(extension.__file__)
    assert hasattr(library, f"PyInit_{extension.__name__.removeprefix('pyzram.')}")
    assert [name for name in names if hasattr(library, name)] == []


def test_nothing_is_in_both():
    names = {*dir(_device.lib)} & {*dir(_pages.lib)}
    assert [name for name in names if not name.startswith("__")] == []
