# SPDX-License-Identifier: MIT
"""The list of kernels drives everything that names them."""

from __future__ import annotations

import configparser
from pathlib import Path

from vm.kernels import KERNELS, support_table

TREE = Path(__file__).resolve().parents[3]


def test_the_documented_support_table_is_the_list_of_kernels():
    assert support_table() in (TREE / "CONTRIBUTING.md").read_text()


def test_tox_has_an_environment_for_each_kernel():
    tox = configparser.ConfigParser()
    tox.read(TREE / "tox.ini")
    names = ",".join(kernel.name for kernel in KERNELS)
    assert f"testenv:vm-{{{names}}}" in tox.sections()
