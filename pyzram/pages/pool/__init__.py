# SPDX-License-Identifier: MIT
"""The memory of one device, modelled: how zsmalloc packs compressed pages."""
