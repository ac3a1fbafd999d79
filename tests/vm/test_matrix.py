# SPDX-License-Identifier: MIT
"""The kernel ring of this very build on every kernel of the list, and part of it on both ends."""

import pytest


@pytest.mark.long
def test_the_kernel_ring_passes(kernel, rings):
    print(rings[kernel.name].result())


@pytest.mark.part("6.1", "7.x-multi")
def test_a_part_of_the_kernel_ring_passes(kernel, rings):
    print(rings[kernel.name].result())
