# SPDX-License-Identifier: MIT
"""The kernel ring of this very build, on every kernel of the list."""

import pytest

pytestmark = pytest.mark.long


def test_the_kernel_ring_passes(kernel, rings):
    print(rings[kernel.name].result())
