"""The server, by a client that is no browser."""

import asyncio
import json
import logging
import re
import struct
import threading
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
from aiohttp import WSMsgType
from aiohttp.test_utils import TestClient, TestServer
from demo_stages import make_stage

from anx.demo.gate import LOOPBACK
from anx.demo.server import Server
from anx.demo.stage import Stage

SIMULATION = "anx demo"  # the name of its thread


@dataclass(frozen=True)
class Watched(Stage):
    """A stage that writes down which worlds are opened and closed, and whose worlds can fail."""

    def open(self):
        world = super().open()
        LOG.append("opened")
        close = world.close
        world.close = lambda: (LOG.append("closed"), close())
        if FAILS:
            world.step = lambda action: 1 / 0
        return world


LOG, FAILS = [], []


@pytest.fixture(autouse=True)
def fresh():
    LOG.clear()
    FAILS.clear()
    yield
    for thread in threading.enumerate():
        if thread.name == SIMULATION:
            thread.join(timeout=5)  # it has said its last word
    assert SIMULATION not in [thread.name for thread in threading.enumerate()]


@pytest.fixture(scope="module")
def stage():
    made = make_stage("env.max_steps=400")
    return Watched("test", None, made.agent, made.rollout)


def served(stage, task, most=2):
    """Runs `task(client)` with a client of a server."""

    async def run():
        server = Server(stage, most, LOOPBACK)
        async with TestClient(TestServer(server.app)) as client:
            client.sessions = server.sessions
            await asyncio.wait_for(task(client), 60)

    asyncio.run(run())


def origin_of(client):
    return f"http://{client.host}:{client.port}"


@asynccontextmanager
async def playing(client):
    async with client.ws_connect("/play", headers={"Origin": origin_of(client)}) as socket:
        yield socket


async def receive(socket):
    """The next message: JSON, or a frame's header."""
    message = await socket.receive(timeout=30)
    if message.type is WSMsgType.BINARY:
        (length,) = struct.unpack("<I", message.data[:4])
        header = json.loads(message.data[4 : 4 + length])
        assert len(message.data) == 4 + length + sum(header["parts"].values())
        return header
    assert message.type is WSMsgType.TEXT, message
    return json.loads(message.data)


async def receive_until(socket, key, sees=True):
    """The next message that has `key`; frames on the way there are seen."""
    while True:
        message = await receive(socket)
        if key in message:
            return message
        if sees and "frame" in message:
            await socket.send_json({"do": "seen", "frame": message["frame"]})


async def freed(client):
    while client.sessions:
        await asyncio.sleep(0.01)


