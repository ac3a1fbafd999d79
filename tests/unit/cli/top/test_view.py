# SPDX-License-Identifier: MIT
"""pyzram top on textual: what is drawn, keys and mouse, and once in a real terminal.

PYZRAM_UPDATE_PICTURES=1 rewrites the pictures in tests/data/top; then look at them.
"""

from __future__ import annotations

import asyncio
import os
import queue
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from unit.cli.top import top_machine

# Older ones work, but draw some letters differently.
pytest.importorskip("textual", minversion="8.0.0", reason="needs textual 8")

from pyzram.cli.top import app_view, device_view, driver_view, table_view
from pyzram.cli.top.look import Look, Looker
from pyzram.cli.top.parts import SORTS

PICTURES = Path(__file__).parents[3] / "data/top"
Act = Callable[..., Awaitable[None]]


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("PYZRAM_ROOT", str(tmp_path))
    monkeypatch.setenv("TZ", "UTC")
    monkeypatch.setattr(app_view.Top, "said", "every 1 s  12:00:00")
    return tmp_path


def show(
    root: Path,
    act: Act,
    *,
    size: tuple[int, int] = (80, 24),
    operands: tuple[str, ...] = (),
    delay: float = 30.0,
) -> app_view.Top:
    """Run the view without a terminal and do something to it; ``step`` takes a look."""

    async def run() -> app_view.Top:
        looker = Looker(list(operands), str(root))
        app = app_view.Top(looker, delay, SORTS["name"], False)

        shown = 0
        show_it = app._show

        def count(look: Look) -> None:
            nonlocal shown
            show_it(look)
            shown += 1

        app._show = count  # type: ignore[method-assign]

        async def looked(times: int) -> None:
            """Wait until that many looks have been shown."""
            for _ in range(1000):
                if shown >= times or app.paused or not app.is_running:
                    return
                await pilot.pause(0.01)
            raise AssertionError(f"{shown} looks, not {times}")

        async def step() -> top_machine.Screenshot:
            """Look once more and return the picture."""
            before = shown
            app._wake.set()
            await looked(before + 1)
            await settled()
            return picture()

        async def settled() -> None:
            for _ in range(3):
                await pilot.pause()

        def picture() -> top_machine.Screenshot:
            return top_machine.Screenshot(app.export_screenshot())

        try:
            async with app.run_test(size=size) as pilot:
                await looked(1)
                await step()
                await act(app, pilot, step, picture)
        finally:
            looker.close()
        return app

    return asyncio.run(run())


def table(app: app_view.Top) -> table_view.Table:
    return app.screen.query_one(table_view.Table)


def names(picture: top_machine.Screenshot) -> list[str]:
    """The devices in the order in which they are listed."""
    listed = picture.lines[picture.lines.index(picture.line("NAME")) + 1 :]
    return [line.split()[0] for line in listed if line.startswith("zram") and "." in line]


# ---- what is drawn -------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(60, 24), (80, 24), (120, 36)], ids=lambda size: str(size[0]))
def test_the_pictures_are_those_that_were_looked_at(root, size, monkeypatch):
    top_machine.make(root)
    top_machine.debugfs(root)
    top_machine.tend(root)
    monkeypatch.setattr(time, "clock_gettime", lambda _clock: 5000.0)
    monkeypatch.setattr(time, "clock_gettime_ns", lambda _clock: 5000 * 10**9)
    drawn: dict[str, str] = {}

    async def act(app, pilot, step, picture):
        drawn["main"] = picture().text
        await pilot.press("enter")
        for _ in range(100):
            await pilot.pause(0.05)
            if app.screen.inside is not None:
                break
        drawn["page"] = picture().text
        await pilot.press("pagedown", "pagedown", "pagedown")
        await pilot.pause(0.1)
        drawn["page-end"] = picture().text
        await pilot.press("question_mark")
        await pilot.pause(0.1)
        drawn["help"] = picture().text

    show(root, act, size=size)
    for name, text in drawn.items():
        kept = PICTURES / f"{name}-{size[0]}.txt"
        if os.environ.get("PYZRAM_UPDATE_PICTURES"):
            kept.write_text(text, encoding="utf-8")
        assert text == kept.read_text(encoding="utf-8"), f"{kept.name} is another picture"


