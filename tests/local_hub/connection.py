"""How answers travel: headers, bodies and parts of bodies, promptly or late, whole or cut off."""

from __future__ import annotations

import os
import re
import socket
import struct
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

HANG_UP = 0
"""The status of an answer that is none: the connection is closed instead."""

_RANGE = re.compile(r"bytes=(?P<first>[0-9]*)-(?P<last>[0-9]*)")


@dataclass(frozen=True)
class Answer:
    """A status, a body and headers; `takes_ranges` where a client may ask for a part of the body."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    tells_length: bool = True
    takes_ranges: bool = False

    def part(self, asked: str | None) -> Answer:
        """What a Range header makes of this answer."""
        match = _RANGE.fullmatch(asked or "")
        if not self.takes_ranges or match is None or match[0] == "bytes=-":
            return self
        total = len(self.body)
        first = int(match["first"]) if match["first"] else max(0, total - int(match["last"]))
        last = min(int(match["last"] or total), total - 1) if match["first"] else total - 1
        if first > last:
            return Answer(416, b"", {"Content-Range": f"bytes */{total}"})
        told = {**self.headers, "Content-Range": f"bytes {first}-{last}/{total}"}
        return Answer(206, self.body[first : last + 1], told, self.tells_length)


@dataclass(frozen=True)
class Manner:
    """What becomes of an answer on its way.

    It begins after `delay` seconds; its body comes in pieces of `piece` bytes with `pause` seconds between them, and ends
    after `cut` bytes: with the end of the connection, or with its reset.
    """

    delay: float = 0
    piece: int = 1_000_000
    pause: float = 0
    cut: int | None = None
    resets: bool = False


@dataclass(frozen=True)
class Asked:
    """A request as it came."""

    method: str
    target: str
    token: str | None
    part: str | None
    body: bytes = b""


class Server(ThreadingHTTPServer):
    """Answers with what `answer` tells, each connection in a thread of its own; `closing` ends every pause."""

    request_queue_size = 64

    def __init__(self, answer: Callable[[Asked], tuple[Answer, Manner]]) -> None:
        self.answer = answer
        self.closing = threading.Event()
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a client that has left."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"
    # Headers and body leave in one write: two would wait 40 ms for the client's delayed acknowledgement.
    wbufsize = -1

    def do_GET(self) -> None:
        authorization = self.headers.get("Authorization")
        token = authorization.removeprefix("Bearer ") if authorization else None
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        answer, manner = self.server.answer(Asked(self.command, self.path, token, self.headers.get("Range"), body))
        self.server.closing.wait(manner.delay)
        if answer.status == HANG_UP:
            self._end(manner)
            return
        answer = answer.part(self.headers.get("Range"))
        self.send_response(answer.status)
        length = {"Content-Length": str(len(answer.body))} if answer.tells_length else {"Connection": "close"}
        for name, text in {**length, **answer.headers}.items():
            self.send_header(name, text)
        self.end_headers()
        if self.command != "HEAD":
            self._send(answer.body, manner)

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_POST(self) -> None:
        self.do_GET()

    def _send(self, body: bytes, manner: Manner) -> None:
        end = len(body) if manner.cut is None else manner.cut
        for begin in range(0, end, manner.piece):
            self.wfile.write(body[begin : min(begin + manner.piece, end)])
            if manner.pause:
                self.wfile.flush()
                self.server.closing.wait(manner.pause)
        if manner.cut is not None:
            self.wfile.flush()
            self._end(manner)

    def _end(self, manner: Manner) -> None:
        self.close_connection = True
        if manner.resets:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            os.close(self.connection.detach())

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the requests are in `LocalHub.requests`."""