def test_the_page_is_served_and_nothing_else_of_the_machine(stage):
    async def task(client):
        page = await client.get("/")
        assert page.status == 200
        assert page.content_type == "text/html"
        assert "default-src 'none'" in page.headers["Content-Security-Policy"]
        assert page.headers["X-Content-Type-Options"] == "nosniff"
        text, wanted = await page.text(), ["main.js"]
        for name in re.findall(r'(?:src|href)="([^"]+)"', text):
            assert (await client.get(f"/{name}")).status == 200
        for name in wanted:
            script = await client.get(f"/{name}")
            assert script.status == 200, name
            wanted += [each for each in re.findall(r'from "\./([^"]+)"', await script.text()) if each not in wanted]
        assert len(wanted) > 4
        for path in ("/server.py", "/../server.py", "/%2e%2e/server.py", "/page/index.html", "//etc/passwd", "/.git"):
            missing = await client.session.get(origin_of(client) + path)
            assert missing.status == 404, path
        assert (await client.post("/")).status == 405

    served(stage, task)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://127.0.0.1:1"}, 403),
        ({"Origin": "http://[::1"}, 403),
        ({"Origin": "http://evil.example", "Host": "evil.example"}, 421),
        ({"Origin": "http://127.0.0.1.evil.example", "Host": "127.0.0.1.evil.example"}, 421),
        ({"Origin": "http://[::1", "Host": "[::1"}, 421),
    ],
)
def test_pages_of_others_open_no_simulation(stage, headers, status):
    async def task(client):
        upgrade = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13"}
        key = {"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}
        assert (await client.get("/play", headers={**upgrade, **key, **headers})).status == status
        if status == 421:
            assert (await client.get("/", headers=headers)).status == 421

    served(stage, task)
    assert LOG == []


def test_whoever_asks_for_the_websocket_as_for_a_page_is_told(stage):
    async def task(client):
        assert (await client.get("/play", headers={"Origin": origin_of(client)})).status == 426

    served(stage, task)


def test_a_browser_that_does_not_see_frames_gets_no_more_of_them(stage):
    async def task(client):
        async with playing(client) as socket:
            assert (await receive(socket))["hello"]["inputs"][0] == "x"
            assert (await receive(socket))["state"]["shuffle"] is False
            frames = [await receive(socket), await receive(socket)]
            with pytest.raises(asyncio.TimeoutError):
                await socket.receive(timeout=0.2)
        assert [frame["frame"] for frame in frames] == [1, 2]
        assert frames[0]["origins"] == [0, 1, 2, 3, 4]
        async with playing(client) as socket:
            steps = []
            while len(steps) < 8:
                frame = await receive_until(socket, "frame")
                steps.append(frame["step"])
                await socket.send_json({"do": "seen", "frame": frame["frame"]})
            assert steps == sorted(set(steps))

    served(stage, task)


async def play(socket, *commands):
    """Frames by step of the first of an episode."""
    await socket.send_json({"do": "pause", "on": True})
    for command in commands:
        await socket.send_json(command)
    await socket.send_json({"do": "restart", "seed": 4})
    found = {}
    for step in range(15):
        while True:
            frame = await receive_until(socket, "frame")
            await socket.send_json({"do": "seen", "frame": frame["frame"]})
            if (frame["seed"], frame["step"]) == (4, step):
                break
        found[step] = frame
        await socket.send_json({"do": "step"})
    return found


def test_shuffled_from_the_start_another_order_is_shown_and_the_same_return(stage):
    async def task(client):
        async with playing(client) as socket:
            plain = await play(socket)
            shuffled = await play(socket, {"do": "set", "shuffle": True})
        assert plain[14]["return"] > 0
        assert {step: frame["return"] for step, frame in plain.items()} == {
            step: frame["return"] for step, frame in shuffled.items()
        }
        assert shuffled[0]["origins"] != plain[0]["origins"]
        assert sorted(shuffled[0]["origins"]) == plain[0]["origins"]

    served(stage, task)


def test_browsers_play_side_by_side_each_its_own_and_no_more_than_may(stage):
    async def task(client):
        async with playing(client) as one, playing(client) as other:
            await one.send_json({"do": "set", "channels": 2})
            assert (await receive_until(one, "state"))["state"]["channels"] == 0
            assert (await receive_until(one, "state"))["state"]["channels"] == 2
            assert (await receive_until(other, "state"))["state"]["channels"] == 0
            async with playing(client) as third:
                assert "2 simulations are played already" in (await receive(third))["failed"]
                assert (await third.receive(timeout=30)).type is WSMsgType.CLOSE
                assert third.close_code == 1013
        await freed(client)
        async with playing(client) as socket:
            await receive_until(socket, "frame")

    served(stage, task)


def test_a_closed_page_frees_its_simulation_paused_or_not(stage):
    async def task(client):
        for command in ({"do": "pause", "on": True}, {"do": "speed", "times": None}):
            async with playing(client) as socket:
                await socket.send_json(command)
                await receive_until(socket, "state")
            await freed(client)
        assert LOG == ["opened", "closed"] * 2

    served(stage, task)


def test_a_server_that_ends_closes_its_pages(stage):
    async def task(client):
        socket = await client.ws_connect("/play", headers={"Origin": origin_of(client)})
        await receive_until(socket, "frame")

    served(stage, task)
    assert LOG == ["opened", "closed"]


def test_what_is_no_message_is_refused_in_words_and_the_simulation_goes_on(stage, caplog):
    async def task(client):
        async with playing(client) as socket:
            for message, says in [
                ("x", "a message must be JSON"),
                ('{"do": "fly"}', "a message must be"),
                ('{"do": "set", "ratio": 0.95}', "ratio=0.95 removes all 5 inputs; allowed: less than 0.9"),
                ('{"do": "set", "background": "/etc/passwd"}', "background=/etc/passwd is unknown; allowed: none"),
            ]:
                await socket.send_str(message)
                assert says in (await receive_until(socket, "refused"))["refused"]
            await socket.send_bytes(b"x")
            assert (await receive_until(socket, "refused"))["refused"] == "a message must be text"
            await socket.send_json({"do": "shuffle"})
            while not (await receive_until(socket, "state"))["state"]["shuffle"]:
                pass
            await socket.send_str("x" * 10_000)
            while (await socket.receive(timeout=30)).type is not WSMsgType.CLOSE:
                pass
            assert socket.close_code == 1009  # too big
        await freed(client)

    served(stage, task)
    assert [record for record in caplog.records if record.levelno >= logging.WARNING] == []


def test_a_simulation_that_fails_says_so_and_leaves_its_reason_in_the_log(stage, caplog):
    FAILS.append("step")

    async def task(client):
        async with playing(client) as socket:
            assert "has failed" in (await receive_until(socket, "failed"))["failed"]
            assert (await socket.receive(timeout=30)).type is WSMsgType.CLOSE
        await freed(client)

    served(stage, task)
    assert "ZeroDivisionError" in caplog.text
    assert LOG == ["opened", "closed"]


def test_what_nobody_looks_at_rests(stage):
    async def task(client):
        async with playing(client) as socket:
            first = await receive_until(socket, "frame")
            await asyncio.sleep(0)
            (session,) = client.sessions
            session.sent = time.monotonic() - 10  # long ago
            await socket.send_json({"do": "seen", "frame": 99})  # which has not been sent
            while (await receive_until(socket, "frame", sees=False))["frame"] < 2:
                pass
            session.sent = time.monotonic() - 10
            await asyncio.sleep(0.1)
            step = session.tally.step
            await asyncio.sleep(0.1)
            assert session.tally.step == step
            await socket.send_json({"do": "seen", "frame": first["frame"]})
            await receive_until(socket, "frame")

    served(stage, task)