def test_colours_mean_something_and_numbers_say_the_same(root):
    here = top_machine.make(root)
    top_machine.set_number(here, 2, "mm_stat", 2, 16_846_848)  # it takes what it holds

    async def act(app, pilot, step, picture):
        shown = picture()
        good, bad = shown.colour_of("7.48", "zram0"), shown.colour_of("1.00", "zram2")
        plain = shown.colour_of("16.1M", "zram0")
        full = shown.colour_of("93%", "zram1")
        assert len({good, bad, plain}) == 3
        assert full == bad

    show(root, act)


def test_without_a_device_it_says_so_and_goes_on(root):
    here = top_machine.make(root, 1)
    here.attribute("").rename(root / "later")

    async def act(app, pilot, step, picture):
        assert "no configured device" in picture().text
        await pilot.press("enter", "down", "s")
        (root / "later").rename(here.attribute(""))
        assert names(await step()) == ["zram0"]

    assert show(root, act).return_code is None


def test_a_window_of_any_size_is_no_failure(root):
    top_machine.make(root)

    async def act(app, pilot, step, picture):
        for size in ((1, 1), (10, 3), (200, 60), (30, 10), (80, 24)):
            await pilot.resize_terminal(*size)
            await pilot.pause(0.05)
        assert names(picture()) == ["zram0", "zram1", "zram2"]

    show(root, act)


# ---- keys ----------------------------------------------------------------------------------------


def test_keys_sort_and_reverse(root):
    here = top_machine.make(root)
    top_machine.set_number(here, 2, "mm_stat", 0, 30_000_000)

    async def act(app, pilot, step, picture):
        assert names(picture()) == ["zram0", "zram1", "zram2"]
        await pilot.press("r")
        await pilot.pause()
        assert names(picture()) == ["zram2", "zram1", "zram0"]
        while table(app).column.heading != "DATA":
            await pilot.press("s")
        await pilot.pause()
        assert names(picture()) == ["zram2", "zram0", "zram1"]
        await pilot.press("S")
        assert table(app).column.heading == "DISKSIZE"

    show(root, act)


def test_the_cursor_stays_on_its_device_and_the_part_below_shows_it(root):
    here = top_machine.make(root)

    async def act(app, pilot, step, picture):
        await pilot.press("down")
        await pilot.pause()
        assert any(line.startswith("zram1  lz4") for line in picture().lines)
        assert table(app).device.name == "zram1"
        await pilot.press("r")
        assert table(app).device.name == "zram1"
        here.add(3)
        await step()
        assert table(app).device.name == "zram1"
        await pilot.press("end")
        assert table(app).device.name == "zram0"
        await pilot.press("home", "up")
        assert table(app).device.name == "zram3"

    show(root, act)


def test_pause_holds_what_is_shown(root):
    here = top_machine.make(root, 1)

    async def act(app, pilot, step, picture):
        await pilot.press("p")
        top_machine.set_number(here, 0, "mm_stat", 0, 40_000_000)
        assert "16.1M" in (await step()).line("zram0")
        await pilot.press("space")
        await pilot.pause(0.1)
        assert "38.1M" in (await step()).line("zram0")

    show(root, act)


def test_a_key_pressed_during_a_look_is_not_lost(root, monkeypatch):
    here = top_machine.make(root, 1)
    real, begun, go_on = Looker.look, threading.Event(), threading.Event()

    async def act(app, pilot, step, picture):
        def slow(looker):
            look = real(looker)
            begun.set()
            go_on.wait(10)
            return look

        monkeypatch.setattr(Looker, "look", slow)
        app._wake.set()
        while not begun.is_set():
            await pilot.pause(0.01)
        top_machine.set_number(here, 0, "mm_stat", 0, 40_000_000)
        await pilot.press("plus")  # the next look is half an hour away, but for this
        monkeypatch.setattr(Looker, "look", real)
        go_on.set()
        for _ in range(1000):
            await pilot.pause(0.01)
            if "38.1M" in picture().line("zram0"):
                return
        raise AssertionError("the key was lost")

    show(root, act, delay=3600.0)


