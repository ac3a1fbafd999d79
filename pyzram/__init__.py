# SPDX-License-Identifier: MIT
"""Toolkit for zram, Linux's compressed RAM block device.

Names are loaded when they are first used, so that ``import pyzram`` costs next to nothing.
"""

from ._version import __version__

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .algorithm import Algorithm
    from .device.features import Features, features
    from .device.stats import BdStat, BlockStat, DebugStat, IoStat, MmStat, Stats
    from .device.zram import Zram, devices
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
    from .kernel.parse import SwapArea
    from .kernel.sysfs import Sysfs
    from .pages.codec import (
        algorithms,
        analyse,
        compress_page,
        decompress_page,
        page_sizes,
    )
    from .pages.estimate import Estimate, estimate_pages
    from .pages.zsmalloc import PoolModel, PoolStats
    from .postprocess.bounded_steps import PostprocessResult
    from .postprocess.recompression import recompress_pages
    from .postprocess.writeback import write_back, write_back_pages
    from .units import format_size, parse_size

# Public name to the module that defines it.
_HOME = {
    "Zram": "device.zram",
    "devices": "device.zram",
    "Algorithm": "algorithm",
    "Features": "device.features",
    "features": "device.features",
    "BdStat": "device.stats",
    "BlockStat": "device.stats",
    "DebugStat": "device.stats",
    "IoStat": "device.stats",
    "MmStat": "device.stats",
    "Stats": "device.stats",
    "SwapArea": "kernel.parse",
    "Sysfs": "kernel.sysfs",
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
    "Estimate": "pages.estimate",
    "estimate_pages": "pages.estimate",
    "PoolModel": "pages.zsmalloc",
    "PoolStats": "pages.zsmalloc",
    "algorithms": "pages.codec",
    "analyse": "pages.codec",
    "compress_page": "pages.codec",
    "decompress_page": "pages.codec",
    "page_sizes": "pages.codec",
    "PostprocessResult": "postprocess.bounded_steps",
    "recompress_pages": "postprocess.recompression",
    "write_back": "postprocess.writeback",
    "write_back_pages": "postprocess.writeback",
    "format_size": "units",
    "parse_size": "units",
}

# What scripts written before 1.0 call some of them.
_FORMER = {
    "Capabilities": "Features",
    "PageStore": "PoolModel",
    "Run": "PostprocessResult",
    "StoreFigures": "PoolStats",
    "capabilities": "features",
}

__all__ = ["__version__", *_HOME]


def __getattr__(name: str) -> object:
    name = _FORMER.get(name, name)
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(f"{__name__}.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
