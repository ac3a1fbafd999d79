# SPDX-License-Identifier: MIT
"""Collectors other than Prometheus, each for real: the figures of two devices arrive in it."""

from __future__ import annotations

import csv
import json
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from fake_roots import Machine
from fleet.programs import TREE
from fleet.throwaway import session

MONITORING = TREE / "monitoring"
SAMPLE = re.compile(r'^zram_(\w+)\{device="(\w+)"\} (\S+)$', re.M)
NETDATA = re.compile(r'^netdata_pyzram_(\w+)\{.*dimension="(\w+)"\} (\S+)', re.M)
PCP = re.compile(r"^openmetrics\.zram\.zram_(\w+) .*\n((?: .*\n)+)", re.M)
# Figures that have the same unit in JSON, by their name there.
ZABBIX = {
    "disksize_bytes": "disksize",
    "orig_data_size_bytes": "orig_data_size",
    "mem_used_bytes": "mem_used_total",
    "huge_pages": "huge_pages",
    "swap_used_bytes": "swap_used",
    "bd_size_bytes": "bd_size",
}
ZRAM_STATS = """#!/bin/sh
PYZRAM_ROOT=/mnt/machine exec {bin}/zram_stats "$@"
"""
# What a session begins with: zram_stats, of a captured machine, where all can call it.
INSTALL = """
import shutil
shutil.copy("/mnt/zram_stats", "/usr/bin/zram_stats")
"""


@pytest.fixture
def folder(tmp_path) -> Path:
    """What is shared with the session: a machine with two devices, and monitoring/."""
    shared = tmp_path / "shared"
    here = Machine(shared / "machine", "vm-7.x-multi")
    here.add(1)
    mm_stat = "8589934592 4294967297 4294971392 0 5000000000 7 8 9 10\n"  # beyond 32 bits
    here.attribute("mm_stat", 1).write_text(mm_stat)
    here.swap("/dev/zram0 partition 65532 1468 -2")
    here.block("loop7", 8192)
    wrapper = shared / "zram_stats"
    wrapper.write_text(ZRAM_STATS.format(bin=Path(sys.executable).parent))
    wrapper.chmod(0o755)
    shutil.copytree(MONITORING, shared / "monitoring")
    return tmp_path


def expected(folder: Path) -> dict[tuple[str, str], float]:
    """Every figure by name and device, as zram_stats prints it."""
    root = folder / "shared/machine"
    done = subprocess.run(
        [Path(sys.executable).parent / "zram_stats", "--prometheus"],
        env={"PYZRAM_ROOT": str(root)},
        capture_output=True,
        text=True,
        check=True,
    )
    found = {(name, device): float(value) for name, device, value in SAMPLE.findall(done.stdout)}
    assert len(found) >= 70
    assert found["mem_used_bytes", "zram1"] == 4294971392
    return found


def test_collectd(folder):
    """Through its exec plugin, into its CSV files."""
    shared = session(
        folder,
        ("collectd-core",),
        INSTALL
        + """
(OUT / "collectd.conf").write_text('''
Hostname "here"
Interval 1
TypesDB "/usr/share/collectd/types.db"
LoadPlugin csv
LoadPlugin exec
<Plugin csv>
  DataDir "/mnt/csv"
  StoreRates false
</Plugin>
<Plugin exec>
  Exec "nobody" "/usr/lib/collectd/zram.sh"
</Plugin>
''')
shutil.copy("/mnt/monitoring/collectd/zram.sh", "/usr/lib/collectd/zram.sh")
daemon = subprocess.Popen(["collectd", "-f", "-C", "/mnt/collectd.conf"],
    stdout=(OUT / "log").open("wb"), stderr=subprocess.STDOUT)
until(lambda: len(list((OUT / "csv/here/zram-zram1").glob("*-io_time_weighted*"))))
time.sleep(3)
daemon.terminate()
daemon.wait()
""",
    )
    found = {}
    for path in (shared / "csv/here").glob("zram-*/*"):
        kind, _, rest = path.name.partition("-")
        name = rest[: -len("-2000-01-01")]
        rows = list(csv.reader(path.read_text().splitlines()))
        assert kind == ("derive" if name.endswith("_total") and "seconds" not in name else "gauge")
        found[name, path.parent.name.removeprefix("zram-")] = float(rows[-1][1])
    assert found == pytest.approx(expected(folder))


