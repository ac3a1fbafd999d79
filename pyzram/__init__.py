# SPDX-License-Identifier: MIT
"""Toolkit for zram, Linux's compressed RAM block device.

Names are loaded when they are first used, so that ``import pyzram`` costs next to nothing.
"""

from ._version import __version__

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .capability import Capabilities, capabilities
    from .compression import Algorithm
    from .device import Zram, devices
    from .errors import (
        AccessError,
        BlockedError,
        DeviceBusyError,
        DeviceNotFoundError,
        InvalidValueError,
        NotZramError,
        OverwriteError,
        UnsupportedError,
        ZramError,
        ZramOSError,
    )
    from .estimate import Estimate, estimate_pages
    from .pages import (
        algorithms,
        analyse,
        compress_page,
        decompress_page,
        page_sizes,
    )
    from .parse import SwapArea
    from .recompression import recompress_pages
    from .run import Run
    from .stats import BdStat, BlockStat, DebugStat, IoStat, MmStat, Stats
    from .store import PageStore, StoreFigures
    from .sysfs import Sysfs
    from .units import format_size, parse_size
    from .writeback import write_back, write_back_pages

# Public name to the module that defines it.
_HOME = {
    "Zram": "device",
    "devices": "device",
    "Algorithm": "compression",
    "Capabilities": "capability",
    "capabilities": "capability",
    "BdStat": "stats",
    "BlockStat": "stats",
    "DebugStat": "stats",
    "IoStat": "stats",
    "MmStat": "stats",
    "Stats": "stats",
    "SwapArea": "parse",
    "Sysfs": "sysfs",
    "AccessError": "errors",
    "BlockedError": "errors",
    "DeviceBusyError": "errors",
    "DeviceNotFoundError": "errors",
    "InvalidValueError": "errors",
    "NotZramError": "errors",
    "OverwriteError": "errors",
    "UnsupportedError": "errors",
    "ZramError": "errors",
    "ZramOSError": "errors",
    "Estimate": "estimate",
    "estimate_pages": "estimate",
    "PageStore": "store",
    "StoreFigures": "store",
    "algorithms": "pages",
    "analyse": "pages",
    "compress_page": "pages",
    "decompress_page": "pages",
    "page_sizes": "pages",
    "Run": "run",
    "recompress_pages": "recompression",
    "write_back": "writeback",
    "write_back_pages": "writeback",
    "format_size": "units",
    "parse_size": "units",
}

__all__ = ["__version__", *_HOME]


def __getattr__(name: str) -> object:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
