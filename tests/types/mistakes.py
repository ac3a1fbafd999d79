# SPDX-License-Identifier: MIT
"""Mistakes of users: ``make typed`` fails if mypy or pyright is silent about a marked line.

It also fails if one complains about another line. Nothing here is ever run.
"""

from __future__ import annotations

import pyzram
from pyzram import devises  # mistake: a name that does not exist


def of_a_device(device: pyzram.Zram) -> None:
    device.writeback("idle")
    device.writeback("idel")  # mistake: an unknown word
    device.writeback(page_indexes=(1, 2, 3))  # mistake: a range is two numbers
    device.writeback()  # mistake: nothing to write is named
    device.writeback("idle", page_index=1)  # mistake: two things to write are named
    device.recompress("huge_idle", threshold=3000)
    device.recompress("incompressible")  # mistake: a word of writeback
    device.swapon(discard="pages")
    device.swapon(discard="all")  # mistake: an unknown word
    device.swapon(1)  # mistake: priority is passed by name
    device.configure(disksize="1.5G", algorithm=["zstd:3", pyzram.Algorithm("lz4")])
    device.configure(disksize=1.5)  # mistake: a size is bytes or text
    device.configure(disksize="1G", algoritm="lz4")  # mistake: the name of a parameter
    device.number = 0  # mistake: a handle belongs to one device
    device.sysfs = pyzram.Sysfs("/x")  # mistake: and of one tree
    device.sysfs.root = "/x"  # mistake: and that is a value
    device.read_mmstat()  # mistake: the name of a method
    device.mkfs("ext4", options=["-O", "^has_journal"])
    device._write_verified("disksize", "1")  # mistake: not public, and more is missing


def of_snapshots(device: pyzram.Zram) -> None:
    stats = device.stats()
    print(stats.mm_stat.orig_data_size + 1, stats.diskseq + 1, stats.disksize // 2)
    print(stats.mm_stat.orig_data_sise)  # mistake: the name of a figure
    stats.disksize = 0  # mistake: frozen
    print(stats.bd_stat.bd_count)  # mistake: None if the kernel has no writeback
    if stats.bd_stat is not None:
        print(stats.bd_stat.bd_count + 1)
    print(stats.mm_stat.compression_ratio + 1)  # mistake: None for an empty device
    change: pyzram.StatsChange = stats - stats
    print(change.rate(change.stat.write_ios) + 1.0)
    print(stats + stats)  # mistake: there is no sum of two


def of_a_service(service: pyzram.Service) -> None:
    service.plan("reload").apply()
    service.plan("restart")  # mistake: an unknown goal
    service.path = "/etc/zram"  # mistake: a service belongs to one file
    service.plan("stop").steps = []  # mistake: a plan does what was shown
    service.plan("stop").steps.append("x")  # mistake: a plan is frozen
    service.plan("stop").steps[0].text = "x"  # mistake: and so are its steps
    given = pyzram.DeviceConfig(0, 1 << 20, discard="both").replace(priority=5, mount_point="/x")
    given.replace(priorty=5)  # mistake: the name of a setting
    given.replace(priority="5")  # mistake: a number
    pyzram.DeviceConfig(0, 1 << 20, ["lz4"])  # mistake: settings are given by name
    pyzram.Algorithm("zstd", 3)  # mistake: and so are parameters
    pyzram.DeviceConfig(0, 1 << 20, discard="yes")  # mistake: a word of the file's
    pyzram.Difference(0, "zram0", "disksize", 1, 2, "reboot")  # mistake: an unknown word
    for change in service.plan("start").changes:
        if change.needs == "live":
            print(change.index + 1)


def of_pages(source: pyzram.Source) -> None:
    pyzram.estimate_pages(source, "zstd:9", seed=1)
    source.closed = True  # mistake: close() closes
    source.page_size = 65536  # mistake: it is set when the source is opened
    pyzram.estimate_pages("/etc/passwd")  # mistake: it was not opened
    pyzram.estimate()  # mistake: no source is named
    pyzram.estimate(pids=1, files="core")  # mistake: two sources are named
    pyzram.bench(system=False)  # mistake: no source is named
    pyzram.estimate(pids="12")  # mistake: numbers
    pyzram.estimate(file="core")  # mistake: the name of a parameter
    pyzram.open_processes([1, 2]).close()
    pyzram.open_processes("12")  # mistake: numbers
    found = pyzram.estimate(files=["core"])
    print(found.algorithms["lz4"].compression_ratio.mean + 1, found.skipped["x"] + 1)
    print(found.algorithms["lz4"].ratio)  # mistake: the name of a figure
    found.algorithms["lz4"] = found.algorithms["zstd"]  # mistake: frozen
    print(pyzram.recommend(found).algorithm)  # mistake: None without pages
    print(devises, pyzram.Zran)  # mistake: a name that does not exist
    pyzram.compress_page("text", "lz4")  # mistake: pages are bytes
