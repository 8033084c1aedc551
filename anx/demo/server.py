"""The demo's server: a page, and a websocket with a simulation for each browser that opens it."""

import asyncio
import json
from importlib.resources import files
from pathlib import Path
from typing import TypeAlias

from aiohttp import ClientConnectionResetError, WSMsgType, web

from anx.demo.controls import Values, read_command
from anx.demo.gate import gate, is_own_page
from anx.demo.session import Send, Session
from anx.demo.stage import Stage
from anx.errors import ConfigError

KINDS = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
LARGEST_MESSAGE = 4096  # bytes, of a browser's
MOST_UNSENT = 300  # messages to a browser that does not read
AGAIN_LATER = 1013  # why a websocket is closed (RFC 6455)

Outbox: TypeAlias = "asyncio.Queue[bytes | Values | None]"


class Server:
    """Answers browsers.

    Args:
        stage: what is played.
        most: simulations at a time.
        names: that the server goes by (see `anx.demo.gate`).
    """

    def __init__(self, stage: Stage, most: int, names: tuple[str, ...]) -> None:
        self.stage = stage
        self.most = most
        self.sessions: dict[Session, asyncio.Task[None]] = {}  # with what sends each one's messages
        self.pages = read_pages()
        self.app = web.Application(middlewares=[gate(names)])
        self.app.router.add_get("/play", self.play)
        self.app.router.add_get("/{name:.*}", self.page)
        self.app.on_shutdown.append(self.end)

    async def page(self, request: web.Request) -> web.Response:
        """One of the files that make the page: they are in memory, and nothing else is looked for."""
        name = request.match_info["name"] or "index.html"
        if name not in self.pages:
            return web.Response(status=404, text="there is no such page\n")
        text, kind = self.pages[name]
        return web.Response(body=text, content_type=kind, charset="utf-8")

    async def play(self, request: web.Request) -> web.StreamResponse:
        """A simulation for as long as the browser's websocket is open."""
        if not is_own_page(request):
            return web.Response(status=403, text="only a page of this server's may open this\n")
        if not web.WebSocketResponse().can_prepare(request):
            return web.Response(status=426, text="this is a websocket\n")
        socket = web.WebSocketResponse(heartbeat=20, max_msg_size=LARGEST_MESSAGE, compress=False)
        await socket.prepare(request)
        if len(self.sessions) >= self.most:
            await socket.send_json({"failed": f"{self.most} simulations are played already: close another page"})
            await socket.close(code=AGAIN_LATER)
            return socket
        outbox: Outbox = asyncio.Queue()
        session = Session(self.stage, into(outbox, asyncio.get_running_loop()))
        self.sessions[session] = asyncio.create_task(self._send(session, socket, outbox))
        session.start()
        try:
            await obey_all(socket, session, outbox)
        finally:  # also where aiohttp cancels this, as its browser is gone
            session.close()
        return socket

    async def _send(self, session: Session, socket: web.WebSocketResponse, outbox: Outbox) -> None:
        """Send what a session says, until it has ended and given back what it held."""
        try:
            await send_all(socket, outbox)
        finally:
            del self.sessions[session]

    async def end(self, app: web.Application) -> None:
        """Close all pages; what they play ends."""
        sending = list(self.sessions.values())
        for session in self.sessions:
            session.close()
        await asyncio.gather(*sending)


def read_pages() -> dict[str, tuple[bytes, str]]:
    """The files that make the page, by name: what they hold, and of which kind they are."""
    found = [(Path(each.name), each) for each in files("anx.demo").joinpath("page").iterdir()]
    return {path.name: (each.read_bytes(), KINDS[path.suffix]) for path, each in found if path.suffix in KINDS}


def into(outbox: Outbox, loop: asyncio.AbstractEventLoop) -> Send:
    """What a session's thread calls to send something."""

    def send(message: bytes | Values | None) -> None:
        loop.call_soon_threadsafe(outbox.put_nowait, message)

    return send


async def send_all(socket: web.WebSocketResponse, outbox: Outbox) -> None:
    """Send what a session says, until it has ended; what a browser that is gone would get is dropped."""
    while (message := await outbox.get()) is not None:
        try:
            await (socket.send_bytes(message) if isinstance(message, bytes) else socket.send_str(json.dumps(message)))
        except (ClientConnectionResetError, ConnectionResetError):
            continue  # whoever reads from it ends
    await socket.close()


async def obey_all(socket: web.WebSocketResponse, session: Session, outbox: Outbox) -> None:
    """Let a session do what its browser asks for, until one of them is gone."""
    async for message in socket:
        try:
            if message.type is not WSMsgType.TEXT:
                raise ConfigError("a message must be text")
            session.ask(read_command(message.data))
        except ConfigError as error:
            outbox.put_nowait({"refused": str(error)})
        if outbox.qsize() > MOST_UNSENT:
            return
