"""Whom a server answers: pages of its own, asked for under its own name."""

from collections.abc import Awaitable, Callable, Collection
from ipaddress import ip_address
from urllib.parse import urlsplit

from aiohttp import web

LOOPBACK = ("127.0.0.1", "localhost", "::1")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def headers(host: str) -> dict[str, str]:
    """What goes with every answer: a page loads nothing from elsewhere, is in nobody's frame, and stays nowhere."""
    own = f"'self' ws://{host} wss://{host}"  # some browsers do not count a websocket as the page's own
    return {
        "Content-Security-Policy": f"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        f"connect-src {own}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cache-Control": "no-store",
    }


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches what is bound to a host."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def gate(names: Collection[str]) -> Callable[..., Awaitable[web.StreamResponse]]:
    """Refuses whoever asks under another name, as a page does whose name was made to lead here (DNS rebinding).

    Args:
        names: of the server, without ports: it may be behind a tunnel.
    """

    @web.middleware
    async def checked(request: web.Request, handler: Handler) -> web.StreamResponse:
        if name_of(request.host) not in names:
            return web.Response(status=421, text="this server does not go by that name\n")
        response = await handler(request)
        if not response.prepared:  # a websocket's is
            response.headers.update(headers(request.host))
        return response

    return checked


def name_of(host: str) -> str | None:
    """A host without its port, and without the brackets of an IPv6 address; None where it is none."""
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None


def is_own_page(request: web.Request) -> bool:
    """Whether a browser asks for one of this server's own pages; others' scripts may open websockets anywhere."""
    try:
        origin = urlsplit(request.headers.get("Origin", ""))
    except ValueError:
        return False
    return origin.scheme in ("http", "https") and origin.netloc == request.host
