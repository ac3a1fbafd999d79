# SPDX-License-Identifier: MIT
"""Whatever this machine lacks is a skip with the reason; a failure with PYZRAM_REQUIRE_VM=1."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from vm.archive import UnavailableError, kernel_image
from vm.guest import Guest
from vm.kernels import KERNELS, Kernel
from vm.module import rebuilt_modules
from vm.ring import PART, WHOLE, compile_tests, run_ring


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--kernel", help="only this kernel of the matrix: 6.12 or vm-6.12")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "kernel" in metafunc.fixturenames:
        only = metafunc.config.getoption("--kernel", default=None)
        chosen = [k for k in KERNELS if only in (None, k.name, f"vm-{k.name}")]
        if not chosen:
            raise pytest.UsageError(f"no kernel {only}: {' '.join(k.name for k in KERNELS)}")
        parts = metafunc.definition.get_closest_marker("part")
        if parts:
            chosen = [k for k in chosen if k.name in parts.args]
        metafunc.parametrize("kernel", chosen, ids=lambda kernel: kernel.name)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that wait for the rings come last, so that the others run meanwhile."""
    items.sort(key=lambda item: kernel_of(item) is not None)


def kernel_of(item: pytest.Item) -> Kernel | None:
    return item.callspec.params.get("kernel") if hasattr(item, "callspec") else None


@pytest.fixture(scope="session", autouse=True)
def rings(request: pytest.FixtureRequest) -> Iterator[dict[str, Future[str]]]:
    """The runs of all chosen kernels, one for each processor at a time.

    Complete if that is asked for, otherwise the part that ``make check`` has time for.
    """
    chosen: dict[Kernel, tuple[str, ...]] = {}
    for item in request.session.items:
        kernel = kernel_of(item)
        if kernel and chosen.get(kernel) != WHOLE:
            chosen[kernel] = PART if item.get_closest_marker("part") else WHOLE
    runs: dict[str, Future[str]] = {}
    if chosen:
        compile_tests()
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        # Those at the end of the list have the most to test, so they must not run last and alone.
        for kernel, tests in reversed(chosen.items()):
            try:
                # One after the other, because kernels share what is fetched.
                image = kernel_image(kernel) if kernel.suites else None
                modules = rebuilt_modules(kernel, image) if image and kernel.rebuilt else ()
            except UnavailableError as err:
                runs[kernel.name] = Future()
                runs[kernel.name].set_exception(err)
            else:
                runs[kernel.name] = pool.submit(run_ring, kernel, image, modules, tests)
        yield runs
        Guest.cut_all()
        pool.shutdown(cancel_futures=True)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item):
    try:
        return (yield)
    except UnavailableError as err:
        if os.environ.get("PYZRAM_REQUIRE_VM") == "1":
            raise
        pytest.skip(str(err))