def test_plus_and_minus_change_the_pace(root):
    top_machine.make(root, 1)

    async def act(app, pilot, step, picture):
        await pilot.press("plus")
        assert app.delay == 15
        await pilot.press("minus", "minus")
        assert app.delay == 60

    show(root, act)


@pytest.mark.parametrize("key", ["q", "ctrl+c"])
def test_it_quits(root, key):
    top_machine.make(root, 1)

    async def act(app, pilot, step, picture):
        await pilot.press(key)
        await pilot.pause()
        assert not app.is_running or app._exit

    assert show(root, act).return_code == 0


# ---- the page of a device ------------------------------------------------------------------------


def test_a_device_that_goes_takes_its_page_along(root):
    here = top_machine.make(root)

    async def act(app, pilot, step, picture):
        await pilot.press("down", "enter")
        await step()
        assert isinstance(app.screen, device_view.DeviceScreen)
        shutil.rmtree(here.attribute("", 1))
        await step()
        assert isinstance(app.screen, app_view.MainScreen)

    show(root, act)


def test_what_only_root_sees_is_explained_where_it_is_not_there(root):
    top_machine.make(root, 1)

    async def act(app, pilot, step, picture):
        await pilot.press("enter")
        for _ in range(100):
            await pilot.pause(0.05)
            if app.screen.inside is not None:
                break
        await pilot.press("pagedown", "pagedown", "pagedown")
        await pilot.pause(0.1)
        text = " ".join(picture().text.split())
        assert "CONFIG_ZSMALLOC_STAT" in text
        assert "CONFIG_ZRAM_MEMORY_TRACKING" in text
        await pilot.press("escape")
        await pilot.pause()
        assert isinstance(app.screen, app_view.MainScreen)

    show(root, act)


def test_reading_the_ages_never_takes_more_than_its_share(root, monkeypatch):
    top_machine.make(root, 1)
    slow: list[float] = []

    def read(_sysfs, _name):
        time.sleep(0.2)
        slow.append(time.monotonic())
        return device_view.Inside("", "")

    monkeypatch.setattr(device_view, "look_inside", read)

    async def act(app, pilot, step, picture):
        async def drawn(times: int) -> None:
            """Wait until the page has what was read that many times."""
            for _ in range(1000):
                if len(slow) >= times and not app.screen._reading:
                    return
                await pilot.pause(0.01)

        await pilot.press("enter")
        await drawn(1)
        for _ in range(5):
            await step()
        assert len(slow) == 1
        assert app.screen._due - slow[0] >= 0.2 / device_view.SHARE
        await pilot.press("u")  # asked for: at once
        await drawn(2)
        assert len(slow) == 2

    show(root, act)


# ---- the mouse -----------------------------------------------------------------------------------


def test_a_heading_sorts_a_row_is_chosen_and_opened_by_a_double_click(root):
    top_machine.make(root)

    async def act(app, pilot, step, picture):
        at = picture().line("NAME").index("DATA") + 1
        await pilot.click("#table", offset=(at, 0))
        assert table(app).column.heading == "DATA"
        assert table(app).reverse
        await pilot.click("#table", offset=(at, 0))
        assert not table(app).reverse
        await pilot.click("#table", offset=(2, 3))
        chosen = table(app).device.name
        assert chosen == names(picture())[2]
        await pilot.click("#table", offset=(2, 3), times=2)
        await pilot.pause()
        assert isinstance(app.screen, device_view.DeviceScreen)
        assert app.screen.device_name == chosen

    show(root, act)


