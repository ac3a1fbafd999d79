# SPDX-License-Identifier: MIT
"""What zram makes of a page under an algorithm. The algorithms themselves are in csrc/codec/."""