def test_netdata(folder):
    """Through an external plugin, read from its API as collected."""
    shared = session(
        folder,
        ("netdata-core",),
        INSTALL
        + """
plugin = "/usr/lib/netdata/plugins.d/zram.plugin"
for other in pathlib.Path(plugin).parent.glob("*.plugin"):
    other.unlink()
shutil.copy("/mnt/monitoring/netdata/zram.plugin", plugin)
(OUT / "netdata.conf").write_text('''
[global]
  run as user = root
[db]
  mode = ram
[web]
  bind to = 127.0.0.1
[ml]
  enabled = no
[plugins]
''' + "".join(f"  {name} = no\\n" for name in ("proc", "diskspace", "timex", "tc", "idlejitter",
    "cgroups", "statsd", "slabinfo", "netdata monitoring")))
daemon = subprocess.Popen(["netdata", "-D", "-c", "/mnt/netdata.conf"],
    stdout=(OUT / "log").open("wb"), stderr=subprocess.STDOUT)
url = "http://127.0.0.1:19999/api/v1/"

def ask(path):
    with urllib.request.urlopen(url + path, timeout=10) as answer:
        return answer.read().decode()

def text():
    found = ask("allmetrics?format=prometheus&source=as-collected&timestamps=no&help=no")
    return "io_time" in found and 'dimension="zram1"' in found and found

(OUT / "metrics").write_text(until(text))
(OUT / "charts").write_text(ask("charts"))
daemon.terminate()
daemon.wait()
""",
    )
    charts = json.loads((shared / "charts").read_text())["charts"]
    charts = {name.removeprefix("pyzram."): c for name, c in charts.items() if "pyzram" in name}
    want = expected(folder)
    shown = {(name, device) for name, chart in charts.items() for device in chart["dimensions"]}
    assert shown == set(want)
    assert charts["mem_used_bytes"]["title"].startswith("Memory taken now, overhead included.")
    found = {
        (name.replace("_total_total", "_total"), device): float(value) / 1000
        for name, device, value in NETDATA.findall((shared / "metrics").read_text())
    }
    assert found == pytest.approx(want, abs=0.001)


def test_pcp(folder):
    """Through its openmetrics agent, read with pminfo."""
    shared = session(
        folder,
        ("pcp", "python3-requests"),
        INSTALL
        + """
pmdas = pathlib.Path("/var/lib/pcp/pmdas/openmetrics")
for old in (pmdas / "config.d").iterdir():
    old.unlink()
shutil.copy("/mnt/monitoring/pcp/zram.sh", pmdas / "config.d/zram.sh")
(OUT / "pmcd.conf").write_text(
    "openmetrics 144 pipe binary notready "
    f"python3 {pmdas}/pmdaopenmetrics.python -d 144 -l /mnt/pmda.log\\n"
    "[access]\\nallow \\"local:*\\" : all;\\nallow localhost : all;\\n")
(OUT / "pmns").write_text("root {\\n    openmetrics 144:*:*\\n}\\n")
daemon = subprocess.Popen(["/usr/lib/pcp/bin/pmcd", "-f", "-i", "127.0.0.1", "-c", "/mnt/pmcd.conf",
    "-n", "/mnt/pmns", "-l", "/mnt/pmcd.log"])

def metrics():
    done = subprocess.run(["pminfo", "-h", "127.0.0.1", "-f", "-t", "openmetrics.zram"],
        capture_output=True, text=True)
    (OUT / "pminfo.err").write_text(done.stderr)
    return "io_time" in done.stdout and done.stdout

(OUT / "metrics").write_text(until(metrics))
daemon.terminate()
daemon.wait()
""",
    )
    found = {}
    for name, block in PCP.findall((shared / "metrics").read_text()):
        for device, value in re.findall(r'"\d+ device:(\w+)"\] value (\S+)', block):
            found[name, device] = float(value)
    assert found == pytest.approx(expected(folder))


