# SPDX-License-Identifier: MIT
"""zram-textfile.service and its timer as shipped, under a systemd that runs as process 1.

The service's sandbox must not change what is seen, so its files are compared with those of the same
commands run directly. Debian's node_exporter and promtool read what the timer wrote.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from fleet import programs
from vm.archive import results
from vm.systemd_guest import boot

SECONDS = 900.0
FILES = ["zram-doctor.prom", "zram-tend.prom", "zram.prom"]

# Neither waits for all of a machine's start, which takes minutes here.
BOOT = """\
printf 'NUM_DEVICES=2\\nZRAM_SIZE_0=64M\\nZRAM_SIZE_1=32M\\nZRAM_MOUNT_1=/opt/scratch\\n' \\
	>/etc/conf.d/zram
sed 's,bin/pyzram,bin/zram_stats,' /usr/local/bin/pyzram >/usr/local/bin/zram_stats
chmod 755 /usr/local/bin/zram_stats
cp {tree}/initscripts/systemd/zram-textfile.timer /etc/systemd/system
mkdir /etc/systemd/system/zram-textfile.timer.d
printf '[Unit]\\nDefaultDependencies=no\\n' >/etc/systemd/system/zram-textfile.timer.d/hurry.conf
printf '[Unit]\\nDefaultDependencies=no\\n[Service]\\nStandardError=append:/run/out/unit.log\\n' \\
	>/etc/systemd/system/zram-textfile.service.d/hurry.conf
cat >/etc/systemd/system/trial.target <<-END
	[Unit]
	DefaultDependencies=no
	Requires=swap.target
	Wants=trial.service
END
cat >/etc/systemd/system/trial.service <<-END
	[Unit]
	DefaultDependencies=no
	After=swap.target
	[Service]
	Type=oneshot
	TimeoutStartSec=infinity
	ExecStart=sh /run/out/trial.sh
	ExecStopPost=systemctl --no-block poweroff
	StandardOutput=file:/run/out/said
	StandardError=file:/run/out/trial.log
END
"""
TRIAL = """\
set -x
directory=/var/lib/prometheus/node-exporter
start() { systemctl start zram-textfile.service >&2; echo "$1 $?"; }
rm -rf $directory
start "without the directory"
mkdir -p $directory
chown 65534 $directory
start with
cp -a $directory /run/out/by-service
mkdir /run/out/by-hand
zram_stats --textfile /run/out/by-hand/zram.prom
pyzram doctor --textfile /run/out/by-hand/zram-doctor.prom
pyzram tend --textfile /run/out/by-hand/zram-tend.prom
rm $directory/*
systemctl is-enabled zram-textfile.timer
systemctl enable --now zram-textfile.timer >&2
echo "timer $?"
for second in $(seq 180); do
	[ ! -e $directory/zram-tend.prom ] || break
	sleep 1
done
systemctl show -P Result zram-textfile.service
cp -a $directory /run/out/by-timer
"""
EXPECTED = """\
without the directory 1
with 0
disabled
timer 0
success
"""
MISSING = (
    "zram_stats: /var/lib/prometheus/node-exporter/zram.prom: write metrics: No such file or "
    "directory (there is no /var/lib/prometheus/node-exporter; node_exporter's is its "
    "--collector.textfile.directory)\n"
)
# These change by themselves: the file system on zram1 is written back now and then.
MOVING = re.compile(
    r"^(zram_(?:reads?_|writ|io_|pages_compacted)\S*|zram_\w+\{device=\"zram1\"\}) \S+$", re.M
)


@pytest.fixture
def folder() -> Path:
    return results("textfile-systemd")


def texts(folder: Path) -> dict[str, str]:
    """The files by name."""
    return {path.name: path.read_text() for path in sorted(folder.iterdir())}


def test_service_and_timer_write_what_node_exporter_reads(folder):
    (folder / "trial.sh").write_text(TRIAL)
    guest = boot(folder, BOOT, ("zram", "zram-textfile"), ("zram.service",))
    assert guest.wait(SECONDS), guest.last_words()
    assert (folder / "said").read_text() == EXPECTED, guest.last_words()
    assert (folder / "unit.log").read_text() == MISSING
    by_service, by_hand, by_timer = (
        texts(folder / f"by-{who}") for who in ("service", "hand", "timer")
    )
    assert list(by_service) == list(by_timer) == FILES
    assert {p.stat().st_mode & 0o7777 for p in (folder / "by-timer").iterdir()} == {0o644}
    for name in FILES:
        assert MOVING.sub(r"\1", by_service[name]) == MOVING.sub(r"\1", by_hand[name])
    everything = "".join(by_timer.values())
    for sample in (
        'zram_disksize_bytes{device="zram0"} 67108864',
        'zram_mount_info{device="zram1",mount_point="/opt/scratch"} 1',
        "zram_tend_up 0",
        *(f'zram_scrape_success{{collector="{x}"}} 1' for x in ("zram_stats", "doctor", "tend")),
    ):
        assert f"{sample}\n" in everything
    read_by_node_exporter(folder / "by-timer")


def read_by_node_exporter(files: Path) -> None:
    """It serves every sample, and its tool finds nothing wrong."""
    try:
        promtool = programs.program("promtool")
        server = programs.node_exporter(files, files.with_name("node_exporter.log"))
    except programs.UnavailableError as err:
        pytest.skip(f"all but this passed: {err}")
    with server:
        for path in files.iterdir():
            with path.open() as file:
                done = subprocess.run([promtool, "check", "metrics"], stdin=file, check=False)
            assert done.returncode == 0
        server.wait("/metrics")
        served = samples(programs.get(server.url + "/metrics"))
    written = [samples(path.read_text()) for path in files.iterdir()]
    assert len(set.union(*written)) == sum(map(len, written)) > 60
    assert set.union(*written) <= served
    assert ("node_textfile_scrape_error", frozenset(), 0) in served


def samples(text: str) -> set[tuple[str, frozenset[tuple[str, str]], float]]:
    """Every sample that Prometheus's own parser finds."""
    parser = pytest.importorskip("prometheus_client.parser")
    return {
        (sample.name, frozenset(sample.labels.items()), sample.value)
        for family in parser.text_string_to_metric_families(text)
        for sample in family.samples
    }
