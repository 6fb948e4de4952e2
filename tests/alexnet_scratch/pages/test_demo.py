"""`alexnet demo`: real requests to the server, those of its page and those that mean harm."""

from __future__ import annotations

import base64
import http.client
import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from whole import words_of

import alexnet_scratch
from alexnet_scratch.cli import main
from alexnet_scratch.commands.demo import demo_of
from alexnet_scratch.data import DataError
from alexnet_scratch.inside import activations, saliency
from alexnet_scratch.pages import demo as served
from alexnet_scratch.pages.demo import MOST_BYTES, PAGE, Demo, Server
from alexnet_scratch.pages.maps import MAPS, asked, first_layer, first_layer_name, heat
from alexnet_scratch.recipe import RECIPES, build_model
from alexnet_scratch.trained import Trained


@pytest.fixture(scope="module")
def network() -> Trained:
    return alexnet_scratch.load("boxed")


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with Server(demo_of("boxed", "cpu"), 0) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def photo(colour: tuple[int, int, int] = (200, 120, 40), form: str = "JPEG") -> bytes:
    y, x = np.mgrid[:150, :200]
    pixels = np.stack([(x * c // 200 + y) % 256 for c in colour], axis=2).astype(np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, form)
    return stream.getvalue()


def ask(
    server: Server, method: str, path: str, body: bytes | None = None, **headers: str
) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=20)
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, dict(answer.getheaders()), answer.read()
    finally:
        connection.close()


def looked(server: Server, body: bytes, path: str = "/look") -> dict[str, Any]:
    status, _, said = ask(server, "POST", path, body)
    assert status == 200, said
    found: dict[str, Any] = json.loads(said)
    return found


def raw(server: Server, request: bytes) -> bytes:
    """What the server says to these bytes, until it closes."""
    with socket.create_connection(("127.0.0.1", server.server_port), timeout=20) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        parts = []
        while part := connection.recv(65536):
            parts.append(part)
        return b"".join(parts)


# ----- the page -----


def test_the_page_is_whole_and_needs_nothing_from_outside() -> None:
    html = PAGE.read_text("utf-8")
    said = words_of(html.replace('href="data:,"', ""))
    assert "Choose a photograph, drop one here, or paste it" in said
    assert 'accept="image/*"' in html
    assert not re.findall(r"https?://|style=|innerHTML|\son\w+=\"", html)
    scripts = re.findall(r"getElementById|at\(\"(\w+)\"\)", html)
    ids = set(re.findall(r'id="(\w+)"', html))
    assert {name for name in scripts if name} <= ids


def test_the_page_is_allowed_its_own_script_and_nothing_else(server: Server) -> None:
    status, headers, body = ask(server, "GET", "/")
    assert (status, body) == (200, PAGE.read_bytes())
    assert headers["Content-Type"].startswith("text/html")
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert len(re.findall(r"'sha256-[\w+/]{43}='", policy)) == 2
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "Python" not in headers["Server"]
    status, headers, body = ask(server, "HEAD", "/")
    assert (status, headers["Content-Length"], body) == (200, str(len(PAGE.read_bytes())), b"")


def test_the_page_learns_which_network_answers(server: Server) -> None:
    status, _, body = ask(server, "GET", "/network")
    told = json.loads(body)
    assert (status, told["size"], len(told["classes"])) == (200, 128, 10)
    assert told["classes"][0] == "tench"
    assert "It names one of tench, " in told["note"]


# ----- a photograph -----


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_it_says_what_predict_says(server: Server, network: Trained, form: str) -> None:
    data = photo(form=form)
    found = looked(server, data)
    expected = network.predict(network.image(data)[None])[0]
    order = np.argsort(-expected, kind="stable")[:5]
    assert [p["label"] for p in found["predictions"]] == order.tolist()
    assert [p["probability"] for p in found["predictions"]] == expected[order].tolist()
    assert found["label"] == order[0]
    assert len(found["maps"]) == len(MAPS)
    for one in (found["seen"], *(m["picture"] for m in found["maps"])):
        kind, _, coded = one.partition(",")
        assert kind == "data:image/png;base64"
        with Image.open(io.BytesIO(base64.b64decode(coded))) as image:
            assert min(image.size) >= 100
            assert image.getcolors(8) is None  # more colours than that
    other = looked(server, data, "/look?label=3")
    assert other["of"] == "chain saw"
    assert found["label"] != 3
    assert other["maps"][0]["picture"] != found["maps"][0]["picture"]


def test_maps_are_of_the_part_that_the_network_sees(network: Trained) -> None:
    image = network.image(photo())
    of = asked(network, image, 2)
    assert of.seen.shape == (128, 128, 3)
    np.testing.assert_array_equal(of.seen, image[8:-8, 8:-8])
    logits = network.model(of.input).data
    p = np.exp(logits - logits.max())
    expected = network.predict(image[None])
    np.testing.assert_allclose(p / p.sum(), expected, rtol=1e-4)
    assert saliency(network.model, of.input, [2]).shape == (1, 128, 128)
    (maps,) = activations(network.model, of.input, ["relu1"]).values()
    rows = -(-maps.shape[1] // 7)
    assert first_layer(of).picture.shape[:2] == (rows * 32 - 1, 7 * 32 - 1)


def test_heat_is_brightest_where_the_value_is_largest() -> None:
    picture = heat(np.array([[0.0, 0.5, 1.0]]))
    assert picture.sum(axis=2)[0].tolist() == sorted(picture.sum(axis=2)[0].tolist())
    assert heat(np.zeros((2, 2))).shape == (2, 2, 3)


@pytest.mark.parametrize(
    ("name", "narrow", "first"),
    [("owt", {"fc_width": 8}, "features.1"), ("cifar", {}, "relu1"),
     ("caffe", {"fc_width": 8, "widths": (8,) * 5}, "relu1")],
)  # fmt: skip
def test_every_kind_of_network_has_a_first_layer(
    name: str, narrow: dict[str, Any], first: str
) -> None:
    assert first_layer_name(build_model(replace(RECIPES[name], **narrow), 3)) == first


def test_requests_at_the_same_time_get_their_own_answers(server: Server) -> None:
    photos = [photo((40 * i, 255 - 40 * i, 90)) for i in range(4)]
    alone = [looked(server, data) for data in photos]
    assert len({one["seen"] for one in alone}) == 4
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda data: looked(server, data), photos))
    assert together == alone


# ----- what is refused, in plain words -----


def error(server: Server, *request: Any, **headers: str) -> tuple[int, str]:
    status, answered, body = ask(server, *request, **headers)
    assert answered["Content-Type"] == "application/json"
    return status, json.loads(body)["error"]


def test_another_site_may_not_ask(server: Server) -> None:
    port = server.server_port
    for host in ("evil.example", f"evil.example:{port}", "127.0.0.1", f"127.0.0.1:{port + 1}", ""):
        for method, path, body in (("GET", "/", None), ("POST", "/look", photo())):
            status, said = error(server, method, path, body, Host=host)
            assert (status, said) == (403, f"this page is at http://127.0.0.1:{port}/ only")
    for origin in ("https://evil.example", "null", f"https://127.0.0.1:{port}"):
        status, said = error(server, "POST", "/look", photo(), Origin=origin)
        assert (status, said) == (403, "another site may not ask here")
    for host in (f"localhost:{port}", f"127.0.0.1:{port}"):
        assert ask(server, "GET", "/", Host=host, Origin=f"http://{host}")[0] == 200
    twice = f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nHost: evil.example\r\n\r\n"
    assert raw(server, twice.encode()).startswith(b"HTTP/1.1 403 ")


@pytest.mark.parametrize(
    "path",
    ["/etc/passwd", "/../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd", "//etc/passwd", "/demo.html",
     "file:///etc/passwd", "/look", "/network/..", "/favicon.ico"],
)  # fmt: skip
def test_no_address_leads_to_a_file(server: Server, path: str) -> None:
    status, said = error(server, "GET", path)
    assert (status, said) == (404, "there is nothing here: open the page itself, /")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "not an image"), (b"no image", "not an image of the formats that are read: JPEG"),
        (photo()[:-2000], ""), (b"%!PS-Adobe-3.0 EPSF-3.0\n", "not an image"),
    ],
    ids=["empty", "text", "cut", "program"],
)  # fmt: skip
def test_what_is_no_photograph_is_told(server: Server, body: bytes, words: str) -> None:
    status, said = error(server, "POST", "/look", body)
    assert status == 422
    assert said.startswith("this photograph cannot be used: ")
    assert words in said
    assert str(Path.cwd()) not in said


