# SPDX-License-Identifier: MIT
"""Pages sampled, compressed and counted: estimates, benchmarks, and what they mean."""