def test_zabbix(folder):
    """Through a UserParameter, asked as Zabbix's server asks."""
    shared = session(
        folder,
        ("zabbix-agent",),
        INSTALL
        + """
(OUT / "agentd.conf").write_text(
    "Server=127.0.0.1\\nListenIP=127.0.0.1\\nLogFile=/mnt/log\\nPidFile=/run/agent.pid\\nAllowRoot=1\\n"
    "Include=/mnt/monitoring/zabbix/zram.conf\\n")
daemon = subprocess.Popen(["zabbix_agentd", "-f", "-c", "/mnt/agentd.conf"])

def ask(key):
    with socket.create_connection(("127.0.0.1", 10050), 10) as server:
        server.sendall(b"ZBXD\\1" + struct.pack("<Q", len(key)) + key)
        with server.makefile("rb") as answer:
            head = answer.read(13)
            return answer.read(struct.unpack("<Q", head[5:])[0]).decode()

(OUT / "answer").write_text(until(lambda: ask(b"zram.stats")))
daemon.terminate()
daemon.wait()
""",
    )
    rows = {row["name"]: row for row in json.loads((shared / "answer").read_text())["zram_stats"]}
    want = expected(folder)
    assert set(rows) == {"zram0", "zram1"}
    for name, key in ZABBIX.items():
        for device, row in rows.items():
            assert row[key] == want.get((name, device))