def test_a_bomb_costs_nothing(server: Server) -> None:
    small = io.BytesIO()
    Image.new("1", (10_000, 10_000)).save(small, "PNG")
    status, said = error(server, "POST", "/look", small.getvalue())
    assert status == 422
    assert "pixels" in said


def test_the_size_is_limited_before_anything_is_read(server: Server) -> None:
    head = f"POST /look HTTP/1.1\r\nHost: 127.0.0.1:{server.server_port}\r\n"
    for more, status in (
        (f"Content-Length: {MOST_BYTES + 1}", 413), ("Content-Length: 99999999999999999999", 400),
        ("Content-Length: -1", 400), ("Content-Length: ten", 400), ("X: y", 411),
        ("Content-Length: 5\r\nContent-Length: 6", 411), ("Transfer-Encoding: chunked", 411),
        ("Content-Length: 5\r\nTransfer-Encoding: chunked", 411), ("Content-Length: 900", 400),
    ):  # fmt: skip
        said = raw(server, f"{head}{more}\r\n\r\nabc".encode())
        assert said.startswith(b"HTTP/1.1 %d " % status), (more, said)
        assert b'{"error": "' in said
        assert said.count(b"HTTP/1.1") == 1  # nothing of the body is taken for a request


@pytest.mark.parametrize(
    "path", ["/look?label=10", "/look?label=-1", "/look?label=x", "/look?label=", "/look?a"]
)
def test_no_such_class(server: Server, path: str) -> None:
    assert error(server, "POST", path, photo()) == (400, "there is no such class")


