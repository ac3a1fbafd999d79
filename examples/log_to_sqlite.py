# SPDX-License-Identifier: MIT
"""Append the figures of every device to a database; run it every hour from cron.

Usage: log_to_sqlite.py DATABASE
"""

from __future__ import annotations

import json
import sqlite3
import sys
from contextlib import closing

import pyzram


def main(database: str) -> int:
    """Append a row for each device, and say how many rows there are."""
    with closing(sqlite3.connect(database)) as connection, connection, pyzram.devices() as devices:
        connection.execute("CREATE TABLE IF NOT EXISTS stats (time REAL, name TEXT, json TEXT)")
        for device in devices:
            try:
                stats = device.stats()
            except pyzram.DeviceNotFoundError:
                continue  # removed since it was listed
            row = (stats.time, stats.name, json.dumps(stats.as_dict()))
            connection.execute("INSERT INTO stats VALUES (?, ?, ?)", row)
        (count,) = connection.execute("SELECT count(*) FROM stats").fetchone()
    print(f"{count} rows")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