def test_many_devices_scroll_under_their_headings(root):
    top_machine.make(root, 40)

    async def act(app, pilot, step, picture):
        assert names(picture())[0] == "zram0"
        assert len(names(picture())) < 40
        await pilot.press("end")
        await pilot.pause(0.1)
        assert names(picture())[-1] == "zram39"
        assert "NAME" in picture().text
        await pilot.press("pageup")
        await pilot.pause(0.1)
        assert table(app).device.name in names(picture())
        # Changes are drawn where the list has been scrolled to.
        await pilot.press("end")
        await pilot.pause(0.1)
        top_machine.set_number(here, 39, "mm_stat", 0, 40_000_000)
        assert "38.1M" in (await step()).line("zram39")

    here = top_machine.Machine.__new__(top_machine.Machine)
    here.root = root
    show(root, act)


def test_input_is_waited_for_and_the_end_comes_at_once(monkeypatch):
    monkeypatch.setattr(driver_view, "PATIENCE", -1)
    monkeypatch.setattr(driver_view, "LIVELY", 0)
    monkeypatch.setattr(driver_view, "SOON", 0)
    terminal, keyboard = os.pipe()
    ending = driver_view.Ending(terminal)
    asked, answers = queue.Queue(), queue.Queue()  # type: ignore[var-annotated]

    def ask():
        ending.asker = threading.get_ident()
        while asked.get():
            answers.put(ending.is_set())

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        asked.put(True)
        assert not ending.is_set()  # anybody else is answered
        with pytest.raises(queue.Empty):
            answers.get(timeout=0.3)
        os.write(keyboard, b"q")
        assert answers.get(timeout=60) is False
        os.read(terminal, 1)
        for _ in range(2):  # it is suspended and goes on
            asked.put(True)
            ending.set()
            assert answers.get(timeout=60) is True
            ending.clear()
            asked.put(True)
            with pytest.raises(queue.Empty):
                answers.get(timeout=0.1)
            ending.set()
            assert answers.get(timeout=60) is True
            ending.clear()
    finally:
        ending.set()
        asked.put(False)
        thread.join()
        ending.close()
        os.close(terminal)
        os.close(keyboard)


def test_after_input_it_is_asked_as_often_as_textual_wants(monkeypatch):
    monkeypatch.setattr(driver_view, "PATIENCE", -1)
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    terminal, keyboard = os.pipe()
    ending = driver_view.Ending(terminal)
    waits: list[int] = []

    class Poll:
        def poll(self, wait):
            waits.append(wait)
            return []

    ending._poll = Poll()  # type: ignore[assignment]
    ending.asker = threading.get_ident()
    try:
        for pause, waited in ((0.1, 1), (0.1, 1), (0.02, 0), *[(0.1, 0)] * 9, (0.11, 1), (0.1, 1)):
            now[0] += pause
            waits.clear()
            ending.is_set()
            assert len(waits) == waited, (pause, now)
    finally:
        ending.close()
        os.close(terminal)
        os.close(keyboard)


# ---- in a terminal -------------------------------------------------------------------------------


class Tmux:
    """A separate terminal, which can be read."""

    def __init__(self, folder: Path, width: int, height: int) -> None:
        self.base = ["tmux", "-S", str(folder / "tmux"), "-f", "/dev/null"]
        self.size = ["-x", str(width), "-y", str(height)]

    def __call__(self, *words: str) -> str:
        done = subprocess.run([*self.base, *words], capture_output=True, text=True, check=False)
        return done.stdout

    def start(self, command: str, environment: dict[str, str]) -> None:
        pairs = [word for pair in environment.items() for word in ("-e", "=".join(pair))]
        self("new-session", "-d", *self.size, *pairs, command)
        self("set", "-g", "mouse", "on")

    def until(self, wanted: Callable[[str], bool], seconds: float = 60) -> str:
        deadline = time.monotonic() + seconds
        while not wanted(text := self("capture-pane", "-p")):
            assert time.monotonic() < deadline, text
            time.sleep(0.1)
        return text


@pytest.fixture
def terminal(tmp_path):
    if not shutil.which("tmux"):
        pytest.skip("needs tmux")
    one = Tmux(tmp_path, 80, 24)
    yield one
    one("kill-server")