@pytest.mark.parametrize(
    "request_", [b"\r\n\r\n", b"nonsense\r\n\r\n", b"PUT / HTTP/1.1\r\n\r\n",
                 b"GET / HTTP/9.9\r\n\r\n", b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n",
                 b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 200 + b"\r\n", b"\x16\x03\x01\x02\x00",
                 b"GET / HTTP/1.1\r\nHost: " + b"h" * 70_000 + b"\r\n\r\n"],
    ids=["empty", "nonsense", "put", "version", "long", "many", "tls", "long head"],
)  # fmt: skip
def test_nonsense_ends_in_a_line_or_nothing(server: Server, request_: bytes) -> None:
    said = raw(server, request_)
    assert b"Traceback" not in said
    assert b"HTTP/1.1 200" not in said
    assert not said or b'{"error": "' in said
    assert ask(server, "GET", "/")[0] == 200  # and the next one is answered


def test_too_many_at_once_are_sent_away(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(served, "PATIENCE", 0.05)
    for _ in range(served.MOST_AT_ONCE):
        assert server.turns.acquire(timeout=1)
    try:
        assert error(server, "POST", "/look", photo()) == (
            503, "too many photographs at once: try again in a moment"
        )  # fmt: skip
    finally:
        for _ in range(served.MOST_AT_ONCE):
            server.turns.release()
    assert looked(server, photo())["predictions"]


def test_a_photograph_that_comes_drop_by_drop_is_given_up(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(served, "PATIENCE", 0.1)
    head = f"POST /look HTTP/1.1\r\nHost: 127.0.0.1:{server.server_port}\r\nContent-Length: 900"
    with socket.create_connection(("127.0.0.1", server.server_port), timeout=20) as connection:
        connection.sendall(f"{head}\r\n\r\n".encode())
        connection.settimeout(0.03)
        said, drops = b"", 0
        while not said and drops < 300:
            with suppress(TimeoutError):
                connection.sendall(b"x")
                drops += 1
                said = connection.recv(1000)
    assert said.startswith(b"HTTP/1.1 400 ")


def test_memory_that_does_not_suffice_is_told(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(Demo, "look", full)
    assert error(server, "POST", "/look", photo()) == (503, "there is not enough memory for this")


def test_a_network_of_nan_and_a_fault_of_ours_are_told(
    server: Server, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    nan = np.full((1, 10), np.nan, np.float32)
    monkeypatch.setattr(Trained, "predict", lambda *_: nan)
    status, said = error(server, "POST", "/look", photo())
    assert status == 500
    assert "its network gives NaN or infinity" in said
    monkeypatch.setattr(Trained, "predict", lambda *_: 1 / 0)
    status, said = error(server, "POST", "/look", photo())
    assert (status, said) == (500, "this went wrong: the terminal says where")
    monkeypatch.undo()
    assert looked(server, photo())["predictions"]  # the network is free again
    assert "ZeroDivisionError" in capfd.readouterr().err


def test_nobody_else_on_the_network_can_ask(server: Server) -> None:
    assert server.socket.getsockname()[0] == "127.0.0.1"


# ----- the command -----


def test_a_port_that_is_taken_says_what_to_do(
    server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(DataError, match="another program has it"):
        Server(server.demo, server.server_port)
    assert main(["demo", "--port", str(server.server_port)]) == 2
    said = capsys.readouterr().err
    assert f"port {server.server_port} cannot be used" in said
    assert "give another --port, 0 for a free one" in said
    with pytest.raises(SystemExit):
        main(["demo", "--port", "70000"])
    assert "expected 0 to 65535" in capsys.readouterr().err


def test_it_opens_a_browser_only_when_asked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Server, "serve_forever", interrupted)
    assert main(["demo", "--port", "0"]) == 0
    assert opened == []
    assert main(["demo", "--port", "0", "--open"]) == 0
    first, ended = capsys.readouterr().out.splitlines()[-2:]
    assert opened == [first.split()[0]]
    assert ended == "Ended."


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_ctrl_c_ends_it_at_once_whoever_is_connected() -> None:
    code = "import sys; from alexnet_scratch.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", code, "demo", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().split()[0]
        port = int(url.rstrip("/").rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port)) as idle:
            idle.sendall(b"POST /look HTTP/1.1\r\n")
            started = time.monotonic()
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=10) == 0
            assert time.monotonic() - started < 3
        assert process.stdout.read() == "Ended.\n"
