# SPDX-License-Identifier: MIT
"""Real programs with work to do, each in its own cgroup and bound only to loopback."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from . import more_programs
from .kitchen import Check, Kitchen, answers, ask, got, port, said, talker, wait_for

PACKAGES = {
    "postgresql": "/usr/lib/postgresql",
    "redis-server": "redis-server",
    "apache2": "apache2",
    "nginx-light": "nginx",
    "memcached": "memcached",
    "nodejs": "node",
    "default-jdk-headless": "java",
    "sqlite3": "sqlite3",
    "g++": "g++",
    "chromium-headless-shell": "chromium-headless-shell",
    **more_programs.PACKAGES,
}
HUGE = Path("/sys/kernel/mm/transparent_hugepage/enabled")
NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")


def postgresql(kitchen: Kitchen) -> Check:
    """shared_buffers of 128 MiB, filled by pgbench, and twelve sessions."""
    binaries = max(Path("/usr/lib/postgresql").glob("*/bin"))
    data, number = kitchen.folder / "data", str(port())
    kitchen.ask(*NOBODY, str(binaries / "initdb"), "-D", str(data), "-A", "trust", "-U", "pg", "-N")
    kitchen.run(
        *NOBODY,
        str(binaries / "postgres"),
        *("-D", str(data), "-p", number, "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"),
        *("-c", f"unix_socket_directories={data}", "-c", "shared_buffers=128MB"),
    )
    wait_for(int(number))
    reach = ("-h", "127.0.0.1", "-p", number, "-U", "pg", "postgres")
    kitchen.ask(str(binaries / "pgbench"), "-q", "-i", "-s", "8", *reach)
    kitchen.ask(str(binaries / "pgbench"), "-c", "4", "-t", "300", *reach)
    psql = str(binaries / "psql")
    for i in range(12):
        session = subprocess.Popen(
            [psql, "-Atq", *reach], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert session.stdin
        session.stdin.write(f"select sum(length(filler)) + {i} from pgbench_accounts;\n".encode())
        session.stdin.flush()
        said(session, b"\n")
        SESSIONS.append(session)
    count = "select count(*) from pgbench_accounts"
    return lambda: kitchen.ask(psql, "-Atq", "-c", count, *reach) == "800000"


SESSIONS: list[subprocess.Popen[bytes]] = []


def redis(kitchen: Kitchen, *, saving: bool = False) -> Check:
    """A hundred thousand records, like an application's."""
    number = port()
    kitchen.run(
        kitchen.find("redis-server"),
        *("--port", str(number), "--bind", "127.0.0.1", "--save", "", "--dir", str(kitchen.folder)),
        # It turns huge pages off for itself if they are given to all.
        *("--rdb-key-save-delay", "300", "--disable-thp", "no"),
    )
    wait_for(number)

    def record(i: int) -> bytes:
        value = f'{{"id": {i}, "name": "user{i * 7919 % 99991}", "balance": {i * i % 10007}, ' * 6
        return value.encode()

    with socket.create_connection(("127.0.0.1", number)) as s, s.makefile("rb") as answers:
        for first in range(0, 100_000, 1000):
            lines = []
            for i in range(first, first + 1000):
                key, value = b"user:%d" % i, record(i)
                lines.append(
                    b"*3\r\n$3\r\nSET\r\n$%d\r\n%b\r\n$%d\r\n%b\r\n"
                    % (len(key), key, len(value), value)
                )
            s.sendall(b"".join(lines))
            for _ in lines:
                assert answers.readline() == b"+OK\r\n"
        if saving:
            s.sendall(b"BGSAVE\r\n")
            assert b"started" in answers.readline()
            for i in range(0, 100_000, 40):  # some of it changes meanwhile
                s.sendall(b"INCR n:%d\r\n" % i)
                answers.readline()
    client = kitchen.find("redis-cli")
    return lambda: (
        kitchen.ask(client, "-p", str(number), "get", "user:4711") == record(4711).decode().strip()
    )


def redis_saving(kitchen: Kitchen) -> Check:
    """The same in the middle of BGSAVE, with keys changing."""
    return redis(kitchen, saving=True)


