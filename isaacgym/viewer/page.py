"""The server behind the viewer's page, and numbers that come from it."""

from __future__ import annotations

import atexit
import contextlib
import io
import json
import math
import socket
from typing import Any
from urllib.parse import urlsplit

import viser
from viser import _messages
from websockets.exceptions import ConnectionClosed

DEFAULT_PORT = 8080
PORTS_TRIED = 20  # from the default one on, if none was asked for
LOOPBACK = ("127.0.0.1", "localhost", "::1")
# What viser would do for any page: open a tunnel to a public address, take files.
REFUSED = (
    *(_messages.ShareUrlRequest, _messages.ShareUrlDisconnect),
    *(_messages.FileTransferStartUpload, _messages.FileTransferPart),
)


class Page:
    """Serves one page. Browsers connect by themselves; nothing is sent while there are none."""

    def __init__(self, host: str, port: int) -> None:
        """host: address to listen on. port: 0 for the first free one from DEFAULT_PORT on."""
        port = _free_port(host) if port == 0 else _checked_port(host, port)
        with contextlib.redirect_stdout(io.StringIO()):  # one line of ours instead of a banner
            self.server = viser.ViserServer(host=host, port=port, verbose=False)
        connections = self.server._websock_server
        for message in REFUSED:
            connections.unregister_handler(message)
        connections.on_client_connect(self._refuse_other_sites)
        self.server.gui.configure_theme(show_logo=False, show_share_button=False)
        self.name("Simulation")
        self._local = host in LOOPBACK
        atexit.register(self.close)  # before viser's own, which prints
        self.url = f"http://{'localhost' if host in ('0.0.0.0', '::') else host}:{port}"
        print(f"Viewer: {self.url}")

    @property
    def watched(self) -> bool:
        """A browser shows the page."""
        return bool(self.server._connected_clients)  # get_clients() copies the dict under a lock

    def name(self, title: str) -> None:
        """Title of the page's panel and of its tab, in browsers to come as well."""
        self.server.gui.set_panel_label(title)
        script = f"document.title = {json.dumps(title)};"  # viser has no call for the tab, which would say "Viser"
        self.server._websock_server.queue_message(_messages.RunJavascriptMessage(script))

    def close(self) -> None:
        atexit.unregister(self.close)
        with contextlib.redirect_stdout(io.StringIO()):
            self.server.stop()

    async def _refuse_other_sites(self, client: viser.infra.WebsockClientConnection) -> None:
        """Close a connection that a page of another site opened: browsers let any site connect to this machine."""
        connection = self.server._websock_server._live_connections[client.client_id]
        headers = {} if connection.request is None else connection.request.headers
        if not is_own_page(headers.get("Origin"), headers.get("Host"), self._local):
            await connection.close(1008, "opened by another site")
            with contextlib.suppress(ConnectionClosed):
                while True:  # nor read what it has sent meanwhile
                    await connection.recv()


def is_own_page(origin: str | None, host: str | None, local: bool) -> bool:
    """Whether a connection comes from the page that this server serves, by two of its HTTP headers.

    local: the server listens on this machine only, so that it goes by no other name (a rebound DNS name is none).
    """
    if origin is None or host is None:
        return False
    return urlsplit(origin).netloc == host and (not local or urlsplit(f"//{host}").hostname in LOOPBACK)


def _free_port(host: str) -> int:
    try:
        socket.getaddrinfo(host, DEFAULT_PORT, type=socket.SOCK_STREAM)
    except OSError as error:
        raise ValueError(f"the viewer's host '{host}' has no address ({error.strerror}); choose another") from error
    for port in range(DEFAULT_PORT, DEFAULT_PORT + PORTS_TRIED):
        with contextlib.suppress(PortInUseError):
            return _checked_port(host, port)
    last = DEFAULT_PORT + PORTS_TRIED - 1
    raise PortInUseError(f"the viewer finds no free port from {DEFAULT_PORT} to {last} on {host}; choose another one")


def _checked_port(host: str, port: int) -> int:
    """The port, if it can be listened on; viser would go on to another one, or wait forever."""
    if not 1 <= port <= 65535:
        raise ValueError(f"the viewer's port must be between 1 and 65535, got {port}")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the server does
            probe.bind(address)
    except OSError as error:
        reason = error.strerror or str(error)
        raise PortInUseError(f"the viewer cannot use port {port} on {host} ({reason}); choose another one") from None
    return port


class PortInUseError(ValueError):
    """A port that the page cannot be served on."""


class Number:
    """A slider or number input whose value is finite and between bounds, whatever the page sends."""

    def __init__(self, control: Any, low: float, high: float) -> None:
        """control: of `viser.GuiApi`, which does not check what it gets."""
        self.control, self._low, self._high = control, low, high
        self._last: float = control.value

    def read(self) -> float:
        """The value; a bad one is replaced by the last good one, on the page too."""
        value = self.control.value
        if math.isfinite(value) and self._low <= value <= self._high:
            self._last = value
        else:
            self.control.value = self._last
        return self._last

    def at_most(self, limit: float) -> float:
        """The value; one above the limit is replaced by the limit, on the page too."""
        if self.read() > limit:
            self.show(limit)
        return self._last

    def limit(self, low: float, high: float) -> None:
        """Bound the values anew, on the page too."""
        self._low, self._high = low, high
        self.control.min, self.control.max = low, high
        self.show(self._last)

    def show(self, value: float) -> None:
        """Put a value of ours on the page, moved into the bounds."""
        if math.isfinite(value):
            self._last = type(self._last)(min(max(value, self._low), self._high))
            self.control.value = self._last
