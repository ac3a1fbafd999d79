# SPDX-License-Identifier: MIT
"""Where pages come from: files, streams, processes, the whole system, and what of it is cold."""
