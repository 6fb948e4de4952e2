"""Downloading against a server on this machine that cuts, forgets, changes and refuses."""

import errno
import hashlib
import io
import os
import socket
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from alexnet_scratch.data import DataError, download
from alexnet_scratch.data.download import ARCHIVES, Archive, fetch

CONTENT = np.random.default_rng(0).bytes(300_000)
OTHER = np.random.default_rng(1).bytes(300_000)


class Server(ThreadingHTTPServer):
    """One file at /set.tgz, and how the server behaves."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.content, self.headers = CONTENT, {"ETag": '"one"'}
        self.ranges = True  # does it know Range?
        self.if_range = True  # and If-Range?
        self.length = True  # does it say how much it sends?
        self.denies_ranges = False
        self.cuts: list[int] = []  # bytes after which the next responses break off
        self.statuses: list[int] = []  # of the next responses, instead of the file
        self.asked: list[str | None] = []  # the Range of each request
        self.served = 0

    def handle_error(self, *_: Any) -> None:
        """A client that hangs up is what these tests are about."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/set.tgz"

    def archive(self, **changed: Any) -> Archive:
        sha256 = hashlib.sha256(CONTENT).hexdigest()
        return Archive(**{"url": self.url, "checksum": f"sha256:{sha256}", **changed})


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        s, wanted = self.server, self.headers["Range"]
        s.asked.append(wanted)
        if s.statuses:
            return self.send_error(s.statuses.pop(0))
        if self.path == "/moved/set.tgz":
            return self.answer(302, {"Location": "/set.tgz"}, b"")
        content, size = s.content, len(s.content)
        changed = s.if_range and self.headers["If-Range"] not in (None, *s.headers.values())
        if not wanted or not s.ranges or changed:
            return self.answer(200, s.headers, content)
        start = int(wanted.removeprefix("bytes=").removesuffix("-"))
        if start >= size or s.denies_ranges:
            return self.answer(416, {"Content-Range": f"bytes */{size}"}, b"")
        where = {"Content-Range": f"bytes {start}-{size - 1}/{size}"}
        return self.answer(206, s.headers | where, content[start:])

    def answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if self.server.length:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        sent = body[: self.server.cuts.pop(0)] if body and self.server.cuts else body
        self.server.served += len(sent)
        self.wfile.write(sent)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(download, "BACK_OFF", 0.0)
    monkeypatch.setattr(download, "CHUNK", 16_384)
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def refused(archive: Archive, folder: Path) -> str:
    """The message of a download that must fail, in one line."""
    with pytest.raises(DataError) as caught:
        fetch(archive, folder)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def is_whole(folder: Path, content: bytes = CONTENT) -> bool:
    """The file is right and nothing stands beside it."""
    return [f.name for f in folder.iterdir()] == ["set.tgz"] and (
        folder / "set.tgz"
    ).read_bytes() == content


def test_a_download_brings_the_file_and_a_second_one_asks_nothing(
    server: Server, tmp_path: Path
) -> None:
    md5 = f"md5:{hashlib.md5(CONTENT).hexdigest()}"
    folder = tmp_path / "new" / "folder"
    for checksum in (md5, server.archive().checksum):
        archive = server.archive(size=len(CONTENT), checksum=checksum)
        assert fetch(archive, folder) == folder / "set.tgz"
    assert is_whole(folder)
    assert server.asked == [None]