def command(words: str, after: str = "; echo ended $?; exec sleep 600") -> str:
    start = "import sys; from pyzram.cli.pyzram import main; sys.exit(main())"
    return f"{sys.executable} -Ic '{start}' top {words}{after}"


def test_in_a_real_terminal(tmp_path, terminal):
    here = top_machine.make(tmp_path)
    environment = {"PYZRAM_ROOT": str(tmp_path), "PYZRAM_RUN": str(tmp_path), "LC_ALL": "C.UTF-8"}
    terminal.start(command("-d 0.2"), environment)
    shown = terminal.until(lambda text: "zram2" in text and "writes/s" in text)
    assert shown.startswith("pyzram top")
    assert "12.34 %" in shown
    top_machine.set_number(here, 0, "mm_stat", 0, 40_000_000)
    terminal.until(lambda text: "38.1M" in text)
    row = next(y for y, line in enumerate(shown.split("\n")) if line.startswith("zram1"))
    terminal("send-keys", "-l", f"\x1b[<0;3;{row + 1}M\x1b[<0;3;{row + 1}m")  # a click
    terminal.until(lambda text: "\nzram1  lz4" in text)
    terminal("send-keys", "Enter")
    terminal.until(lambda text: "classes and ages" in text)
    terminal("send-keys", "Escape")
    terminal.until(lambda text: "classes and ages" not in text)
    terminal("resize-window", "-x", "60", "-y", "20")
    terminal.until(lambda text: max(map(len, text.split("\n"))) <= 60 and "zram0" in text)
    terminal("send-keys", "q")
    assert terminal.until(lambda text: "ended" in text).split() == ["ended", "0"]


def test_a_signal_to_end_gives_the_terminal_back(tmp_path, terminal):
    top_machine.make(tmp_path, 1)
    environment = {"PYZRAM_ROOT": str(tmp_path), "LC_ALL": "C.UTF-8"}
    # A word with the process's own number, so that exactly this one is told to end.
    noted = f"sh -c 'echo $$ > {tmp_path}/pid; exec \"$@\"' sh "
    terminal.start(noted + command("-d 0.2"), environment)
    terminal.until(lambda text: "zram0" in text)
    os.kill(int((tmp_path / "pid").read_text()), signal.SIGTERM)
    assert terminal.until(lambda text: "ended" in text).split() == ["ended", "143"]


def test_devices_asked_for_that_are_gone_end_it_with_a_word(tmp_path, terminal):
    here = top_machine.make(tmp_path, 1)
    environment = {"PYZRAM_ROOT": str(tmp_path), "LC_ALL": "C.UTF-8"}
    terminal.start(command("-d 0.2 zram0"), environment)
    terminal.until(lambda text: "writes/s" in text)
    here.attribute("").rename(tmp_path / "gone")
    shown = terminal.until(lambda text: "ended" in text)
    # Before it looks at the device, or between two of its files.
    first, last = shown.split("\n")[:2]
    assert first in [
        f"pyzram top: zram0: {why}" for why in ("no such device", "the device is gone")
    ]
    assert last == "ended 1"


@pytest.mark.parametrize("switch", ["NO_COLOR=1", "CLICOLOR=0", "CLICOLOR=1"])
def test_colour_can_be_switched_off(tmp_path, terminal, switch):
    top_machine.make(tmp_path, 1)
    name, _, value = switch.partition("=")
    environment = {"PYZRAM_ROOT": str(tmp_path), "LC_ALL": "C.UTF-8", "COLORTERM": "truecolor"}
    terminal.start(command("-d 0.2"), {**environment, name: value})
    terminal.until(lambda text: "writes/s" in text)
    drawn = terminal("capture-pane", "-p", "-e")
    used = {tuple(channels.split(";")) for channels in re.findall(r"[34]8;2;([\d;]+)", drawn)}
    assert used
    assert all(len(set(channels[:3])) == 1 for channels in used) == (switch != "CLICOLOR=1")
