# SPDX-License-Identifier: MIT
"""The benchmarks' C code builds from this tree and does what it is measured for."""

import ctypes
import importlib.util
import shutil
import sys
from pathlib import Path

import pytest
import vectors

import pyzram

ROOT = Path(__file__).resolve().parents[2]

pytestmark = [
    pytest.mark.skipif(not shutil.which("cc"), reason="needs a C compiler, cc"),
    pytest.mark.skipif(not shutil.which("pkg-config"), reason="needs pkg-config"),
]


def bench(name, monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "bench"))
    spec = importlib.util.spec_from_file_location(f"bench_{name}", ROOT / f"bench/{name}.py")
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    return module


def test_codec_speed_builds_all_codecs(tmp_path, monkeypatch):
    library = bench("codec_speed", monkeypatch).build(ROOT / "csrc", tmp_path / "a.so", ["-O0"])
    name = ctypes.CDLL(str(library)).pyzram_codec_name
    name.restype = ctypes.c_char_p
    assert tuple(name(i).decode() for i in range(len(pyzram.algorithms()))) == pyzram.algorithms()


def test_plain_loops_come_to_the_same(monkeypatch):
    monkeypatch.setattr("sysconfig.get_config_var", lambda name: "-O0")
    library = bench("pages", monkeypatch).plain_library()
    pages = b"".join(vectors.page(name) for name in ("words/50", "half/70"))
    for algorithm in ("lz4", "zstd", "842"):
        ours = sum(pyzram.compressed_sizes(pages, algorithm, page_size=4096))
        assert library.plain_loop(algorithm.encode(), pages, 2) == ours
    assert library.same_loop(pages + bytes(4096), 3) == library.zero_loop(bytes(4096), 1) == 1
