# SPDX-License-Identifier: MIT
"""The stub of the extension says what the extension has."""

import ast
import ctypes
from importlib.resources import files

from pyzram import _pyzram
from pyzram._pyzram import ffi, lib


def stub():
    tree = ast.parse((files("pyzram") / "_pyzram.pyi").read_text(encoding="utf-8"))
    (body,) = (n.body for n in tree.body if isinstance(n, ast.ClassDef) and n.name == "_Lib")
    return body


def test_names_are_those_of_the_extension():
    names = [n.target.id for n in stub() if isinstance(n, ast.AnnAssign)]
    names += [n.name for n in stub() if isinstance(n, ast.FunctionDef)]
    assert sorted(names) == sorted(name for name in dir(lib) if not name.startswith("__"))


def test_arguments_are_those_of_the_extension():
    def real(name):
        return len(ffi.typeof(getattr(lib, name)).args)

    functions = [n for n in stub() if isinstance(n, ast.FunctionDef)]
    written = {n.name: len(n.args.posonlyargs) - 1 for n in functions}
    assert written == {name: real(name) for name in written}


def test_functions_of_c_are_seen_by_nobody_else():
    names = {*dir(lib), "pyzram_codec_lz4", "pyzram_frames_open", "pyzram_seen_before"}
    library = ctypes.PyDLL(_pyzram.__file__)
    assert hasattr(library, "PyInit__pyzram")
    assert [name for name in names if hasattr(library, name)] == []
