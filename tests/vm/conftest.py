# SPDX-License-Identifier: MIT
"""What this machine cannot have is a skip with the reason; a failure with PYZRAM_REQUIRE_VM=1."""

from __future__ import annotations

import os

import pytest
from vm.archive import UnavailableError
from vm.kernels import KERNELS


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--kernel", help="only this kernel of the matrix: 6.12 or vm-6.12")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "kernel" in metafunc.fixturenames:
        only = metafunc.config.getoption("--kernel", default=None)
        chosen = [k for k in KERNELS if only in (None, k.name, f"vm-{k.name}")]
        if not chosen:
            raise pytest.UsageError(f"no kernel {only}: {' '.join(k.name for k in KERNELS)}")
        metafunc.parametrize("kernel", chosen, ids=lambda kernel: kernel.name)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item):
    try:
        return (yield)
    except UnavailableError as err:
        if os.environ.get("PYZRAM_REQUIRE_VM") == "1":
            raise
        pytest.skip(str(err))