def test_without_a_known_checksum_the_one_found_is_said(
    server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fetch(server.archive(checksum=None), tmp_path)
    assert f"sha256 {hashlib.sha256(CONTENT).hexdigest()}, not compared" in capsys.readouterr().out


def test_a_redirect_is_followed(server: Server, tmp_path: Path) -> None:
    moved = server.url.replace("/set.tgz", "/moved/set.tgz")
    fetch(server.archive(url=moved), tmp_path)
    assert is_whole(tmp_path)


@pytest.mark.parametrize("mark", [{"ETag": '"one"'}, {"Last-Modified": "Sat, 1 Jan 2022"}])
def test_after_a_cut_only_the_rest_is_asked_for(
    server: Server, tmp_path: Path, mark: dict[str, str]
) -> None:
    server.headers, server.cuts = mark, [100_000, 50_001]
    fetch(server.archive(), tmp_path)
    assert is_whole(tmp_path)
    assert server.asked == [None, "bytes=100000-", "bytes=150001-"]
    assert server.served == len(CONTENT)


def test_a_later_call_goes_on_where_an_interrupted_one_stopped(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(response: Any) -> Iterator[bytes]:
        yield response.read(70_000)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(download, "_chunks", interrupted)
        with pytest.raises(KeyboardInterrupt):
            fetch(server.archive(), tmp_path)
    assert (tmp_path / "set.tgz.part").read_bytes() == CONTENT[:70_000]
    assert not (tmp_path / "set.tgz").exists()
    fetch(server.archive(), tmp_path)
    assert is_whole(tmp_path)
    assert server.asked[1:] == ["bytes=70000-"]


def test_a_server_without_ranges_sends_all_again(server: Server, tmp_path: Path) -> None:
    server.ranges, server.cuts = False, [200_000, 100]
    fetch(server.archive(), tmp_path)
    assert is_whole(tmp_path)
    assert server.asked == [None, "bytes=200000-", "bytes=100-"]


@pytest.mark.parametrize("headers", [{}, {"ETag": 'W/"one"'}])
def test_what_has_no_mark_of_its_version_is_not_joined(
    server: Server, tmp_path: Path, headers: dict[str, str]
) -> None:
    server.headers, server.cuts = headers, [200_000]
    fetch(server.archive(), tmp_path)
    assert is_whole(tmp_path)
    assert server.asked == [None, None]


@pytest.mark.parametrize("if_range", [True, False])
def test_a_file_that_changed_meanwhile_is_fetched_anew(
    server: Server, tmp_path: Path, if_range: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "RETRIES", 0)
    server.cuts, server.if_range = [0, 1000], if_range
    refused(server.archive(), tmp_path)  # the first response brings nothing
    server.content, server.headers, server.cuts = OTHER, {"ETag": '"two"'}, []
    (tmp_path / "set.tgz.part").write_bytes(CONTENT[:1000])
    monkeypatch.setattr(download, "RETRIES", 1)
    fetch(server.archive(checksum=None), tmp_path)
    assert is_whole(tmp_path, OTHER)
    assert server.asked[1] == "bytes=1000-"


def test_a_whole_part_is_only_given_its_name(server: Server, tmp_path: Path) -> None:
    (tmp_path / "set.tgz.part").write_bytes(CONTENT)
    (tmp_path / "set.tgz.part.etag").write_text('"one"')
    fetch(server.archive(), tmp_path)
    assert is_whole(tmp_path)
    assert server.served == 0


def test_a_part_longer_than_the_file_is_dropped(server: Server, tmp_path: Path) -> None:
    (tmp_path / "set.tgz.part").write_bytes(CONTENT + b"more")
    (tmp_path / "set.tgz.part.etag").write_text('"one"')
    fetch(server.archive(), tmp_path)
    assert is_whole(tmp_path)


def test_a_cut_is_noticed_without_a_length_if_the_size_is_known(
    server: Server, tmp_path: Path
) -> None:
    server.length, server.cuts = False, [1000]
    fetch(server.archive(size=len(CONTENT)), tmp_path)
    assert is_whole(tmp_path)
    assert server.asked == [None, "bytes=1000-"]


def test_a_wrong_checksum_is_named_and_the_next_try_starts_anew(
    server: Server, tmp_path: Path
) -> None:
    server.content = OTHER
    found, expected = (hashlib.sha256(c).hexdigest() for c in (OTHER, CONTENT))
    said = refused(server.archive(), tmp_path)
    assert f"sha256 is {found}, expected {expected}" in said
    assert list(tmp_path.iterdir()) == []
    server.content = CONTENT
    fetch(server.archive(), tmp_path)
    assert server.asked == [None, None]


def test_another_size_is_refused_before_anything_is_fetched(server: Server, tmp_path: Path) -> None:
    said = refused(server.archive(size=5), tmp_path)
    assert "the server has 300000 bytes, expected 5" in said
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_file_that_is_already_there_is_not_touched(server: Server, tmp_path: Path) -> None:
    (tmp_path / "set.tgz").write_bytes(b"mine")
    assert "move it away" in refused(server.archive(), tmp_path)
    assert "it has 4 bytes" in refused(server.archive(size=9), tmp_path)
    assert (tmp_path / "set.tgz").read_bytes() == b"mine"
    assert server.asked == []


def test_a_disk_too_small_is_told_before_writing(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Usage:
        free = 200_000

    server.cuts = [50_000]
    monkeypatch.setattr(download.shutil, "disk_usage", lambda _: Usage)
    said = refused(server.archive(), tmp_path)
    assert f"disk full: {tmp_path} (0.3 MB more are needed, 0.2 MB are free)" in said
    Usage.free = 270_000  # enough for the rest only, after 50,000 have come
    server.cuts, server.asked = [], []
    (tmp_path / "set.tgz.part").write_bytes(CONTENT[:50_000])
    fetch(server.archive(), tmp_path)
    assert is_whole(tmp_path)


def test_a_disk_that_fills_up_keeps_what_has_come(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class SmallDisk(io.FileIO):
        def write(self, data: Any) -> int:
            room = 100_000 - self.tell()
            if len(data) > room:
                super().write(data[:room])
                raise OSError(errno.ENOSPC, "No space left on device")
            return super().write(data)

    def small_disk(path: Path, mode: str) -> Any:
        return SmallDisk(path, mode) if mode == "ab" else open(path, mode)

    with monkeypatch.context() as patch:
        patch.setattr(download, "open", small_disk, raising=False)
        said = refused(server.archive(), tmp_path)
    assert said.startswith(f"disk full: {tmp_path} (No space left on device)")
    assert "0.1 MB that have come are kept" in said
    fetch(server.archive(), tmp_path)
    assert is_whole(tmp_path)
    assert server.asked == [None, "bytes=100000-"]


def test_a_missing_file_is_refused_at_once(server: Server, tmp_path: Path) -> None:
    server.statuses = [404, 404]
    said = refused(server.archive(), tmp_path)
    assert server.url in said
    assert "404" in said
    assert "by hand" in said
    assert len(server.asked) == 1


def test_a_server_in_trouble_is_asked_again_and_then_given_up(
    server: Server, tmp_path: Path
) -> None:
    server.statuses = [503, 500]
    fetch(server.archive(), tmp_path / "passing")
    assert is_whole(tmp_path / "passing")
    server.statuses = [503] * 100
    said = refused(server.archive(), tmp_path / "lasting")
    assert "the server says 503" in said
    assert "by hand" in said


def test_a_host_that_cannot_be_reached_is_told(server: Server, tmp_path: Path) -> None:
    for url in ("http://no-such-host.invalid/set.tgz", "http://127.0.0.1:9/set.tgz"):
        said = refused(Archive(url), tmp_path)
        assert f"{url}: no connection" in said
        assert "by hand" in said


@pytest.mark.parametrize("to", ["http://b.org/set.tgz", "ftp://b.org/set.tgz"])
def test_https_is_not_left(to: str) -> None:
    request = urllib.request.Request("https://a.org/set.tgz")
    redirect = download._SafeRedirect().redirect_request
    with pytest.raises(DataError, match="expected https"):
        redirect(request, None, 302, "Found", Message(), to)
    assert redirect(request, None, 302, "Found", Message(), "https://b.org/set.tgz") is not None


def test_every_known_archive_is_https_with_a_checksum() -> None:
    for archive in ARCHIVES.values():
        kind, _, digits = (archive.checksum or "").partition(":")
        assert len(digits) == 2 * hashlib.new(kind).digest_size
        assert archive.url.startswith("https://")
        assert archive.size is not None
        assert archive.size > 9 * 10**7
    with pytest.raises(DataError, match="use one of imagenette, "):
        download.download("imagenet", ".")


# -- servers and folders made to harm --------------------------------------------------------


@contextmanager
def answering(answer: bytes, then: bytes = b"", pause: float = 0.0) -> Iterator[str]:
    """The address of a server that gives this answer to all, and sends `then` for ever after it."""
    listener, stopping = socket.create_server(("127.0.0.1", 0)), threading.Event()

    def serve() -> None:
        while not stopping.is_set():
            with suppress(OSError):
                connection, _ = listener.accept()
                with connection:
                    connection.recv(65536)
                    connection.sendall(answer)
                    while then and not stopping.is_set():
                        connection.sendall(then)
                        time.sleep(pause)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}/set.tgz"
    stopping.set()
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "BACK_OFF", 0.0)
    monkeypatch.setattr(download, "TIMEOUT", 0.5)


def test_a_server_that_cuts_and_then_denies_the_rest_is_given_up(
    server: Server, tmp_path: Path
) -> None:
    server.cuts, server.denies_ranges = [100_000] * 1000, True
    assert "by hand" in refused(server.archive(), tmp_path)
    assert len(server.asked) < 20


def test_no_more_is_written_than_the_file_has(server: Server, tmp_path: Path) -> None:
    server.length, server.content = False, CONTENT * 100
    said = refused(server.archive(size=len(CONTENT)), tmp_path)
    assert "sends more than 300000 bytes" in said
    assert (tmp_path / "set.tgz.part").stat().st_size <= len(CONTENT)


@pytest.mark.parametrize(
    "mark", [b"\xff\xfe\x00", b'"one"\r\nHost: evil', "“one”".encode(), b"x" * 100_000, b""]
)
def test_a_damaged_mark_begins_anew(server: Server, tmp_path: Path, mark: bytes) -> None:
    (tmp_path / "set.tgz.part").write_bytes(OTHER[:1000])
    (tmp_path / "set.tgz.part.etag").write_bytes(mark)
    fetch(server.archive(), tmp_path)
    assert is_whole(tmp_path)
    assert server.asked == [None]


@pytest.mark.parametrize("mark", ["“one”", "one\r\n two", "x" * 2000])
def test_a_servers_mark_that_cannot_be_sent_back_is_not_kept(
    server: Server, tmp_path: Path, mark: str
) -> None:
    server.headers = {"ETag": mark.encode().decode("latin-1")}
    server.cuts = [200_000]
    fetch(server.archive(), tmp_path)
    assert is_whole(tmp_path)


NINES = b"9" * 6000
BAD_ANSWERS = {
    "length": b"HTTP/1.1 200 OK\r\nContent-Length: " + NINES + b"\r\n\r\n",
    "huge length": b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999\r\n\r\n",
    "range": b"HTTP/1.1 206 OK\r\nContent-Range: bytes 0-1/" + NINES + b"\r\n\r\nab",
    "chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzzz\r\nab\r\n0\r\n\r\n",
    "chunk size": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + NINES + b"\r\nab",
    "chunk below 0": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nab\r\n",
    "location": b"HTTP/1.1 302 Found\r\nLocation: http://[::1\r\nContent-Length: 0\r\n\r\n",
    "long redirect": b"HTTP/1.1 302 Found\r\nLocation: /set.tgz\r\nContent-Length: "
    + NINES[:50] + b"\r\n\r\n",
    "port": b"HTTP/1.1 302 Found\r\nLocation: http://a:99999999/\r\nContent-Length: 0\r\n\r\n",
    "letters": b"HTTP/1.1 302 Found\r\nLocation: http://\xff\xfe/x y\r\nContent-Length: 0\r\n\r\n",
    "file": b"HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n",
    "ftp": b"HTTP/1.1 302 Found\r\nLocation: ftp://127.0.0.1/x\r\nContent-Length: 0\r\n\r\n",
    "data": b"HTTP/1.1 302 Found\r\nLocation: data:,x\r\nContent-Length: 0\r\n\r\n",
    "itself": b"HTTP/1.1 302 Found\r\nLocation: /set.tgz\r\nContent-Length: 0\r\n\r\n",
    "status": b"HTTP/1.1 999999 No\r\n\r\n",
    "noise": bytes(range(256)) * 300,
    "headers": b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 10_000 + b"\r\n",
    "nothing": b"",
}  # fmt: skip


@pytest.mark.parametrize("kind", BAD_ANSWERS)
def test_whatever_a_server_answers_the_download_ends_in_a_line(
    tmp_path: Path, kind: str, hurried: None
) -> None:
    with answering(BAD_ANSWERS[kind]) as url:
        said = refused(Archive(url, size=300_000), tmp_path)
    assert url in said
    assert len(said) < 1000
    other = "expected https" in said or "is not allowed" in said
    assert other == (kind in ("file", "ftp", "data"))


def test_a_response_that_never_begins_is_given_up(tmp_path: Path, hurried: None) -> None:
    begun = time.monotonic()
    with answering(b"", then=b"HTTP/1.1 100 Continue\r\n\r\n") as url:
        assert "no connection" in refused(Archive(url, size=300_000), tmp_path)
    assert time.monotonic() - begun < 20


def test_what_comes_with_a_redirect_is_not_read(tmp_path: Path, hurried: None) -> None:
    head = b"HTTP/1.1 302 Found\r\nLocation: /set.tgz\r\n\r\n"
    with answering(head, then=bytes(65536)) as url:
        assert "would lead to an infinite loop" in refused(Archive(url, size=300_000), tmp_path)


def test_a_trickle_is_given_up(
    tmp_path: Path, hurried: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "PACE", 0.2)
    with answering(b'HTTP/1.1 200 OK\r\nETag: "one"\r\n\r\n', then=b".", pause=0.01) as url:
        assert "bytes came in 0 s; 0.0 MB are kept" in refused(Archive(url), tmp_path)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes there")
@pytest.mark.parametrize("name", ["set.tgz", "set.tgz.part"])
def test_a_pipe_in_the_place_of_the_file_is_not_opened(
    server: Server, tmp_path: Path, name: str
) -> None:
    os.mkfifo(tmp_path / name)
    assert f"{name}: not a plain file; move it away" in refused(server.archive(), tmp_path)
    (tmp_path / name).unlink()
    (tmp_path / name).symlink_to(tmp_path / name)  # a loop
    assert f"{name}: not a plain file; move it away" in refused(server.archive(), tmp_path)
