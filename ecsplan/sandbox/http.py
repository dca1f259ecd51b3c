"""The HTTP side: a threaded HTTP/1.1 server on loopback that keeps its connections.

It uses the standard library's server. That of werkzeug closes the connection after every answer, unlike AWS, and would
hide how a client uses its connections.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from .wire import Answer, Incoming

Respond = Callable[[Incoming], Answer | None]
_Accepted = socket.socket | tuple[bytes, socket.socket]  # the second is for datagrams, which do not occur
_Address = Any


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int, respond: Respond, region: str) -> None:
        self.respond = respond
        self.region = region
        self._open: set[socket.socket] = set()
        super().__init__(("127.0.0.1", port), _Handler)

    def process_request(self, request: _Accepted, client_address: _Address) -> None:
        self._open.add(_socket(request))
        super().process_request(request, client_address)

    def shutdown_request(self, request: _Accepted) -> None:
        self._open.discard(_socket(request))
        super().shutdown_request(request)

    def hang_up(self) -> None:
        """Close the connections that clients keep open."""
        for connection in tuple(self._open):
            hang_up(connection)

    def handle_error(self, request: object, client_address: object) -> None:
        """Ignore clients that close the connection early."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "ecsplan-sandbox"
    wbufsize = -1  # one packet per answer
    disable_nagle_algorithm = True
    server: _Server

    def _handle(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        incoming = Incoming(
            method=self.command, path=self.path, headers=headers, body=self._body(), default_region=self.server.region
        )
        answer = self.server.respond(incoming)
        if answer is None:
            self._drop()
            return
        self.send_response(answer.status)
        for name, value in answer.headers:
            self.send_header(name, value)
        if not any(name.lower() == "content-length" for name, _ in answer.headers):
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)
        self.wfile.flush()

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = do_PATCH = do_OPTIONS = _handle  # noqa: N815 (the library's names)

    def _body(self) -> bytes:
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            return b"".join(iter(self._chunk, b""))
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _chunk(self) -> bytes:
        size = int(self.rfile.readline().split(b";")[0], 16)
        data = self.rfile.read(size)
        self.rfile.readline()
        return data

    def _drop(self) -> None:
        """Close the connection without an answer, as a network failure does."""
        self.close_connection = True
        hang_up(self.connection)

    def handle_expect_100(self) -> bool:
        """Answer 100 Continue at once: botocore waits up to a second for it before it sends an object to S3."""
        going_on = super().handle_expect_100()
        self.wfile.flush()
        return going_on

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (as in the library)
        """Print nothing: the sandbox keeps its own log of requests."""


class HttpServer:
    """Serves on 127.0.0.1 from its own threads between ``start`` and ``stop``."""

    def __init__(self, port: int, respond: Respond, region: str) -> None:
        self._server = _Server(port, respond, region)
        self.port = int(self._server.server_address[1])

    def serve(self) -> None:
        self._server.serve_forever(poll_interval=0.05)

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._server.hang_up()


def hang_up(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:  # it is closed already
        return


def _socket(request: _Accepted) -> socket.socket:
    return request if isinstance(request, socket.socket) else request[1]
