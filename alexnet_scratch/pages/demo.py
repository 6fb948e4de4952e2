"""The demo: one page and one question, "what is on this photograph?", for this machine only.

It listens on 127.0.0.1 and answers its own page alone: another name in Host (a site whose name was
made to lead here, DNS rebinding) and another site in Origin are refused. No address leads to a
file; an image comes in a request's body, of limited size, and goes through the package's decoders.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import socketserver
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from minigrad import cuda
from minigrad.serialization import CheckpointError

from ..data import BadImageError, DataError
from ..evaluation import TOP
from ..names import one_line, short_names
from ..trained import Trained, check_numbers
from .maps import MAPS, asked
from .parts import data_uri

HOST, PORT = "127.0.0.1", 2012
MOST_BYTES = 32 << 20  # of a photograph
MOST_AT_ONCE = 8  # photographs in memory; further requests wait a little, then are sent away
PATIENCE = 20.0  # seconds: of a silent connection, of a photograph's way, of waiting for a turn
PIECE = 1 << 20  # bytes read at a time
PAGE = Path(__file__).with_name("demo.html")


class Refused(Exception):  # noqa: N818  (what happened, as in StopIteration)
    """A request that is not answered: the HTTP status, and why in plain words."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


class Answer(NamedTuple):
    """What a request gets."""

    kind: str
    body: bytes


class Demo:
    """What the page shows. One network is asked by one thread at a time.

    title: what the network is called. note: what to know of its answers, "" for nothing.
    """

    def __init__(self, network: Trained, title: str, note: str = "") -> None:
        self.network, self.title, self.note = network, title, note
        names = [network.names.get(c, c) for c in network.classes]
        self.names = short_names(names)
        self._computing = threading.Lock()

    def about(self) -> dict[str, Any]:
        """What the page says of the network."""
        recipe = self.network.recipe
        return {
            "title": one_line(self.title), "note": one_line(self.note),
            "classes": [one_line(name) for name in self.names],
            "size": recipe.input_size, "most": MOST_BYTES,
        }  # fmt: skip

    def look(self, data: bytes, label: int | None = None) -> dict[str, Any]:
        """The likeliest classes of an image file's bytes, and the maps of the likeliest one, or of
        class `label`. BadImageError for what is no whole image."""
        image = self.network.image(data)
        with self._computing:
            probabilities = self.network.predict(image[None])[0]
            check_numbers(probabilities, self.title)
            top = np.argsort(-probabilities, kind="stable")[:TOP]
            of = asked(self.network, image, int(top[0]) if label is None else label)
            maps = [make(of) for make in MAPS]
        return {
            "predictions": [
                {"label": int(c), "name": one_line(self.names[c]),
                 "probability": float(probabilities[c])}
                for c in top
            ],
            "of": one_line(self.names[of.label]), "label": of.label,
            "seen": data_uri(of.seen),
            "maps": [
                {"name": m.name, "about": m.about, "picture": data_uri(m.picture)} for m in maps
            ],
        }  # fmt: skip


