# SPDX-License-Identifier: MIT
"""Pictures of estimates and benchmarks."""
