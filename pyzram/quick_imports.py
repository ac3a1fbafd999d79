# SPDX-License-Identifier: MIT
"""Load this package's modules with fewer questions to the file system.

A start loads fifty modules, and for each of them Python's finder and loader look at its folder,
its source and its bytecode again and again, which takes a sixth of the time of all imports. Here a
module comes straight from the bytecode that Python has stored, after Python's own check: it must be
of this interpreter, and made from a source of that time and size. Everything else (no bytecode yet,
another kind of it, a copy of what was made elsewhere, the extension) is left to Python.
"""

from __future__ import annotations

import os
import sys

# importlib.machinery and importlib.util, where these are public, would take longer than they save.
from _frozen_importlib import ModuleSpec
from _frozen_importlib_external import MAGIC_NUMBER, SourceFileLoader
from marshal import loads

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import CodeType, ModuleType

# Before the code there are the magic number, what kind of check there is (0: this one), and the
# time and size of the source (importlib's _bootstrap_external.py).
HEADER = 16
BY_TIME = bytes(4)


class QuickLoader(SourceFileLoader):
    """The loader of a module whose code has been read."""

    def __init__(self, name: str, source: str, code: CodeType) -> None:
        super().__init__(name, source)
        self._code = code

    def get_code(self, _name: str) -> CodeType:
        """Return the code."""
        return self._code


class QuickFinder:
    """Finds modules of this package; the names of their bytecode end in ``ending``."""

    def __init__(self, ending: str) -> None:
        self._ending = ending

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, _target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Return how a module is loaded; ``None`` leaves it to the next finder."""
        if path is None or not name.startswith(f"{__package__}."):
            return None
        folder, stem = path[0], name.rpartition(".")[2]
        if spec := self._find(name, folder, stem):
            return spec
        folder = f"{folder}/{stem}"
        if spec := self._find(name, folder, "__init__"):
            spec.submodule_search_locations = [folder]
        return spec

    def _find(self, name: str, folder: str, stem: str) -> ModuleSpec | None:
        source = f"{folder}/{stem}.py"
        cached = f"{folder}/__pycache__/{stem}{self._ending}"
        try:
            file = os.open(cached, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            data = os.read(file, os.fstat(file).st_size)
            status = os.stat(source)
        except OSError:
            return None
        finally:
            os.close(file)
        made_from = _low(int(status.st_mtime)) + _low(status.st_size)
        if data[:HEADER] != MAGIC_NUMBER + BY_TIME + made_from:
            return None
        code = loads(memoryview(data)[HEADER:])
        # Made elsewhere: Python corrects the names of the source, which tracebacks show.
        if code.co_filename != source:
            return None
        spec = ModuleSpec(name, QuickLoader(name, source, code), origin=source)
        spec.has_location = True
        spec.cached = cached
        return spec


def _low(number: int) -> bytes:
    return (number & 0xFFFFFFFF).to_bytes(4, "little")


def install() -> None:
    """Find the package's modules in this way, if the bytecode of this one is beside it."""
    folder, name = os.path.split(__spec__.cached or "")
    # With -O the ending is another one; with a prefix for bytecode, the folder is.
    if folder == f"{os.path.dirname(__file__)}/__pycache__":
        sys.meta_path.insert(0, QuickFinder(name.removeprefix("quick_imports")))
