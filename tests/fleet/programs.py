# SPDX-License-Identifier: MIT
"""Prometheus and node_exporter of Debian, unpacked into a cache and never installed.

The cache is .cache/fleet in the tree, or PYZRAM_FLEET_CACHE; what is there is used without the
network.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

TREE = Path(__file__).resolve().parents[2]
PACKAGES = ("prometheus", "prometheus-node-exporter")
# This is loopback, so no proxy applies.
OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class UnavailableError(Exception):
    """Something is not available on this machine; the text says why."""


def cache() -> Path:
    return Path(os.environ.get("PYZRAM_FLEET_CACHE") or TREE / ".cache/fleet").resolve()


def program(name: str) -> Path:
    """An unpacked program from the packages, fetched if it is missing."""
    path = cache() / "root/usr/bin" / name
    if not path.exists():
        fetch()
    return path


def fetch() -> None:
    for command in ("apt-get", "dpkg-deb"):
        if shutil.which(command) is None:
            raise UnavailableError(f"needs {command}: Prometheus is taken from Debian")
    folder = cache()
    folder.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        ["apt-get", "download", "-qq", *PACKAGES],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise UnavailableError(f"apt-get download {' '.join(PACKAGES)}: {done.stderr.strip()}")
    new = folder / f"root.{os.getpid()}"
    for package in folder.glob("*.deb"):
        subprocess.run(["dpkg-deb", "-x", package, new], check=True)
        package.unlink()
    shutil.rmtree(folder / "root", ignore_errors=True)
    new.rename(folder / "root")


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


def get(url: str, timeout: float = 30) -> str:
    with OPENER.open(url, timeout=timeout) as answer:
        return str(answer.read().decode())


class Server:
    """A program that serves on loopback, and ends with the block."""

    def __init__(self, port: int, log: Path, command: list[str]) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.log = log
        with log.open("wb") as file:
            self.process = subprocess.Popen(command, stdout=file, stderr=file)

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def wait(self, path: str) -> None:
        """Wait until it answers."""
        deadline = time.monotonic() + 60
        while True:
            try:
                get(self.url + path)
                return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError(f"it does not serve:\n{self.log.read_text()}") from None
                time.sleep(0.1)


def node_exporter(textfiles: Path, log: Path) -> Server:
    """Only its textfile collector."""
    port = free_port()
    return Server(
        port,
        log,
        [
            str(program("prometheus-node-exporter")),
            "--collector.disable-defaults",
            "--collector.textfile",
            f"--collector.textfile.directory={textfiles}",
            f"--web.listen-address=127.0.0.1:{port}",
        ],
    )


class Prometheus(Server):
    """A server with a configuration file, and its data in a folder."""

    def __init__(self, config: Path, data: Path, log: Path, *options: str) -> None:
        port = free_port()
        super().__init__(
            port,
            log,
            [
                str(program("prometheus")),
                f"--config.file={config}",
                f"--storage.tsdb.path={data}",
                f"--web.listen-address=127.0.0.1:{port}",
                *options,
            ],
        )

    def api(self, path: str, timeout: float = 120, **arguments: str) -> Any:
        query = "?" + urllib.parse.urlencode(arguments) if arguments else ""
        answer = json.loads(get(f"{self.url}/api/v1/{path}{query}", timeout))
        assert answer["status"] == "success", answer
        return answer["data"]

    def query(self, expression: str) -> list[dict[str, Any]]:
        result: list[dict[str, Any]] = self.api("query", query=expression)["result"]
        return result

    def query_range(
        self, expression: str, start: float, end: float, step: float
    ) -> list[dict[str, Any]]:
        """Each series with its points, as a panel draws them."""
        span = {"start": str(start), "end": str(end), "step": str(step)}
        result: list[dict[str, Any]] = self.api("query_range", query=expression, **span)["result"]
        return result


def panels(dashboard: Path) -> dict[str, list[tuple[str, bool]]]:
    """Queries of each panel, with its variables filled in, and whether each is for one moment."""
    found: dict[str, list[tuple[str, bool]]] = {}
    for panel in json.loads(dashboard.read_text())["panels"]:
        for target in panel.get("targets", []):
            text = target["expr"]
            for variable, value in {"$job": ".*", "$instance": ".*"}.items():
                text = text.replace(variable, value)
            text = text.replace("$__rate_interval", "5m").replace("$__range", "6h")
            found.setdefault(panel["title"], []).append((text, bool(target.get("instant"))))
    return found


def queries(dashboard: Path) -> list[tuple[str, bool]]:
    """Every query of a dashboard, and whether it is for one moment."""
    return [query for of_panel in panels(dashboard).values() for query in of_panel]
