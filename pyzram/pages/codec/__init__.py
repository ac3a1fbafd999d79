# SPDX-License-Identifier: MIT
"""What zram makes of a page: its length under an algorithm and its parameters."""