def apache(kitchen: Kitchen) -> Check:
    """Prefork, forty workers."""
    number, folder = port(), kitchen.folder
    program = kitchen.find("apache2")
    modules = Path(program).parents[1] / "lib/apache2/modules"
    (folder / "index.html").write_text("it works\n" * 1000)
    wanted = ("mpm_prefork", "authz_core", "dir", "mime", "ssl", "rewrite", "deflate", "proxy")
    loads = [
        f"LoadModule {name}_module {modules}/mod_{name}.so"
        for name in wanted
        if (modules / f"mod_{name}.so").exists()
    ]
    (folder / "mime.types").write_text("text/html html\n")
    (folder / "httpd.conf").write_text(
        "\n".join(
            [
                *loads,
                f"ServerRoot {folder}\nDocumentRoot {folder}\nListen 127.0.0.1:{number}",
                f"ServerName localhost\nPidFile {folder}/pid\nErrorLog {folder}/error.log",
                f"TypesConfig {folder}/mime.types\nUser nobody\nGroup nogroup",
                "StartServers 40\nMinSpareServers 40\nMaxSpareServers 80\n",
                f"<Directory {folder}>\nRequire all granted\n</Directory>\n",
            ]
        )
    )
    kitchen.run(program, "-DFOREGROUND", "-f", str(folder / "httpd.conf"))
    wait_for(number)
    for _ in range(100):
        got(number, "/index.html")
    time.sleep(2)
    return lambda: got(number, "/index.html").startswith(b"it works")


def nginx(kitchen: Kitchen) -> Check:
    """Four workers with a cache zone."""
    number, folder = port(), kitchen.folder
    (folder / "index.html").write_text("it works\n" * 1000)
    (folder / "nginx.conf").write_text(
        f"daemon off; worker_processes 4; pid {folder}/pid; error_log {folder}/error.log;\n"
        "events { worker_connections 2048; }\n"
        f"http {{ access_log off; client_body_temp_path {folder}; proxy_temp_path {folder};\n"
        f"  fastcgi_temp_path {folder}; uwsgi_temp_path {folder}; scgi_temp_path {folder};\n"
        "  limit_req_zone $binary_remote_addr zone=a:16m rate=1000r/s;\n"
        f"  server {{ listen 127.0.0.1:{number}; root {folder}; limit_req zone=a burst=500; }} }}\n"
    )
    kitchen.run(kitchen.find("nginx"), "-c", str(folder / "nginx.conf"), "-p", str(folder))
    wait_for(number)
    for _ in range(100):
        got(number)
    return lambda: got(number).startswith(b"it works")


def memcached(kitchen: Kitchen, *, options: tuple[str, ...] = ()) -> Check:
    """Forty MiB of values."""
    number = port()
    kitchen.run(
        kitchen.find("memcached"),
        *("-l", "127.0.0.1", "-p", str(number), "-m", "64", "-u", "root", *options),
    )
    wait_for(number)
    with socket.create_connection(("127.0.0.1", number)) as s, s.makefile("rb") as answers:
        for i in range(20_000):
            value = (b"session %d of user %d; " % (i, i * 7919 % 10007)) * 80
            s.sendall(b"set k%d 0 0 %d\r\n%b\r\n" % (i, len(value), value))
            assert answers.readline() == b"STORED\r\n"

    def right() -> bool:
        with socket.create_connection(("127.0.0.1", number)) as s, s.makefile("rb") as answers:
            s.sendall(b"get k777\r\n")
            return answers.readline().startswith(b"VALUE k777") and b"session 777" in (
                answers.readline()
            )

    return right


def memcached_locked(kitchen: Kitchen) -> Check:
    """The same with -k: locked in memory."""
    return memcached(kitchen, options=("-k",))


def node(kitchen: Kitchen) -> Check:
    """Two hundred thousand objects."""
    program = """
const all = [];
for (let i = 0; i < 200000; i++) all.push({id: i, name: "user" + i, tags: ["a" + i % 7, "b"]});
console.log("ready");
process.stdin.on("data", () => {
  console.log(all.every((x, i) => x.id === i && x.name === "user" + i) ? "right" : "wrong");
});
"""
    return talker(kitchen, kitchen.find("node"), "-e", program)


