# SPDX-License-Identifier: MIT
"""More programs: databases and runtimes that programs.py does not have, started the same way."""

from __future__ import annotations

import socket
import struct
import time
from pathlib import Path

from .kitchen import Check, Kitchen, got, port, talker, wait_for

PACKAGES = {
    "mariadb-server-core": "mariadbd",
    "php8.2-fpm": "php-fpm8.2",
    "php8.2-opcache": "/usr/lib/php/20220829/opcache.so",
    "caddy": "caddy",
    "erlang-base": "erl",
    "musl-tools": "musl-gcc",
}


def mariadb(kitchen: Kitchen) -> Check:
    """A table of InnoDB with an index, in a buffer pool of 64 MiB."""
    program, number = Path(kitchen.find("mariadbd")), port()
    data, base = kitchen.folder / "data", program.parents[1]
    (data / "mysql").mkdir(parents=True)
    start = kitchen.folder / "start.sql"
    start.write_text(
        "create database live;\nuse live;\n"
        "create table t (a int primary key, b varchar(60), key (b)) engine=innodb;\n"
        "insert into t select seq, concat('text of row ', seq * 31) from seq_1_to_200000;\n"
    )
    kitchen.run(
        str(program),
        *("--no-defaults", "--user=root", f"--basedir={base}", f"--datadir={data}"),
        *("--skip-grant-tables", f"--port={number}", "--bind-address=127.0.0.1"),
        *(f"--socket={kitchen.folder}/socket", f"--lc-messages-dir={base}/share/mysql"),
        *("--innodb-buffer-pool-size=64M", f"--init-file={start}"),
    )
    wait_for(number)

    def right() -> bool:
        with socket.create_connection(("127.0.0.1", number)) as s, s.makefile("rb") as answers:

            def packet() -> bytes:
                return answers.read(int.from_bytes(answers.read(4)[:3], "little"))

            def send(place: int, body: bytes) -> None:
                s.sendall(len(body).to_bytes(3, "little") + bytes([place]) + body)

            packet()  # the server's greeting
            send(1, struct.pack("<IIB23x", 0x8200, 1 << 24, 33) + b"root\0\0")
            assert packet()[0] == 0
            send(0, b"\x03select sum(a) from live.t")
            for _ in range(3):  # how many columns, which, and that these are all
                packet()
            return packet()[1:] == b"20000100000"

    deadline = time.monotonic() + 120
    while not right():  # it listens before it has filled the table
        assert time.monotonic() < deadline, "the table is not filled"
        time.sleep(1)
    return right


def php(kitchen: Kitchen) -> Check:
    """Eight php-fpm workers that share compiled code."""
    program, number, folder = kitchen.find("php-fpm8.2"), port(), kitchen.folder
    module = next(
        path
        for root in (Path("/"), kitchen.root)
        for path in (root / "usr/lib/php").glob("*/opcache.so")
    )
    functions = "".join(
        f"function f{i}($x) {{ $a = ['k{i}' => $x, 'n' => {i}]; return count($a) + {i}; }}\n"
        for i in range(3000)
    )
    (folder / "page.php").write_text(
        f"<?php\n{functions}$sum = 0; foreach (range(0, 2999) as $i) "
        "{ $name = 'f' . $i; $sum += $name($i); } echo 'sum ' . $sum;\n"
    )
    (folder / "fpm.conf").write_text(
        f"[global]\nerror_log = {folder}/log\ndaemonize = no\n[www]\nuser = nobody\n"
        f"group = nogroup\nlisten = 127.0.0.1:{number}\npm = static\npm.max_children = 8\n"
    )
    kitchen.run(
        program,
        *("-n", "-F", "-y", str(folder / "fpm.conf"), "-d", f"zend_extension={module}"),
        *("-d", "opcache.enable=1", "-d", "opcache.memory_consumption=64"),
    )
    wait_for(number)

    def right() -> bool:
        page = str(folder / "page.php").encode()
        names = {b"SCRIPT_FILENAME": page, b"REQUEST_METHOD": b"GET", b"SCRIPT_NAME": page}
        words = b"".join(bytes([len(k), len(v)]) + k + v for k, v in names.items())

        def record(kind: int, body: bytes) -> bytes:
            return struct.pack(">BBHHBx", 1, kind, 1, len(body), 0) + body

        with socket.create_connection(("127.0.0.1", number)) as s:
            s.sendall(record(1, struct.pack(">HB5x", 1, 0)) + record(4, words) + record(4, b""))
            s.sendall(record(5, b""))
            answer = b""
            while more := s.recv(65536):
                answer += more
        return b"sum 4504500" in answer

    for _ in range(40):
        assert right()
    return right


