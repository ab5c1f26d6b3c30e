"""A proxy in front of a test server, which can answer requests itself, as a busy server or a strict proxy would."""

import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import urlsplit

Answer = tuple[int, dict[str, str], bytes]
"""Status, headers and body."""


@contextmanager
def proxy(
    upstream: str | None,
    answer: Callable[[str, bytes], Answer | None],
    port: int = 0,
    *,
    loses: Callable[[str], bool] = lambda _: False,
    context: ssl.SSLContext | None = None,
) -> Iterator[str]:
    """Serve on a port (0: a free one) and yield the URL.

    `answer` gets a path and a body, and returns the answer, or None to forward the request to `upstream`. If `loses`
    returns True for a path, the server gets the request, but the proxy closes the connection instead of answering.
    """

    connections: list[socket.socket] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            super().setup()
            connections.append(self.connection)

        def _do(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, headers, content = answer(self.path, body) or _forwarded(self, upstream or "", body)
            if loses(self.path):
                self.connection.shutdown(socket.SHUT_RDWR)
                self.close_connection = True
                return
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _do  # noqa: N815 - the names that http.server calls

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    if context is not None:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http{'s' if context else ''}://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        for connection in connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


def _forwarded(request: BaseHTTPRequestHandler, upstream: str, body: bytes) -> Answer:
    connection = HTTPConnection(urlsplit(upstream).netloc, timeout=60)
    try:
        headers = {name: value for name, value in request.headers.items() if name.lower() != "host"}
        connection.request(request.command, request.path, body, headers)
        response = connection.getresponse()
        kept = {name: value for name, value in response.getheaders() if name.lower().startswith(("content-type", "x-"))}
        return response.status, kept, response.read()
    finally:
        connection.close()
