# SPDX-License-Identifier: MIT
"""What zram_stats --openmetrics prints, served as OpenMetrics and scraped by a real Prometheus.

Its parser and that of prometheus_client find the same samples in it.
"""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from fake_roots import Machine
from fleet.programs import Prometheus, UnavailableError
from fleet.textfiles import words

OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
SERIES = '{__name__=~"(py)?zram_.+"}'
ODD = bytes(n for n in range(1, 256) if n not in (10, 13))


def printed(here: Machine) -> bytes:
    """What the command prints about a machine."""
    return subprocess.run(
        words("zram_stats", "--openmetrics"),
        env={"PYZRAM_ROOT": str(here.root)},
        check=True,
        capture_output=True,
    ).stdout


@contextmanager
def serving(text: bytes, content_type: str) -> Iterator[tuple[str, list[str]]]:
    """Serve on loopback; give the address, and what each scrape said that it accepts."""
    accepted: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            accepted.append(self.headers["Accept"])
            self.send_response(200)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, format: str, *args: object) -> None:
            """Nobody reads it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}", accepted
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def scraping(folder: Path, address: str) -> Iterator[Prometheus]:
    """A Prometheus that has scraped it once, with or without success."""
    config = folder / "prometheus.yml"
    config.write_text(
        "scrape_configs:\n  - job_name: zram\n    scrape_interval: 1s\n"
        f"    static_configs: [{{targets: ['{address}'], labels: {{instance: here}}}}]\n"
    )
    try:
        server = Prometheus(config, folder / "data", folder / "log")
    except UnavailableError as err:
        pytest.skip(str(err))
    with server:
        server.wait("/-/ready")
        deadline = time.monotonic() + 60
        while not server.query("up"):
            assert time.monotonic() < deadline, "it does not scrape"
            time.sleep(0.2)
        yield server


@pytest.fixture
def text(tmp_path) -> bytes:
    """There are two devices, and the labels of one have every byte that a path can have."""
    here = Machine(tmp_path / "root", "vm-7.x-multi")
    here.add(1)
    here.swap("/dev/zram1 partition 65532 1468 -2")
    here.mount('/"\\134\\012{}é')
    here.attribute("backing_dev").write_bytes(b"/" + ODD + b"\n")
    return printed(here)


def by_client(text: bytes) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """Samples as prometheus_client's parser finds them."""
    parser = pytest.importorskip("prometheus_client.openmetrics.parser")
    return {
        (sample.name, frozenset(sample.labels.items())): float(sample.value)
        for family in parser.text_string_to_metric_families(text.decode())
        for sample in family.samples
    }


def test_prometheus_scrapes_it_and_both_parsers_agree(tmp_path, text):
    with (
        serving(text, OPENMETRICS) as (address, accepted),
        scraping(tmp_path, address) as prometheus,
    ):
        (target,) = prometheus.api("targets")["activeTargets"]
        assert (target["health"], target["lastError"]) == ("up", "")
        assert "application/openmetrics-text" in accepted[0]
        found = {}
        for sample in prometheus.query(SERIES):
            labels = dict(sample["metric"])
            name = labels.pop("__name__")
            assert (labels.pop("job"), labels.pop("instance")) == ("zram", "here")
            found[name, frozenset(labels.items())] = float(sample["value"][1])
        told = prometheus.api("metadata")
    wanted = by_client(text)
    assert len(wanted) > 80
    assert found == wanted
    kinds = {name: (entry[0]["type"], entry[0]["unit"]) for name, entry in told.items()}
    assert kinds["zram_disksize_bytes"] == ("gauge", "bytes")
    assert kinds["zram_read_bytes"] == ("counter", "bytes")
    assert kinds["zram_io_time_seconds"] == ("counter", "seconds")
    assert kinds["zram_backing_dev"] == ("info", "")
    assert kinds["pyzram_build"] == ("info", "")
    assert all(entry[0]["help"] for entry in told.values())


def test_a_text_that_is_cut_off_is_refused(tmp_path, text):
    """This proves that the OpenMetrics parser reads it: the other one requires no end mark."""
    cut = text.removesuffix(b"# EOF\n")
    assert cut != text
    with serving(cut, OPENMETRICS) as (address, _), scraping(tmp_path, address) as prometheus:
        (target,) = prometheus.api("targets")["activeTargets"]
        assert target["health"] == "down"
        assert "EOF" in target["lastError"]