def caddy(kitchen: Kitchen) -> Check:
    """Go's memory: a file server."""
    number, folder = port(), kitchen.folder
    (folder / "page.html").write_text("it works\n" * 100_000)
    kitchen.run(
        kitchen.find("caddy"),
        *("file-server", "--listen", f"127.0.0.1:{number}", "--root", str(folder)),
    )
    wait_for(number)
    for _ in range(100):
        got(number, "/page.html")
    time.sleep(1)
    return lambda: got(number, "/page.html").startswith(b"it works")


def erlang(kitchen: Kitchen) -> Check:
    """A table of two hundred thousand terms, and a thousand processes."""
    root = next(
        path
        for base in (Path("/usr/lib/erlang"), kitchen.root / "usr/lib/erlang")
        for path in base.parent.glob("erlang")
        if path.is_dir()
    )
    folder = str(next(root.glob("erts-*/bin")))
    code = (
        "T = ets:new(t, [public]), [ets:insert(T, {I, integer_to_list(I * 31), [I, a, b]}) || "
        "I <- lists:seq(1, 200000)], [spawn(fun() -> receive X -> X end end) || "
        '_ <- lists:seq(1, 1000)], io:format("ready~n"), io:get_line(""), '
        "Right = lists:all(fun(I) -> ets:lookup_element(T, I, 2) =:= integer_to_list(I * 31) end, "
        'lists:seq(1, 200000)), io:format("~s~n", [case Right of true -> "right"; false -> '
        '"wrong" end]), timer:sleep(1000000).'
    )
    return talker(
        kitchen,
        f"{folder}/erlexec",
        *("-noshell", "-mode", "minimal", "-boot", f"{root}/bin/start_clean", "-eval", code),
        env={
            **kitchen.environment(),
            "ROOTDIR": str(root),
            "BINDIR": folder,
            "EMU": "beam",
            "PROGNAME": "erl",
        },
    )


MUSL = r"""
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
enum { COUNT = 40000 };
static char *all[COUNT];
static size_t size(int i) { return 16 + (i * 7919u) % 3000; }
static void put(int i)
{
	all[i] = malloc(size(i));
	for (size_t at = 0; at + 12 <= size(i); at += 12)
		snprintf(all[i] + at, 13 <= size(i) - at ? 13 : 12, "row %07d ", i);
}
int main(void)
{
	for (int i = 0; i < COUNT; i++)
		put(i);
	for (int i = 0; i < COUNT; i++)
		if (i % 1000 < 600) { /* whole groups of them: their pages are given up */
			free(all[i]);
			all[i] = NULL;
		}
	for (int i = 0; i < COUNT; i += 5)
		if (!all[i])
			put(i);
	puts("ready");
	fflush(stdout);
	getchar();
	int wrong = 0;
	for (int i = 0; i < COUNT; i++) {
		char text[16];
		snprintf(text, sizeof text, "row %07d", i);
		wrong += all[i] && memcmp(all[i], text, 11);
	}
	puts(wrong ? "wrong" : "right");
	fflush(stdout);
	getchar();
	for (;;)
		getchar();
}
"""


def musl(kitchen: Kitchen) -> Check:
    """musl's heap, much of which has been given back."""
    source, program = kitchen.folder / "rows.c", kitchen.folder / "rows"
    source.write_text(MUSL)
    kitchen.ask(kitchen.find("musl-gcc"), "-O1", "-static", "-o", str(program), str(source))
    return talker(kitchen, str(program))
