# SPDX-License-Identifier: MIT
"""Toolkit for zram, Linux's compressed RAM block device.

The names in ``__all__`` are public, as RELEASING.md promises; everything else may change. Names are
loaded when they are first used, so that ``import pyzram`` costs next to nothing.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ._version import __version__ as __version__
    from .algorithm import Algorithm as Algorithm
    from .config.config import Config as Config
    from .config.config import ConfigError as ConfigError
    from .config.device_config import DeviceConfig as DeviceConfig
    from .device.block_state import SLOT_FLAGS as SLOT_FLAGS
    from .device.block_state import BlockState as BlockState
    from .device.block_state import Slot as Slot
    from .device.block_state import slots as slots
    from .device.device_list import DeviceList as DeviceList
    from .device.device_list import devices as devices
    from .device.features import Features as Features
    from .device.features import features as features
    from .device.pool_classes import PoolClass as PoolClass
    from .device.stat_files import BdStat as BdStat
    from .device.stat_files import BlockStat as BlockStat
    from .device.stat_files import DebugStat as DebugStat
    from .device.stat_files import IoStat as IoStat
    from .device.stat_files import MmStat as MmStat
    from .device.stats import Stats as Stats
    from .device.stats import StatsChange as StatsChange
    from .device.zram import Zram as Zram
    from .doctor.checks import diagnose as diagnose
    from .doctor.finding import Finding as Finding
    from .errors import AccessError as AccessError
    from .errors import BlockedError as BlockedError
    from .errors import DeviceBusyError as DeviceBusyError
    from .errors import DeviceNotFoundError as DeviceNotFoundError
    from .errors import InvalidTypeError as InvalidTypeError
    from .errors import InvalidValueError as InvalidValueError
    from .errors import NotFoundError as NotFoundError
    from .errors import NotZramError as NotZramError
    from .errors import OverwriteError as OverwriteError
    from .errors import ProcessNotFoundError as ProcessNotFoundError
    from .errors import UnsupportedError as UnsupportedError
    from .errors import ZramError as ZramError
    from .errors import ZramOSError as ZramOSError
    from .kernel.parse import SwapArea as SwapArea
    from .kernel.sysfs import Sysfs as Sysfs
    from .pages.api import bench as bench
    from .pages.api import estimate as estimate
    from .pages.api import recommend as recommend
    from .pages.codec.codec import algorithms as algorithms
    from .pages.codec.codec import analyse as analyse
    from .pages.codec.codec import compress_page as compress_page
    from .pages.codec.codec import compressed_sizes as compressed_sizes
    from .pages.codec.codec import decompress_page as decompress_page
    from .pages.estimate.benchmark import BenchResult as BenchResult
    from .pages.estimate.estimate import AlgorithmEstimate as AlgorithmEstimate
    from .pages.estimate.estimate import Estimate as Estimate
    from .pages.estimate.estimate import PartEstimate as PartEstimate
    from .pages.estimate.estimator import estimate_pages as estimate_pages
    from .pages.estimate.recommend import Recommendation as Recommendation
    from .pages.estimate.sampling import Interval as Interval
    from .pages.pool.chain import Chain as Chain
    from .pages.pool.zsmalloc import PoolModel as PoolModel
    from .pages.pool.zsmalloc import PoolStats as PoolStats
    from .pages.pool.zsmalloc import SizeClass as SizeClass
    from .pages.process.owner import Owner as Owner
    from .pages.source.file_sources import open_files as open_files
    from .pages.source.file_sources import open_stream as open_stream
    from .pages.source.process_sources import open_processes as open_processes
    from .pages.source.process_sources import open_system as open_system
    from .pages.source.sources import Source as Source
    from .pages.source.sources import Stream as Stream
    from .postprocess.bounded_steps import PostprocessResult as PostprocessResult
    from .postprocess.recompression import recompress_pages as recompress_pages
    from .postprocess.writeback import writeback_pages as writeback_pages
    from .postprocess.writeback import writeback_ranges as writeback_ranges
    from .service.diff import Difference as Difference
    from .service.executor import StepError as StepError
    from .service.executor import StepFailure as StepFailure
    from .service.obstacles import Obstacle as Obstacle
    from .service.plan import LeftOut as LeftOut
    from .service.plan import Plan as Plan
    from .service.plan import Step as Step
    from .service.service import RefusedError as RefusedError
    from .service.service import Service as Service
    from .units import format_size as format_size
    from .units import parse_size as parse_size

# From each public name to the module that defines it.
_DEFINED_IN = {
    "ProcessNotFoundError": "errors",
    "InvalidTypeError": "errors",
    "PoolClass": "device.pool_classes",
    "Slot": "device.block_state",
    "__version__": "_version",
    "Algorithm": "algorithm",
    "Config": "config.config",
    "DeviceConfig": "config.device_config",
    "ConfigError": "config.config",
    "SLOT_FLAGS": "device.block_state",
    "BlockState": "device.block_state",
    "slots": "device.block_state",
    "Features": "device.features",
    "features": "device.features",
    "BdStat": "device.stat_files",
    "BlockStat": "device.stat_files",
    "DebugStat": "device.stat_files",
    "IoStat": "device.stat_files",
    "MmStat": "device.stat_files",
    "Stats": "device.stats",
    "StatsChange": "device.stats",
    "DeviceList": "device.device_list",
    "Zram": "device.zram",
    "devices": "device.device_list",
    "Finding": "doctor.finding",
    "diagnose": "doctor.checks",
    "AccessError": "errors",
    "BlockedError": "errors",
    "DeviceBusyError": "errors",
    "DeviceNotFoundError": "errors",
    "InvalidValueError": "errors",
    "NotFoundError": "errors",
    "NotZramError": "errors",
    "OverwriteError": "errors",
    "UnsupportedError": "errors",
    "ZramError": "errors",
    "ZramOSError": "errors",
    "SwapArea": "kernel.parse",
    "Sysfs": "kernel.sysfs",
    "BenchResult": "pages.estimate.benchmark",
    "algorithms": "pages.codec.codec",
    "analyse": "pages.codec.codec",
    "compress_page": "pages.codec.codec",
    "compressed_sizes": "pages.codec.codec",
    "decompress_page": "pages.codec.codec",
    "AlgorithmEstimate": "pages.estimate.estimate",
    "Estimate": "pages.estimate.estimate",
    "PartEstimate": "pages.estimate.estimate",
    "Recommendation": "pages.estimate.recommend",
    "estimate_pages": "pages.estimate.estimator",
    "bench": "pages.api",
    "estimate": "pages.api",
    "recommend": "pages.api",
    "Interval": "pages.estimate.sampling",
    "Owner": "pages.process.owner",
    "Source": "pages.source.sources",
    "Stream": "pages.source.sources",
    "open_files": "pages.source.file_sources",
    "open_processes": "pages.source.process_sources",
    "open_stream": "pages.source.file_sources",
    "open_system": "pages.source.process_sources",
    "Chain": "pages.pool.chain",
    "PoolModel": "pages.pool.zsmalloc",
    "SizeClass": "pages.pool.zsmalloc",
    "PoolStats": "pages.pool.zsmalloc",
    "PostprocessResult": "postprocess.bounded_steps",
    "recompress_pages": "postprocess.recompression",
    "writeback_pages": "postprocess.writeback",
    "writeback_ranges": "postprocess.writeback",
    "Difference": "service.diff",
    "Obstacle": "service.obstacles",
    "LeftOut": "service.plan",
    "Plan": "service.plan",
    "Step": "service.plan",
    "RefusedError": "service.service",
    "Service": "service.service",
    "StepError": "service.executor",
    "StepFailure": "service.executor",
    "format_size": "units",
    "parse_size": "units",
}

# Type checkers want to see every name here.
__all__ = [
    "ProcessNotFoundError",
    "InvalidTypeError",
    "PoolClass",
    "Slot",
    "__version__",
    "Algorithm",
    "Config",
    "DeviceConfig",
    "ConfigError",
    "SLOT_FLAGS",
    "BlockState",
    "slots",
    "Features",
    "features",
    "BdStat",
    "BlockStat",
    "DebugStat",
    "IoStat",
    "MmStat",
    "Stats",
    "StatsChange",
    "DeviceList",
    "Zram",
    "devices",
    "Finding",
    "diagnose",
    "AccessError",
    "BlockedError",
    "DeviceBusyError",
    "DeviceNotFoundError",
    "InvalidValueError",
    "NotFoundError",
    "NotZramError",
    "OverwriteError",
    "UnsupportedError",
    "ZramError",
    "ZramOSError",
    "SwapArea",
    "Sysfs",
    "BenchResult",
    "algorithms",
    "analyse",
    "compress_page",
    "compressed_sizes",
    "decompress_page",
    "AlgorithmEstimate",
    "Estimate",
    "PartEstimate",
    "Recommendation",
    "estimate_pages",
    "bench",
    "estimate",
    "recommend",
    "Interval",
    "Owner",
    "Source",
    "Stream",
    "open_files",
    "open_processes",
    "open_stream",
    "open_system",
    "Chain",
    "PoolModel",
    "SizeClass",
    "PoolStats",
    "PostprocessResult",
    "recompress_pages",
    "writeback_pages",
    "writeback_ranges",
    "Difference",
    "Obstacle",
    "LeftOut",
    "Plan",
    "Step",
    "RefusedError",
    "Service",
    "StepError",
    "StepFailure",
    "format_size",
    "parse_size",
]

if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        home = _DEFINED_IN.get(name)
        if home is None:  # every "from .. import MODULE" asks here first, so this must be cheap
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        value = getattr(import_module(f"{__name__}.{home}"), name)
        if callable(value):
            from .hints import resolvable

            resolvable(value)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
