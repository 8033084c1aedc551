"""The page in a browser without a screen: Chromium by playwright, neither of which is installed with anx."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

sync_api = pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install playwright")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

pytestmark = [
    pytest.mark.exhaustive,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium"),
]

ROOT = Path(__file__).parents[2]
SECONDS = 60  # that something may take on a machine that is busy


@pytest.fixture
def server(tmp_path):
    """The address of a demo; afterwards it is interrupted, and has printed nothing but that address."""
    command = [sys.executable, "-m", "anx.demo", "weights=anx:cartpole", "port=0"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    log = tmp_path / "log"
    with log.open("wb") as written:
        process = subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=written, stderr=subprocess.STDOUT)
    try:
        until(lambda: "\n" in log.read_text() or process.poll() is not None)
        (address,) = re.findall(r"http://127\.0\.0\.1:\d+", log.read_text())
        yield address
        process.send_signal(signal.SIGINT)
        assert process.wait(SECONDS) == 130
        assert log.read_text().count("\n") == 1
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def browser():
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield chromium
        chromium.close()


def until(condition):
    """Waits for a condition, and returns what it comes to; the page's policy lets playwright evaluate no text."""
    end = time.monotonic() + SECONDS
    while not (found := condition()):
        assert time.monotonic() < end
        time.sleep(0.05)
    return found


class Page:
    """The demo in a browser; what goes wrong in it is kept.

    Args:
        browser: Chromium.
        address: of the demo.
        options: of the window.
    """

    def __init__(self, browser, address, **options):
        self.page = browser.new_page(**options)
        self.wrong, self.asked = [], []
        self.page.on("console", lambda message: self.wrong.append(message.text))
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(address)
        until(lambda: self("demo.drawn > 2 && demo.state !== null"))

    def __call__(self, script):
        return self.page.evaluate(script)

    def press(self, *keys):
        for key in keys:
            self.page.keyboard.press(key)

    def until(self, script):
        return until(lambda: self(script))

    def after_steps(self, count):
        """The frame so many steps after a restart of episode 4; it is paused."""
        self.page.fill("#seed-input", "4")
        self.page.press("#seed-input", "Enter")
        for step in range(count):
            self.until(f"demo.latest.seed === 4 && demo.latest.step === {step}")
            self.press(".")
        self.until(f"demo.latest.step === {count}")
        return self("demo.latest")


def test_a_person_watches_and_disturbs_an_agent(server, browser, capsys):
    page = Page(browser, server, viewport={"width": 1280, "height": 900})
    assert page("document.title").startswith("cartpole")
    colours = "new Set(document.getElementById('picture').getContext('2d').getImageData(0, 0, 600, 400).data).size"
    assert page(colours) > 20  # something is drawn

    start, drawn = time.monotonic(), page("demo.drawn")
    page.until(f"demo.drawn > {drawn} + 60")
    with capsys.disabled():
        print(f"\n{(page('demo.drawn') - drawn) / (time.monotonic() - start):.1f} frames/s at 600x400")

    # Shuffled from the start, the order is another one and the return is the same; by keys alone.
    page.press(" ")
    page.until("demo.state.paused")
    plain = page.after_steps(8)
    page.press("s")
    page.until("demo.state.shuffle")
    shuffled = page.after_steps(8)
    assert shuffled["return"] == plain["return"] != 0
    assert shuffled["origins"] != plain["origins"] == sorted(shuffled["origins"])
    order = page("String(demo.latest.origins)")
    page.press("s")
    page.until(f"String(demo.latest.origins) !== '{order}' || (document.getElementById('shuffle').click(), false)")

    # Cart-pole has one force: there is nothing to permute, and the key for it does nothing.
    assert page("document.getElementById('actuators-row').hidden")
    page.press("p", "d")

    # One more missing, two copies each, one of noise; then undone.
    page.press("m", "c", "v")
    page.until("demo.state.ratio === 0.2 && demo.state.times === 2 && demo.state.channels === 1")
    page.until("demo.latest.origins.length === 9")
    assert page("document.getElementById('inputs-count').textContent") == "9 inputs instead of 5"
    page.press("0")
    page.until("demo.latest.origins.join() === '0,1,2,3,4'")

    # The buttons do what the keys do; the next episode; another speed.
    page.page.click("#pause")
    page.until("!demo.state.paused")
    page.press("n", "+")
    page.until("demo.state.seed === 5 && demo.state.speed === 2")
    page.page.select_option("#every", "10")
    page.until("demo.state.shuffle && demo.state.every === 10")
    page.page.check("#gain")
    page.press("?")
    assert page("document.getElementById('help').open")
    page.page.click("#help button")
    assert not page("document.getElementById('help').open")

    controls = "[...document.querySelectorAll('button, input, select')]"
    assert page(f"{controls}.filter(e => !(e.labels?.length || e.textContent.trim())).map(e => e.id)") == []
    assert page.wrong == []
    assert {re.match(r"https?://[^/]+", url)[0] for url in page.asked} == {server}

    # A telephone, at the same time.
    small = Page(browser, server, viewport={"width": 360, "height": 740}, color_scheme="dark", has_touch=True)
    assert small("document.documentElement.scrollWidth") == 360
    small.page.tap("#shuffle")
    small.until("demo.state.shuffle")
    assert small("Math.min(...[...document.querySelectorAll('main button')].map(e => e.offsetHeight))") >= 40
    assert small.wrong == []