def java(kitchen: Kitchen) -> Check:
    """A map of two hundred thousand strings."""
    (kitchen.folder / "Live.java").write_text(
        """
public class Live {
    public static void main(String[] words) throws Exception {
        java.util.HashMap<String, String> all = new java.util.HashMap<>();
        for (int i = 0; i < 200000; i++) all.put("key" + i, "value " + i * 31);
        System.out.println("ready");
        System.in.read();
        boolean right = true;
        for (int i = 0; i < 200000; i++) right &= all.get("key" + i).equals("value " + i * 31);
        System.out.println(right ? "right" : "wrong");
        Thread.sleep(1000000);
    }
}
"""
    )
    return talker(
        kitchen,
        kitchen.find("java"),
        "-Xmx256m",
        "-XX:+UseSerialGC",
        str(kitchen.folder / "Live.java"),
    )


def sqlite(kitchen: Kitchen) -> Check:
    """A table of two hundred thousand rows with an index, in memory."""
    process = kitchen.run(kitchen.find("sqlite3"), ":memory:", stdout=subprocess.PIPE)
    ask(
        process,
        b"create table t(a integer, b text);\n"
        b"with recursive n(i) as (select 1 union all select i + 1 from n where i < 200000)\n"
        b"insert into t select i, 'text of row ' || i * 31 from n;\n"
        b"create index x on t(b);\nselect 'ready';\n",
    )
    said(process, b"ready")
    return lambda: answers(process, b"select 'sum ' || sum(a) from t;\n", b"sum 20000100000")


def cc1plus(kitchen: Kitchen) -> Check:
    """The compiler, stopped in the middle of a lot of C++."""
    source = kitchen.folder / "much.cc"
    functions = "\n".join(
        f'int f{i}(std::map<std::string, int> &m) {{ m["{i}"] += {i}; std::regex r("a{i}");'
        " return std::regex_match(m.begin()->first, r); }"
        for i in range(400)
    )
    source.write_text(f"#include <map>\n#include <regex>\n#include <string>\n{functions}\n")
    result = kitchen.folder / "much.o"
    process = kitchen.run(kitchen.find("g++"), "-O1", "-c", str(source), "-o", str(result))
    deadline = time.monotonic() + 60
    while kitchen.cgroup.usage < 150 << 20:
        assert process.poll() is None, "it was too fast"
        assert time.monotonic() < deadline
        time.sleep(0.05)
    for pid in kitchen.cgroup.pids():
        os.kill(pid, signal.SIGSTOP)

    def right() -> bool:
        return process.wait(timeout=300) == 0 and result.stat().st_size > 100_000

    return right


def chromium(kitchen: Kitchen) -> Check:
    """Headless, with a page open."""
    number, folder = port(), kitchen.folder
    (folder / "page.html").write_text("<p>it works</p>" * 5000)
    kitchen.run(
        kitchen.find("chromium-headless-shell"),
        *("--no-sandbox", "--disable-gpu", f"--user-data-dir={folder}/profile"),
        *("--remote-debugging-address=127.0.0.1", f"--remote-debugging-port={number}"),
        f"file://{folder}/page.html",
    )
    wait_for(number)
    time.sleep(5)
    return lambda: b"page.html" in got(number, "/json/list")


def prefork(kitchen: Kitchen) -> Check:
    """Python with a large application loaded, and six workers forked from it."""
    from kernel.pages.programs import FORKS, HEAD

    head = HEAD
    if "[always]" in HUGE.read_text():
        head = HEAD.replace("advice=15", "advice=0")
    process = kitchen.run(sys.executable, "-c", head + FORKS, stdout=subprocess.PIPE)
    assert process.stdout
    text = b""
    while b"\n" not in text or text.count(b"+") < 6:
        text += os.read(process.stdout.fileno(), 100)

    def right() -> bool:
        assert process.stdin
        assert process.stdout
        process.stdin.close()
        return process.stdout.read().count(b"!") == 7

    return right


PROGRAMS: dict[str, Callable[[Kitchen], Check]] = {
    "PostgreSQL": postgresql,
    "Redis": redis,
    "Redis in BGSAVE": redis_saving,
    "Apache prefork": apache,
    "Python prefork": prefork,
    "nginx": nginx,
    "memcached": memcached,
    "memcached -k": memcached_locked,
    "Node": node,
    "Java": java,
    "SQLite": sqlite,
    "cc1plus, stopped": cc1plus,
    "Chromium": chromium,
    "MariaDB": more_programs.mariadb,
    "PHP-FPM": more_programs.php,
    "Caddy": more_programs.caddy,
    "Erlang": more_programs.erlang,
    "musl": more_programs.musl,
}