def test_zabbix_makes_items_of_it(folder):
    """Its server discovers the devices and asks the agent for them; its database has the values.

    The test writes everything that docs/collectors.md says to create into it, as a frontend would.
    """
    page = (TREE / "docs/collectors.md").read_text()
    discovery, prototype = re.findall(r"`(\$\.zram_stats[^`]*)`", page)
    assert "{#ZRAM}" in prototype and "mem_used_total" in prototype
    paths = [prototype.replace("mem_used_total", key) for key in ZABBIX.values()]
    given = {"discovery": discovery, "macro": ["{#ZRAM}", "$.name"], "paths": paths}
    (folder / "shared/given.json").write_text(json.dumps(given))
    shared = session(
        folder,
        ("zabbix-agent", "zabbix-server-pgsql", "postgresql"),
        INSTALL
        + """
import glob, gzip
(OUT / "agentd.conf").write_text(
    "Server=127.0.0.1\\nListenIP=127.0.0.1\\nLogFile=/mnt/log\\nPidFile=/run/agent.pid\\nAllowRoot=1\\n"
    "Include=/mnt/monitoring/zabbix/zram.conf\\n")
(OUT / "server.conf").write_text(
    "DBHost=/run/pg\\nDBName=zabbix\\nDBUser=postgres\\nListenIP=127.0.0.1\\nAllowRoot=1\\n"
    "LogFile=/mnt/server.log\\nPidFile=/run/server.pid\\nSocketDir=/run\\nCacheUpdateFrequency=1\\n"
    "StartPingers=0\\nStartDiscoverers=0\\nStartHTTPPollers=0\\nStartTrappers=1\\nStartPollers=1\\n")
(binaries,) = glob.glob("/usr/lib/postgresql/*/bin")
os.mkdir("/run/pg")
shutil.chown("/run/pg", "postgres")
as_postgres = ["runuser", "-u", "postgres", "--"]
subprocess.run([*as_postgres, f"{binaries}/initdb", "-D", "/run/pg/data", "-A", "trust",
    "-E", "UTF8", "--no-sync", "--locale=C.UTF-8"], check=True)
database = subprocess.Popen([*as_postgres, f"{binaries}/postgres", "-D", "/run/pg/data",
    "-k", "/run/pg", "-c", "listen_addresses=", "-c", "fsync=off",
    "-c", "dynamic_shared_memory_type=mmap"])

def sql(text, name="zabbix"):
    done = subprocess.run([f"{binaries}/psql", "-h", "/run/pg", "-U", "postgres", "-qAt",
        "-F", "\\t", "-v", "ON_ERROR_STOP=1", name], input=text, text=True, capture_output=True)
    if done.returncode:
        raise OSError(done.stderr)
    return [line.split("\\t") for line in done.stdout.split("\\n")[:-1]]

until(lambda: sql("SELECT 1", "postgres"))
sql("CREATE DATABASE zabbix", "postgres")

def packed(part):
    path = f"/usr/share/zabbix-server-pgsql/{part}.sql.gz"
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return file.read()

sql(packed("schema"))
# Of what comes with it the server needs no more; templates take minutes.
tables = "role", "users", "hstgrp", "usrgrp", "config"
needed = tuple(f"INSERT INTO {table} " for table in tables)
lines = [line for line in packed("data").split("\\n") if line.startswith(needed)]

def add(table, **row):
    values = ", ".join("'" + str(value).replace("'", "''") + "'" for value in row.values())
    lines.append(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({values});")

given = json.loads((OUT / "given.json").read_text())
add("hosts", hostid=90001, host="here", name="here", status=0)
add("interface", interfaceid=90001, hostid=90001, main=1, type=1)
text, number, agent, dependent, jsonpath, rule, of_rule = 4, 3, 0, 18, 12, 1, 2
first = 900001
add("items", itemid=first, hostid=90001, interfaceid=90001, type=agent, key_="zram.stats",
    name="zram.stats", value_type=text, delay="1s", history="0", trends="0")
add("items", itemid=first + 1, hostid=90001, type=dependent, key_="zram.devices",
    name="zram.devices", master_itemid=first, value_type=text, flags=rule)
macro, path = given["macro"]
add("lld_macro_path", lld_macro_pathid=1, itemid=first + 1, lld_macro=macro, path=path)
for itemid in (first, first + 1):
    add("item_rtdata", itemid=itemid)
for at, path in enumerate([given["discovery"], *given["paths"]], first + 1):
    if at > first + 1:
        add("items", itemid=at, hostid=90001, type=dependent, name="{#ZRAM}",
            key_=f"zram.k{at - first - 2}[{{#ZRAM}}]", master_itemid=first, value_type=number,
            flags=of_rule, history="90d")
        add("item_discovery", itemdiscoveryid=at, itemid=at, parent_itemid=first + 1)
    add("item_preproc", item_preprocid=at, itemid=at, step=1, type=jsonpath, params=path)
sql("BEGIN;" + "".join(lines) + "COMMIT;")
agent = subprocess.Popen(["zabbix_agentd", "-f", "-c", "/mnt/agentd.conf"])
server = subprocess.Popen(["zabbix_server", "-f", "-c", "/mnt/server.conf"])

def values():
    found = {
        "values": sql("SELECT DISTINCT key_, value FROM history_uint JOIN items USING (itemid)"),
        "refused": sql("SELECT key_ FROM items JOIN item_rtdata USING (itemid) WHERE state = 1"),
    }
    (OUT / "history.json").write_text(json.dumps(found))
    return len(found["values"]) + len(found["refused"]) == 2 * len(given["paths"])

try:
    until(lambda: values() or server.poll() is not None, 120)
finally:
    (OUT / "rules").write_text(str(sql("SELECT itemid, key_, state, error FROM items "
        "LEFT JOIN item_rtdata USING (itemid) WHERE hostid = 90001")))
    for daemon in (server, agent):
        daemon.terminate()
        daemon.wait()
    database.terminate()
    database.wait()
""",
    )
    found = json.loads((shared / "history.json").read_text())
    named = {
        f"zram.k{at}[{device}]": (name, device)
        for at, name in enumerate(ZABBIX)
        for device in ("zram0", "zram1")
    }
    want = {key: figure for key, figure in expected(folder).items() if key in named.values()}
    assert {named[key]: float(value) for key, value in found["values"]} == want
    # A missing figure, which is null in JSON.
    assert {named[key] for (key,) in found["refused"]} == set(named.values()) - set(want)


def test_telegraf():
    """Debian does not have it; at least its configuration is valid TOML."""
    (given,) = tomllib.loads((MONITORING / "telegraf/zram.conf").read_text())["inputs"]["exec"]
    assert given["data_format"] == "prometheus"
    assert given["commands"] == ["zram_stats --prometheus"]