class Server(ThreadingHTTPServer):
    """A thread for each connection, none of which keeps the program from ending."""

    daemon_threads = True
    allow_reuse_address = os.name != "nt"  # where it lets two programs share a port

    def __init__(self, demo: Demo, port: int = PORT) -> None:
        self.demo = demo
        self.page = PAGE.read_bytes()
        self.turns = threading.BoundedSemaphore(MOST_AT_ONCE)
        try:
            super().__init__((HOST, port), Handler)
        except OSError as error:
            raise DataError(
                f"port {port} cannot be used ({error.strerror}): another program has it; end that "
                "one, or give another --port, 0 for a free one"
            ) from error
        self.names = (f"{HOST}:{self.server_port}", f"localhost:{self.server_port}")

    def server_bind(self) -> None:
        """Without a look at the network's name server, which may take seconds."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = HOST, self.server_address[1]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that went away is no error; anything else is ours, and keeps its traceback."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.server_port}/"


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    server: Server
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "alexnet", ""
    timeout = PATIENCE

    def do_GET(self) -> None:
        """The page, and what it says of the network."""
        self._answer({
            "/": lambda: Answer("text/html; charset=utf-8", self.server.page),
            "/network": lambda: _json(self.server.demo.about()),
        })  # fmt: skip

    do_HEAD = do_GET  # noqa: N815  (what the standard library calls)

    def do_POST(self) -> None:
        """What is on a photograph: /look, or /look?label=3 for the maps of class 3."""
        self.close_connection = True  # what is not read of a body is no next request
        self._answer({"/look": self._look})

    def _answer(self, known: dict[str, Callable[[], Answer]]) -> None:
        try:
            self._check_asker()
            path = self.path.partition("?")[0]
            if path not in known:
                raise Refused(404, "there is nothing here: open the page itself, /")
            answer, status = known[path](), 200
        except Refused as refused:
            answer, status = _error(str(refused)), refused.status
        except BadImageError as error:
            said = str(error).removeprefix("image: ")
            answer, status = _error(f"this photograph cannot be used: {said}"), 422
        except CheckpointError as error:
            answer, status = _error(str(error)), 500
        except MemoryError as error:
            where = "on the GPU " if cuda.is_out_of_memory(error) else ""
            answer, status = _error(f"there is not enough memory {where}for this"), 503
        except OSError:
            raise
        except Exception:
            self._send(500, _error("this went wrong: the terminal says where"))
            raise
        self._send(status, answer)

    def _check_asker(self) -> None:
        """Refuse what another site made a browser ask."""
        hosts = self.headers.get_all("Host") or []
        if len(hosts) != 1 or hosts[0].lower() not in self.server.names:
            raise Refused(403, f"this page is at {self.server.url} only")
        origin = self.headers.get("Origin")
        if origin is not None and origin.lower() not in [f"http://{n}" for n in self.server.names]:
            raise Refused(403, "another site may not ask here")

    def _look(self) -> Answer:
        size, label = self._size(), self._label()
        if not self.server.turns.acquire(timeout=PATIENCE):
            raise Refused(503, "too many photographs at once: try again in a moment")
        try:
            data = self._body(size)
            return _json(self.server.demo.look(data, label))
        finally:
            self.server.turns.release()

    def _body(self, size: int) -> bytes:
        """The photograph, which has PATIENCE to arrive: drop by drop it would hold its place for
        hours."""
        data, end = bytearray(), time.monotonic() + PATIENCE
        while len(data) < size and time.monotonic() < end:
            part = self.rfile.read1(min(size - len(data), PIECE))
            if not part:
                break
            data += part
        if len(data) < size:
            raise Refused(400, "the photograph did not arrive whole: try again")
        return bytes(data)

    def _size(self) -> int:
        """How many bytes the photograph has, from a head that leaves no doubt."""
        given = self.headers.get_all("Content-Length") or []
        if len(given) != 1 or "Transfer-Encoding" in self.headers:
            raise Refused(411, "send the photograph with its length (Content-Length)")
        if not re.fullmatch(r"[0-9]{1,18}", given[0]):
            raise Refused(400, "the length of the photograph is no number")
        if int(given[0]) > MOST_BYTES:
            raise Refused(413, f"the photograph is too large: at most {MOST_BYTES >> 20} MB")
        return int(given[0])

    def _label(self) -> int | None:
        """The class that the maps are to be about, None for the likeliest."""
        query = self.path.partition("?")[2]
        if not query:
            return None
        found = re.fullmatch(r"label=([0-9]{1,6})", query)
        if found is None or int(found[1]) >= len(self.server.demo.names):
            raise Refused(400, "there is no such class")
        return int(found[1])

    def _send(self, status: int, answer: Answer) -> None:
        self.send_response(status)
        self.send_header("Content-Type", answer.kind)
        self.send_header("Content-Length", str(len(answer.body)))
        self.send_header("Content-Security-Policy", _policy(self.server.page))
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("Cross-Origin-Resource-Policy", "same-origin")
        self.send_header("Cache-Control", "no-store")
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What the standard library refuses (another method, a head without end): our way."""
        self.close_connection = True
        said = f"this cannot be answered ({code}): open the page itself, /"
        with suppress(OSError):
            if not hasattr(self, "command"):  # the first line was none
                self.command = ""
            self._send(code, _error(said))

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: the terminal is for the address."""


def _json(found: dict[str, Any]) -> Answer:
    return Answer("application/json", json.dumps(found, allow_nan=False).encode())


def _error(said: str) -> Answer:
    return _json({"error": one_line(said)})


def _policy(page: bytes) -> str:
    """What the page may do: run and look as it was written, show pictures, ask this server."""
    hashes = {
        tag: " ".join(
            f"'sha256-{base64.b64encode(hashlib.sha256(part).digest()).decode()}'"
            for part in re.findall(rb"<%b>(.*?)</%b>" % (tag, tag), page, re.DOTALL)
        )
        for tag in (b"script", b"style")
    }
    return (
        f"default-src 'none'; script-src {hashes[b'script']}; style-src {hashes[b'style']}; "
        "img-src data: blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; "
        "frame-ancestors 'none'"
    )
